package environment_test

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// A feed is an org whose skills change, and its environments.
type feed struct {
	t      *testing.T
	org    *genesystest.Org
	store  storage.Store
	engine *environment.Engine
	env    environment.Record
}

func newFeed(t *testing.T) *feed {
	t.Helper()
	org := genesystest.New(&genesystest.Options{Size: 5, LogSize: 1})
	f := &feed{t: t, org: org, store: memory.New()}
	f.engine = open(t, org, f.store, nil)
	f.env = f.add("Test")
	return f
}

func (f *feed) add(name string) environment.Record {
	f.t.Helper()
	r := recordOf(f.org, "routing.skills", "Queues")
	r.Name = name
	r = create(f.t, f.engine, r)
	_, err := f.engine.Import(f.t.Context(), r.ID, nil)
	require.NoError(f.t, err)
	return r
}

// skill creates a skill, which is recorded in every environment.
func (f *feed) skill(name string) {
	f.t.Helper()
	_, err := f.org.Create("routing.skills", map[string]any{"name": name})
	require.NoError(f.t, err)
	for r, err := range f.engine.All(f.t.Context()) {
		require.NoError(f.t, err)
		_, err = f.engine.Poll(f.t.Context(), r.ID, "routing.skills")
		require.NoError(f.t, err)
	}
}

// follow follows for an hour and returns the names of what was delivered.
func (f *feed) follow(consumer string, opts *environment.FollowOptions, during func()) []string {
	f.t.Helper()
	ctx, stop := context.WithTimeout(f.t.Context(), time.Hour)
	defer stop()
	var got []string
	done := make(chan error, 1)
	go func() {
		done <- f.engine.Follow(ctx, f.env.ID, consumer, func(_ context.Context, c history.Change) error {
			got = append(got, c.Name)
			return nil
		}, opts)
	}()
	synctest.Wait()
	if during != nil {
		during()
	}
	require.NoError(f.t, <-done)
	return got
}

// A new consumer begins where it is told, an old one where it was; it gets what it
// asked for, and its place moves past the rest.
func TestFollowBeginsAndSelects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t)
		f.skill("one")
		later := func() { f.skill("two") }
		require.Equal(t, []string{"two"}, f.follow("from now", &environment.FollowOptions{FromNow: true}, later))
		require.Equal(t, []string{"one", "two"}, f.follow("from the oldest", nil, nil))
		require.Equal(t, []string{"three"}, f.follow("from now", &environment.FollowOptions{FromNow: true}, func() { f.skill("three") }))

		queue := firstID(t, f.org.Objects("routing.queues"))
		require.NoError(t, f.org.Update("routing.queues", queue, map[string]any{"description": "x"}))
		require.NoError(t, f.org.Delete("routing.skills", firstID(t, f.org.Objects("routing.skills"))))
		_, err := f.engine.Poll(t.Context(), f.env.ID)
		require.NoError(t, err)
		for name, test := range map[string]struct {
			opts environment.FollowOptions
			n    int
		}{
			"type":  {environment.FollowOptions{Types: []string{"Queues"}}, 1},
			"kind":  {environment.FollowOptions{Kinds: []history.Kind{history.KindCreated}}, 3},
			"shape": {environment.FollowOptions{Kinds: []history.Kind{history.KindShape}}, 0},
			"field": {environment.FollowOptions{Field: "description"}, 1},
			"none":  {environment.FollowOptions{Field: "nothing"}, 0},
			"both":  {environment.FollowOptions{Types: []string{"routing.skills"}, Kinds: []history.Kind{history.KindDeleted, history.KindUpdated}}, 1},
		} {
			require.Len(t, f.follow(name, &test.opts, nil), test.n, name)
			require.Empty(t, f.follow(name, nil, nil), "%s: its place is behind what it did not select", name)
		}
		for says, opts := range map[string]environment.FollowOptions{
			`"Queus" is no`:                  {Types: []string{"Queus"}},
			`"renamed" is no kind of change`: {Kinds: []history.Kind{"renamed"}},
			`did you mean members.name?`:     {Field: "members[0].name"},
			`negative; 0 ends at the`:        {Retry: -1},
			`is shorter than the first, 1h`:  {Retry: time.Hour, RetryMax: time.Minute},
		} {
			require.ErrorContains(t, f.engine.Follow(t.Context(), f.env.ID, "x", nil, &opts), says)
			require.ErrorContains(t, f.engine.FollowAll(t.Context(), "x", nil, &opts), says)
		}
	})
}

// What a consumer fails with is the error of the delivery, also where it looks like one of ours, and
// the next process need not wait.
func TestFollowEndsWithTheErrorOfTheConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t)
		f.skill("one")
		other := open(t, f.org, f.store, nil)
		for i, broken := range []error{
			errors.New("broken"), context.DeadlineExceeded, context.Canceled, environment.ErrNotFound, environment.ErrDenied,
			history.ErrUnknown, &storage.LockedError{Name: "x"}, storage.ErrConflict, storage.ErrClosed,
		} {
			broken = fmt.Errorf("asking elsewhere: %w", broken)
			consumer := func(context.Context, history.Change) error { return broken }
			for way, follow := range map[string]func(context.Context, string) error{
				"Deliver": func(ctx context.Context, name string) error { return f.engine.Deliver(ctx, f.env.ID, name, consumer) },
				"Follow": func(ctx context.Context, name string) error {
					return f.engine.Follow(ctx, f.env.ID, name, consumer, nil)
				},
				"FollowAll": func(ctx context.Context, name string) error { return f.engine.FollowAll(ctx, name, consumer, nil) },
			} {
				name := way + strconv.Itoa(i)
				ctx, stop := context.WithTimeout(t.Context(), time.Hour)
				began := time.Now()
				require.Equal(t, broken, follow(ctx, name), name)
				require.ErrorIs(t, other.Deliver(ctx, f.env.ID, name, func(context.Context, history.Change) error { return errors.ErrUnsupported }), errors.ErrUnsupported)
				require.Less(t, time.Since(began), time.Second, name)
				stop()
			}
		}
	})
}

// A consumer of a type that was never read waits for its first pass, and one of several gets the
// changes of those that were. Of an environment that is created later FollowAll leaves nothing out.
func TestFollowBeforeTheFirstPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t)
		poll := func(e *environment.Engine, id int64, typeName string) {
			t.Helper()
			_, err := e.Poll(t.Context(), id, typeName)
			require.NoError(t, err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		got := make(chan string, 10)
		done := make(chan error, 3)
		for name, o := range map[string]environment.FollowOptions{
			"one":  {Types: []string{"ACD languages"}},
			"some": {Types: []string{"ACD languages", "routing.skills"}},
			"new":  {FromNow: true},
		} {
			go func() {
				done <- f.engine.FollowAll(ctx, name, func(_ context.Context, c history.Change) error {
					if c.Environment == 2 {
						got <- name + " " + c.Name
					}
					return nil
				}, &o)
			}()
		}
		time.Sleep(time.Minute)
		other := open(t, f.org, f.store, nil) // whose record the engine notices some seconds later
		r := recordOf(f.org, "routing.skills", "ACD languages")
		r.Name = "Second"
		r = create(t, other, r)
		edit := func(name string) {
			t.Helper()
			poll(other, r.ID, "routing.skills")
			_, err := f.org.Create("routing.skills", map[string]any{"name": name})
			require.NoError(t, err)
			poll(other, r.ID, "routing.skills")
		}
		edit("first")
		time.Sleep(time.Minute)
		poll(other, r.ID, "ACD languages")
		_, err := f.org.Create("routing.languages", map[string]any{"name": "Latin"})
		require.NoError(t, err)
		poll(other, r.ID, "ACD languages")
		for range 3 {
			require.NoError(t, <-done)
		}
		close(got)
		all := slices.Sorted(func(yield func(string) bool) {
			for line := range got {
				if !yield(line) {
					return
				}
			}
		})
		require.Equal(t, []string{"new Latin", "new first", "one Latin", "some Latin", "some first"}, all)
	})
}

// A consumer of some types that is new reads nothing of the others, as one that has a place: what is damaged there does
// not end it. The first change of the log counts as any other.
func TestFollowReadsItsTypesOnly(t *testing.T) {
	f := newFeed(t)
	r := recordOf(f.org, "routing.skills", "ACD languages", "routing.wrapupcodes")
	r.Name = "Second"
	r = create(t, f.engine, r)
	types := []string{"routing.skills", "routing.languages", "routing.wrapupcodes"}
	for _, typ := range types { // nothing is imported, so that the log begins with changes
		for id := range f.org.Objects(typ) {
			require.NoError(t, f.org.Delete(typ, id))
		}
	}
	_, err := f.engine.Poll(t.Context(), r.ID, types...)
	require.NoError(t, err)
	for _, typ := range types {
		_, err := f.org.Create(typ, map[string]any{"name": "New " + typ})
		require.NoError(t, err)
		_, err = f.engine.Poll(t.Context(), r.ID, typ)
		require.NoError(t, err)
	}
	frames := []string{}
	for key := range contents(t, f.store) {
		if strings.HasPrefix(key, "history/2/log/") {
			frames = append(frames, key)
		}
	}
	slices.Sort(frames)
	require.Len(t, frames, 3)
	var b storage.Batch
	b.Put(frames[1], []byte("damaged"))
	require.NoError(t, f.store.Commit(t.Context(), &b))
	for consumer, want := range map[string][]string{"routing.skills": {"New routing.skills"}, "routing.wrapupcodes": {"New routing.wrapupcodes"}} {
		ctx, stop := context.WithCancel(t.Context())
		var got []string
		require.NoError(t, f.engine.Follow(ctx, r.ID, consumer, func(_ context.Context, c history.Change) error {
			got = append(got, c.Name)
			stop()
			return nil
		}, &environment.FollowOptions{Types: []string{consumer}}))
		require.Equal(t, want, got)
	}
}

// A consumer that fails gets the same change again, after pauses that grow, and no other before it.
func TestFollowTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t)
		f.skill("one")
		f.skill("two")
		broken := errors.New("out of order")
		var got []string
		var times []time.Time
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		failing := func(_ context.Context, c history.Change) error {
			times = append(times, time.Now())
			if len(times) < 8 {
				return broken
			}
			got = append(got, c.Name)
			return nil
		}
		require.ErrorIs(t, f.engine.Follow(ctx, f.env.ID, "ends", failing, nil), broken)
		times = nil
		require.NoError(t, f.engine.Follow(ctx, f.env.ID, "insists", failing, &environment.FollowOptions{Retry: time.Second, RetryMax: 10 * time.Second}))
		require.Equal(t, []string{"one", "two"}, got)
		var pauses []time.Duration
		for i := 1; i < 8; i++ {
			pauses = append(pauses, times[i].Sub(times[i-1])/time.Second)
		}
		require.Equal(t, []time.Duration{1, 2, 4, 8, 10, 10, 10}, pauses)
	})
}

// One call follows every environment, those to come as well, each in order.
func TestFollowAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t)
		second := f.add("Second")
		var mu sync.Mutex
		got := map[string][]string{}
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Hour)
		defer stop()
		done := make(chan error, 1)
		go func() {
			done <- f.engine.FollowAll(ctx, "all", func(_ context.Context, c history.Change) error {
				mu.Lock()
				defer mu.Unlock()
				id := strconv.FormatInt(c.Environment, 10)
				got[id] = append(got[id], c.Name)
				return nil
			}, nil)
		}()
		f.skill("one")
		time.Sleep(time.Minute)
		f.add("Third")
		f.skill("two")
		time.Sleep(time.Minute)
		require.NoError(t, f.engine.Delete(ctx, second.ID, ""))
		f.skill("three")
		require.NoError(t, <-done)
		require.Equal(t, map[string][]string{"1": {"one", "two", "three"}, "2": {"one", "two"}, "3": {"two", "three"}}, got)

		broken := errors.New("out of order")
		err := f.engine.FollowAll(t.Context(), "broken", func(context.Context, history.Change) error { return broken }, nil)
		require.ErrorIs(t, err, broken)
	})
}

// A consumer's place is shown, moved and forgotten, but not under somebody's hands.
func TestConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t)
		f.skill("one")
		require.Equal(t, []string{"one"}, f.follow("a", nil, nil))
		f.skill("two")
		time.Sleep(time.Hour)
		f.skill("three")
		consumers, err := f.engine.Consumers(t.Context(), f.env.ID)
		require.NoError(t, err)
		require.Len(t, consumers, 1)
		require.Equal(t, "a", consumers[0].Name)
		require.Positive(t, consumers[0].Behind)
		require.InDelta(t, time.Hour, consumers[0].Lag, float64(time.Minute))
		require.Empty(t, consumers[0].Holder)

		require.Equal(t, []string{"two", "three"}, f.follow("a", nil, func() {
			time.Sleep(time.Minute)
			consumers, err := f.engine.Consumers(t.Context(), f.env.ID)
			require.NoError(t, err)
			require.Zero(t, consumers[0].Behind)
			require.NotEmpty(t, consumers[0].Holder)
			require.ErrorIs(t, f.engine.ResetConsumer(t.Context(), f.env.ID, "a", 0), storage.ErrLocked)
			require.ErrorIs(t, f.engine.DeleteConsumer(t.Context(), f.env.ID, "a"), storage.ErrLocked)
		}))
		for _, beyond := range []uint64{1000, math.MaxUint64} {
			require.ErrorContains(t, f.engine.ResetConsumer(t.Context(), f.env.ID, "a", beyond), "the last is ")
		}
		require.NoError(t, f.engine.ResetConsumer(t.Context(), f.env.ID, "a", consumers[0].Seq))
		require.Equal(t, []string{"two", "three"}, f.follow("a", nil, nil))
		require.NoError(t, f.engine.DeleteConsumer(t.Context(), f.env.ID, "a"))
		require.ErrorIs(t, f.engine.DeleteConsumer(t.Context(), f.env.ID, "a"), environment.ErrNoConsumer)
		consumers, err = f.engine.Consumers(t.Context(), f.env.ID)
		require.NoError(t, err)
		require.Empty(t, consumers)
		require.Equal(t, []string{"one", "two", "three"}, f.follow("a", nil, nil))
	})
}
