package environment_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// A Delete that another one has overtaken takes nothing from the environment
// that has the name by then.
func TestTwoDeletesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		store := memory.New()
		a, b := start(t, org, store, "a"), start(t, org, store, "b")
		env := create(t, a.engine, recordOf(org, "routing.skills"))
		var once sync.Once
		b.onCommit = func(keys string) {
			if strings.Contains(keys, "environment-names/") { // its last commit
				once.Do(func() {
					require.NoError(t, a.engine.Delete(t.Context(), env.ID, ""))
					create(t, a.engine, recordOf(org, "routing.skills"))
				})
			}
		}
		require.NoError(t, b.engine.Delete(t.Context(), env.ID, ""))
		found, err := a.engine.Find(t.Context(), "Test")
		require.NoError(t, err)
		require.EqualValues(t, 2, found.ID)
		_, err = a.engine.Create(t.Context(), recordOf(org))
		require.ErrorIs(t, err, environment.ErrNameTaken)
	})
}

// A name that one process gives to a new environment and another to one that it
// renames goes to the first.
func TestNameIsGivenOnce(t *testing.T) {
	org := genesystest.New(nil)
	store := memory.New()
	a, b := start(t, org, store, "a"), start(t, org, store, "b")
	env := create(t, a.engine, recordOf(org))
	other := recordOf(org)
	other.Name, env.Name = "Other", "Other"
	var once sync.Once
	a.onCommit = func(string) { once.Do(func() { create(t, b.engine, other) }) }
	_, err := a.engine.Update(t.Context(), env, nil)
	require.ErrorIs(t, err, environment.ErrNameTaken)
	found, err := a.engine.Find(t.Context(), "Other")
	require.NoError(t, err)
	require.EqualValues(t, 2, found.ID)
}

// A limit that one process raises frees the requests that wait in another one.
func TestLimitReachesWhoWaitsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		store := memory.New()
		a, b := start(t, org, store, "a"), start(t, org, store, "b")
		r := recordOf(org, "routing.skills", "Queues")
		r.RateLimitDay, r.Polling = 3, every("0")
		env := create(t, a.engine, r)
		defer b.run(t)()
		time.Sleep(65 * time.Minute)
		require.Empty(t, b.made(), "the first pass waits for a slot")
		env.RateLimitDay, env.RateLimitMinute = 0, 250
		_, err := a.engine.Update(t.Context(), env, nil)
		require.NoError(t, err)
		time.Sleep(lease/6 + 2*time.Second) // the quota's claims take a moment
		require.Len(t, b.made(), 2)
	})
}

// Who works with a record that was changed meanwhile does not bring its limit back.
func TestLimitDoesNotGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		store := memory.New()
		r := recordOf(org, "routing.skills")
		r.RateLimitMinute = 250
		env := create(t, open(t, org, store, nil), r)
		late := &lateReads{Store: store}
		slow := open(t, org, late, nil)
		_, err := slow.Status(t.Context(), env.ID)
		require.NoError(t, err)
		late.by = time.Second
		done := make(chan environment.Status, 1)
		go func() {
			status, err := slow.Status(t.Context(), env.ID) // has read the record of before
			if err != nil {
				t.Error(err)
			}
			done <- status
		}()
		synctest.Wait()
		late.by = 0
		env.RateLimitMinute = 100
		_, err = slow.Update(t.Context(), env, nil)
		require.NoError(t, err)
		status := <-done
		require.Equal(t, 100, status.Quota.Limit.N)
		require.Equal(t, 100, status.Record.RateLimitMinute)
	})
}

// lateReads is a store whose answers about records take their time.
type lateReads struct {
	storage.Store
	by time.Duration
}

func (l *lateReads) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := l.Store.Get(ctx, key)
	if strings.HasPrefix(key, "environments/") {
		time.Sleep(l.by)
	}
	return value, err
}

// A consumer or an Observer that panics keeps nobody else from the work.
func TestPanicEndsTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		store := memory.New()
		a, b := start(t, org, store, "a"), start(t, org, store, "b")
		broken := open(t, org, store, func(o *environment.Options) {
			o.Observer = func(environment.PassEvent) { panic("observer") }
		})
		env := create(t, a.engine, recordOf(org, "routing.skills"))
		_, err := a.engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		_, err = org.Create("routing.skills", map[string]any{"name": "French"})
		require.NoError(t, err)
		require.Panics(t, func() { _, _ = broken.Poll(t.Context(), env.ID, "routing.skills") })
		require.Panics(t, func() {
			_ = a.engine.Follow(t.Context(), env.ID, "printer", func(context.Context, history.Change) error { panic("consumer") }, nil)
		})
		time.Sleep(lease + lease/4)
		status, err := b.engine.Status(t.Context(), env.ID)
		require.NoError(t, err)
		require.False(t, status.Types[0].Running)
		var got []string
		require.NoError(t, b.engine.Deliver(t.Context(), env.ID, "printer", func(_ context.Context, c history.Change) error {
			got = append(got, c.Name)
			return nil
		}))
		require.Equal(t, []string{"French"}, got)
	})
}

// An import that trims the log while another process does so is none the worse.
func TestTrimsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		store := memory.New()
		a, b := start(t, org, store, "a"), start(t, org, store, "b")
		r := recordOf(org, "routing.skills")
		r.RetentionDays = 1
		env := create(t, a.engine, r)
		_, err := a.engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		for i, p := range []*process{a, a, b} { // both know the org's time then
			require.NoError(t, org.Update("routing.skills", firstID(t, org.Objects("routing.skills")), map[string]any{"name": strconv.Itoa(i)}))
			_, err = p.engine.Poll(t.Context(), env.ID, "routing.skills")
			require.NoError(t, err)
		}
		time.Sleep(72 * time.Hour)
		stop := func() {}
		var once sync.Once
		a.onCommit = func(keys string) {
			if strings.HasPrefix(keys, "history/1/log/") { // and nothing that is recorded
				once.Do(func() {
					stop = b.run(t)
					time.Sleep(time.Second)
				})
			}
		}
		_, err = a.engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		stop()
		require.Len(t, changes(t, a.engine, env.ID, history.Query{}), 1)
	})
}

// The children of each parent that could not be read are read by the next pass,
// however many there were.
func TestChildrenOfSeveralParentsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "flows", "flows.latestconfiguration"))
		flows := slices.Sorted(maps.Keys(maps.Collect(org.Objects("flows"))))
		for _, id := range flows[len(flows)-2:] {
			org.Fail("/api/v2/flows/"+id+"/latestconfiguration", genesystest.Status(http.StatusServiceUnavailable), -1)
		}
		result, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Equal(t, len(flows)-2, result.Types[1].Objects)
		require.False(t, result.Types[1].Complete)
		org.Recover()
		results, err := engine.Poll(t.Context(), env.ID, "flows.latestconfiguration")
		require.NoError(t, err)
		require.Equal(t, len(flows), results[0].Objects)
		require.True(t, results[0].Complete)
	})
}
