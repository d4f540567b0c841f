package environment_test

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func every(minutes string) []poller.Entry {
	return []poller.Entry{{Type: poller.AllObjects, Cron: minutes + " * * * *"}}
}

// A record that cannot be read, as it is damaged or of a newer version, keeps no other from being
// listed, polled and followed.
func TestOneRecordHidesNoOther(t *testing.T) {
	for _, value := range []string{"", "null{", `"x"`, `{"polling":7}`, `{"id":"2"}`, "\x00\xff"} {
		synctest.Test(t, func(t *testing.T) {
			org := genesystest.New(&genesystest.Options{Counts: few(2)})
			store := memory.New()
			engine := open(t, org, store, nil)
			for i, typ := range []string{"routing.skills", "groups", "routing.languages"} {
				r := recordOf(org, typ)
				r.Name, r.Polling = "E"+strconv.Itoa(i+1), every("*/10")
				create(t, engine, r)
			}
			damage := func(key string) {
				var b storage.Batch
				b.Put(key, []byte(value))
				b.Put("environments-news", []byte(`"`+rand.Text()+`"`))
				require.NoError(t, store.Commit(t.Context(), &b))
			}
			damage("environments/0000000002")
			ctx, stop := context.WithTimeout(t.Context(), 90*time.Minute)
			defer stop()
			done := make(chan error, 2)
			followed := map[int64]bool{}
			var mu sync.Mutex
			go func() { done <- engine.Run(ctx) }()
			go func() {
				done <- engine.FollowAll(ctx, "x", func(_ context.Context, c history.Change) error {
					mu.Lock()
					defer mu.Unlock()
					followed[c.Environment] = true
					return nil
				}, nil)
			}()
			time.Sleep(30 * time.Minute)
			for _, typ := range []string{"routing.skills", "routing.languages"} {
				_, err := org.Create(typ, map[string]any{"name": "new"})
				require.NoError(t, err)
			}
			time.Sleep(30 * time.Minute)
			damage("environments/0000000001")
			org.ClearRequests()
			require.NoError(t, <-done)
			require.NoError(t, <-done)
			require.Equal(t, map[int64]bool{1: true, 3: true}, followed)
			polled := map[string]bool{}
			for _, request := range org.Requests() {
				polled[request.Type] = true
			}
			require.True(t, polled["routing.languages"] && !polled["groups"], polled)
			broken := 0
			for r, err := range engine.All(t.Context()) {
				if err != nil {
					broken++
				} else {
					require.Equal(t, "E3", r.Name)
				}
			}
			require.Equal(t, 2, broken)
		})
	}
}

// What happens to the records while Run runs takes effect at once.
func TestRunFollowsTheRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error, 1)
		go func() { done <- engine.Run(ctx) }()
		polls := func(d time.Duration) map[string]int {
			org.ClearRequests()
			time.Sleep(d)
			synctest.Wait()
			counts := map[string]int{}
			for _, request := range org.Requests() {
				counts[request.Type]++
			}
			return counts
		}
		time.Sleep(5 * time.Minute) // so that no tick is at the edge
		require.Empty(t, polls(2*time.Hour), "there is no environment")

		r := recordOf(org, "routing.skills")
		r.Polling = every("*/10")
		skills := create(t, engine, r)
		r = recordOf(org, "groups")
		r.Name, r.Polling = "Second", every("*/30")
		groups := create(t, engine, r)
		got := polls(2 * time.Hour)
		require.Equal(t, 12, got["routing.skills"])
		require.Equal(t, 4, got["groups"])

		changed, err := engine.Get(ctx, skills.ID)
		require.NoError(t, err)
		changed.Polling, changed.Types = every("0"), []string{"routing.languages"}
		_, err = engine.Update(ctx, changed, nil)
		require.NoError(t, err)
		got = polls(2 * time.Hour)
		require.Zero(t, got["routing.skills"])
		require.Equal(t, 2, got["routing.languages"])

		require.NoError(t, engine.Delete(ctx, groups.ID, ""))
		got = polls(2 * time.Hour)
		require.Zero(t, got["groups"])
		require.Equal(t, 2, got["routing.languages"])

		require.NoError(t, engine.Pause(ctx, skills.ID))
		require.Empty(t, polls(2*time.Hour))
		require.NoError(t, engine.Resume(ctx, skills.ID))
		got = polls(90 * time.Minute)
		require.GreaterOrEqual(t, got["routing.languages"], 2, "a missed run, and one on time")
		stop()
		require.NoError(t, <-done)
	})
}

// A type that is unavailable is tried again once a day, and read when it is back.
func TestUnavailableIsTriedAgainDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		org.Fail("routing.skills", genesystest.FeatureOff(), -1)
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "routing.skills")
		r.Polling = every("*/10")
		env := create(t, engine, r)
		ctx, stop := context.WithTimeout(t.Context(), 73*time.Hour)
		defer stop()
		done := make(chan error, 1)
		go func() { done <- engine.Run(ctx) }()
		time.Sleep(50 * time.Hour)
		tries := 0
		for _, request := range org.Requests() {
			if request.Type == "routing.skills" {
				tries++
			}
		}
		require.Equal(t, 3, tries, "once a day")
		status, err := engine.Status(ctx, env.ID)
		require.NoError(t, err)
		require.NotEmpty(t, status.Types[0].Unavailable)
		org.Recover()
		require.NoError(t, <-done)
		status, err = engine.Status(t.Context(), env.ID)
		require.NoError(t, err)
		require.Empty(t, status.Types[0].Unavailable)
		require.NotZero(t, status.Types[0].Objects)
	})
}

// A parent that is read on behalf of a child is a pass like any other: it is
// booked, and not read again for the next child.
func TestParentIsReadOnceForItsChildren(t *testing.T) {
	for name, faulty := range map[string]bool{"available": false, "unavailable": true} {
		t.Run(name, func(t *testing.T) {
			org := genesystest.New(nil)
			if faulty {
				org.Fail("groups", genesystest.FeatureOff(), -1)
			}
			engine := open(t, org, memory.New(), nil)
			env := create(t, engine, recordOf(org, "groups.individuals", "groups.roles"))
			results, err := engine.Poll(t.Context(), env.ID, "groups.individuals", "groups.roles")
			require.NoError(t, err)
			for _, result := range results {
				require.Equal(t, faulty, result.Unavailable != "", result.Type)
			}
			lists := 0
			for _, request := range org.Requests() {
				if request.Path == "/api/v2/groups" {
					lists++
				}
			}
			require.Equal(t, 1, lists)
			status, err := engine.Status(t.Context(), env.ID)
			require.NoError(t, err)
			require.Equal(t, "groups", status.Types[0].Type)
			require.False(t, status.Types[0].Checked.IsZero())
		})
	}
}

// A Run that dies at any commit and is started again ends where an undisturbed one does.
func TestRunKilledAtAnyCommit(t *testing.T) {
	run := func(t *testing.T, killAfter int) (feed []string, killed bool) {
		t.Helper()
		org := genesystest.New(&genesystest.Options{Counts: few(4)})
		store := &mortal{Store: memory.New(), left: -1}
		r := recordOf(org, "routing.skills", "Queues", "routing.queues.members")
		r.Polling = every("*/10")
		env := create(t, open(t, org, store, nil), r)
		store.left = killAfter
		for round := range 6 {
			engine := open(t, org, store, nil)
			ctx, stop := context.WithTimeout(t.Context(), 15*time.Minute)
			require.NoError(t, engine.Run(ctx))
			stop()
			if store.err != nil {
				killed = true
				store.revive()
				engine = open(t, org, store, nil)
				ctx, stop := context.WithTimeout(t.Context(), 15*time.Minute)
				require.NoError(t, engine.Run(ctx))
				stop()
			}
			switch round {
			case 0:
				require.NoError(t, org.Update("routing.queues", firstID(t, org.Objects("routing.queues")), map[string]any{"description": "x"}))
			case 1:
				require.NoError(t, org.Delete("routing.skills", firstID(t, org.Objects("routing.skills"))))
			case 2:
				require.NoError(t, org.Delete("routing.queues", firstID(t, org.Objects("routing.queues"))))
			}
		}
		return changes(t, open(t, org, store, nil), env.ID, history.Query{}), killed
	}
	synctest.Test(t, func(t *testing.T) {
		want, _ := run(t, -1)
		require.GreaterOrEqual(t, len(want), 4, "an update, two deletions and the members of a queue")
		for killAfter := 0; ; killAfter += 9 {
			feed, killed := run(t, killAfter)
			if !killed {
				require.Greater(t, killAfter, 20)
				return
			}
			require.ElementsMatch(t, want, feed, "killed after %d commits", killAfter)
		}
	})
}
