package poller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// epoch is when a synctest bubble begins, a Saturday.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func plan(t *testing.T, entries ...Entry) *Plan {
	t.Helper()
	p, err := NewPlan(entries, nil)
	require.NoError(t, err)
	return p
}

// memory is a State.
type memory struct {
	mu               sync.Mutex
	times            map[string]time.Time
	loadErr, saveErr error
}

func (m *memory) Load(context.Context) (map[string]time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.times), m.loadErr
}

func (m *memory) Save(ctx context.Context, name string, due time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.saveErr != nil {
		return m.saveErr
	}
	if due.Before(m.times[name]) {
		panic("the time of " + name + " went back")
	}
	if m.times == nil {
		m.times = map[string]time.Time{}
	}
	m.times[name] = due
	return nil
}

// recorder is a job that takes some time and keeps its firings.
type recorder struct {
	mu      sync.Mutex
	takes   time.Duration
	firings []Firing
}

func (r *recorder) job(ctx context.Context, f Firing) error {
	r.mu.Lock()
	f.planned = time.Time{}
	r.firings = append(r.firings, f)
	takes := r.takes
	r.mu.Unlock()
	select {
	case <-time.After(takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// all returns the firings so far.
func (r *recorder) all() []Firing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.firings)
}

func (r *recorder) take() []Firing {
	r.mu.Lock()
	defer r.mu.Unlock()
	firings := r.firings
	r.firings = nil
	return firings
}

// start runs a poller until stop is called, which waits for the end of Run.
func start(t *testing.T, p *Poller) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

func minutes(n float64) time.Duration { return time.Duration(math.Round(n*60)) * time.Second }

func after(n float64) time.Time { return epoch.Add(minutes(n)) }

func TestRunFiresAtTheTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		p := New(r.job, nil)
		p.SetPlan(plan(t, Entry{AllObjects, "*/10 * * * *"}, Entry{"b", "5 * * * *"}, Entry{"c", "off"}), []string{"a", "b", "c", "a"})
		stop := start(t, p)
		time.Sleep(minutes(21))
		stop()
		require.Equal(t, []Firing{
			{Type: "b", Due: after(5), Started: after(5)},
			{Type: "a", Due: after(10), Started: after(10)},
			{Type: "a", Due: after(20), Started: after(20)},
		}, r.take())
	})
}

func TestTicksDuringARunAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: minutes(3.6)}
		p := New(r.job, nil)
		p.SetPlan(plan(t, Entry{"a", "* * * * *"}), []string{"a"})
		stop := start(t, p)
		time.Sleep(minutes(7.5))
		status := p.Status()[0]
		require.True(t, status.Running)
		require.True(t, status.Pending)
		require.Equal(t, minutes(2.5), status.Lag, "the pending tick of minute 5 waits")
		require.Equal(t, after(4), status.LastDue)
		require.Equal(t, after(8), status.Next)
		time.Sleep(minutes(1))
		stop()
		require.Equal(t, []Firing{
			{Type: "a", Due: after(1), Started: after(1)},
			{Type: "a", Due: after(4), Started: after(4.6), Lag: minutes(2.6), Coalesced: 2},
			{Type: "a", Due: after(8), Started: after(8.2), Lag: minutes(3.2), Coalesced: 3},
		}, r.take())
	})
}

func TestConcurrencyIsBoundedAndFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		types := []string{"a", "b", "c", "d", "e"}
		var mu sync.Mutex
		turns := map[string]int{}
		running, most, lag := 0, 0, time.Duration(0)
		p := New(func(_ context.Context, f Firing) error {
			mu.Lock()
			turns[f.Type]++
			lag = max(lag, f.Lag)
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(minutes(2))
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}, &Options{Concurrency: 2})
		p.SetPlan(plan(t, Entry{AllObjects, "* * * * *"}), types)
		stop := start(t, p)
		time.Sleep(minutes(40.5))
		stop()
		require.Equal(t, 2, most)
		require.Len(t, turns, len(types))
		require.LessOrEqual(t, lag, minutes(6), "a run of its own, then at most four others before it, two at a time")
	})
}

func TestMissedRunsHappenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, r := &memory{}, &recorder{}
		entries := plan(t, Entry{"hourly", "0 * * * *"}, Entry{"daily", "0 12 * * *"})
		run := func(d time.Duration) []Firing {
			p := New(r.job, &Options{State: state})
			p.SetPlan(entries, []string{"hourly", "daily"})
			stop := start(t, p)
			time.Sleep(d)
			stop()
			return r.take()
		}
		require.Empty(t, run(minutes(30)), "nothing is missed before the first start")
		require.Equal(t, map[string]time.Time{"hourly": epoch, "daily": epoch}, state.times)

		time.Sleep(minutes(5 * 60)) // 05:30
		require.Equal(t, []Firing{
			{Type: "hourly", Due: after(5 * 60), Started: after(330), Lag: minutes(270), Coalesced: 4, Missed: true},
		}, run(minutes(10)))
		require.Empty(t, run(minutes(10)), "the missed run was made up for")

		time.Sleep(time.Until(after(12 * 60))) // just at a tick
		require.ElementsMatch(t, []Firing{
			{Type: "hourly", Due: after(720), Started: after(720), Lag: minutes(360), Coalesced: 6, Missed: true},
			{Type: "daily", Due: after(720), Started: after(720)},
		}, run(minutes(10)))
	})
}

// TestRestartWithinASpread: the tick whose planned start is still to come is not missed.
func TestRestartWithinASpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		p := New(r.job, &Options{Spread: minutes(60)})
		p.SetPlan(plan(t, Entry{"a", "0 * * * *"}), []string{"a"})
		start(t, p)()
		time.Sleep(minutes(5*60) + 1)
		stop := start(t, p)
		time.Sleep(minutes(59))
		stop()
		offset := Offset("", "a", minutes(60))
		require.Equal(t, []Firing{
			{Type: "a", Due: after(240), Started: after(300).Add(1), Lag: minutes(240) + 1 - offset, Coalesced: 3, Missed: true},
			{Type: "a", Due: after(300), Started: after(300).Add(offset)},
		}, r.take())
	})
}

// TestInterruptedRunOfAnEarlierPlanComesBack: a change of the plan settles nothing that a run has yet to do.
func TestInterruptedRunOfAnEarlierPlanComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: minutes(20)}
		p := New(r.job, &Options{State: &memory{}})
		p.SetPlan(plan(t, Entry{"a", "0 * * * *"}), []string{"a"})
		stop := start(t, p)
		time.Sleep(minutes(65))
		p.SetPlan(plan(t, Entry{"a", "*/30 * * * *"}), []string{"a"})
		time.Sleep(minutes(5))
		stop()
		r.take()
		stop = start(t, p)
		stop()
		require.Equal(t, []Firing{
			{Type: "a", Due: after(60), Started: after(70), Lag: minutes(40), Coalesced: 1, Missed: true},
		}, r.take())
	})
}

// TestNewScheduleMissesNothingBeforeIt: after a restart too, and what the earlier one had pending is not forgotten.
func TestNewScheduleMissesNothingBeforeIt(t *testing.T) {
	for _, busy := range []bool{false, true} {
		for _, anew := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r, state, isBusy := &recorder{}, &memory{}, busy
				job := func(ctx context.Context, f Firing) error {
					if isBusy {
						return &DeferredError{Until: after(300)}
					}
					return r.job(ctx, f)
				}
				p := New(job, &Options{State: state})
				p.SetPlan(plan(t, Entry{"a", "30 1 * * *"}), []string{"a"})
				stop := start(t, p)
				time.Sleep(minutes(180))
				p.SetPlan(plan(t, Entry{"a", "0 2 * * *"}), []string{"a"})
				time.Sleep(minutes(1))
				stop()
				r.take()
				isBusy = false
				if anew {
					p = New(job, &Options{State: state})
					p.SetPlan(plan(t, Entry{"a", "0 2 * * *"}), []string{"a"})
				}
				start(t, p)()
				require.Equal(t, busy, len(r.take()) == 1)
			})
		}
	}
}

// TestRareSchedulesSurviveFrequentRestarts: the first start counts, not the last.
func TestRareSchedulesSurviveFrequentRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, r := &memory{}, &recorder{}
		for range 14 {
			p := New(r.job, &Options{State: state})
			p.SetPlan(plan(t, Entry{"weekly", "30 3 * * 3"}), []string{"weekly"})
			stop := start(t, p)
			time.Sleep(time.Hour)
			stop()
			time.Sleep(23 * time.Hour)
		}
		var dues []time.Time
		for _, f := range r.take() {
			require.True(t, f.Missed)
			dues = append(dues, f.Due)
		}
		first := time.Date(2000, 1, 5, 3, 30, 0, 0, time.UTC)
		require.Equal(t, []time.Time{first, first.AddDate(0, 0, 7)}, dues)
	})
}

func TestInterruptedRunComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, r := &memory{}, &recorder{takes: minutes(10)}
		p := New(r.job, &Options{State: state, OnError: func(f Firing, err error) { t.Error(f, err) }})
		p.SetPlan(plan(t, Entry{"a", "0 * * * *"}), []string{"a"})
		stop := start(t, p)
		time.Sleep(minutes(65))
		stop() // in the middle of the run
		require.Equal(t, epoch, state.times["a"])
		require.ErrorIs(t, p.Status()[0].LastErr, context.Canceled)
		r.take()

		stop = start(t, p)
		time.Sleep(minutes(10))
		stop()
		require.Equal(t, []Firing{{Type: "a", Due: after(60), Started: after(65), Lag: minutes(5), Missed: true}}, r.take())
		require.Equal(t, after(60), state.times["a"])
	})
}

func TestRunWaitsForJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &memory{}
		p := New(func(ctx context.Context, _ Firing) error {
			<-ctx.Done()
			time.Sleep(minutes(2)) // cleans up, and succeeds
			return nil
		}, &Options{State: state})
		p.SetPlan(plan(t, Entry{"a", "* * * * *"}), []string{"a"})
		stop := start(t, p)
		time.Sleep(minutes(5))
		stop()
		require.Equal(t, after(7), time.Now().UTC())
		require.Equal(t, after(1), state.times["a"], "its success is saved after the end of the context")
		require.True(t, p.Status()[0].Next.IsZero())
		require.False(t, p.Status()[0].Pending)
	})
}

func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var types []string
		for i := range 100 {
			types = append(types, fmt.Sprintf("type%d", i))
		}
		entries := plan(t, Entry{AllObjects, "0 * * * *"}, Entry{"type7", "*/2 * * * *"})
		run := func(key string) map[string]time.Duration {
			r := &recorder{}
			p := New(r.job, &Options{Spread: minutes(10), SpreadKey: key})
			p.SetPlan(entries, types)
			stop := start(t, p)
			time.Sleep(2 * time.Hour)
			stop()
			delays := map[string]time.Duration{}
			for _, f := range r.take() {
				delay := f.Started.Sub(f.Due)
				if previous, again := delays[f.Type]; again {
					require.Equal(t, previous, delay, "stable")
				}
				require.Zero(t, f.Lag, "a planned delay is no lag")
				delays[f.Type] = delay
			}
			return delays
		}
		delays := run("one")
		require.Less(t, delays["type7"], minutes(2), "before its next tick")
		delete(delays, "type7")
		require.Len(t, delays, 99)
		var perMinute [10]int
		for name, delay := range delays {
			require.Equal(t, Offset("one", name, minutes(10)), delay)
			perMinute[delay/time.Minute]++
		}
		require.Greater(t, slices.Min(perMinute[:]), 2, "%v", perMinute)
		require.Less(t, slices.Max(perMinute[:]), 25, "%v", perMinute)
		require.NotEqual(t, delays["type1"], run("two")["type1"])
	})
}

func TestSetPlanWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: minutes(1.5)}
		p := New(r.job, nil)
		set := func(types []string, entries ...Entry) { p.SetPlan(plan(t, entries...), types) }
		stop := start(t, p)
		time.Sleep(minutes(1))

		set([]string{"a", "b"}, Entry{AllObjects, "*/10 * * * *"})
		time.Sleep(minutes(10)) // 11: both are at work
		set([]string{"a", "b"}, Entry{AllObjects, "*/10 * * * *"}, Entry{"b", "* * * * *"})
		time.Sleep(minutes(3.2)) // 14.2: b runs for minute 13, and 14 is pending
		require.True(t, p.Status()[1].Pending)
		set([]string{"a", "b"}, Entry{AllObjects, "*/10 * * * *"}, Entry{"b", "off"})
		require.False(t, p.Status()[1].Pending)
		require.True(t, p.Status()[1].Running, "a run in progress goes on")
		time.Sleep(minutes(10)) // 24.2
		set([]string{"b"}, Entry{AllObjects, "*/10 * * * *"})
		time.Sleep(minutes(10)) // 34.2
		stop()

		var got []string
		for _, f := range r.take() {
			got = append(got, fmt.Sprintf("%s %s+%d", f.Type, f.Due.Format("04"), f.Coalesced))
		}
		slices.Sort(got)
		require.Equal(t, []string{"a 10+0", "a 20+0", "b 10+0", "b 12+0", "b 13+0", "b 30+0"}, got)
	})
}

// TestSetPlanKeepsATickThatWaitsForItsSpread: a new schedule does not swallow a tick of the old one.
func TestSetPlanKeepsATickThatWaitsForItsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		p := New(r.job, &Options{Spread: minutes(60)})
		p.SetPlan(plan(t, Entry{"a", "0 1 * * *"}), []string{"a"})
		stop := start(t, p)
		time.Sleep(minutes(60) + 1)
		require.Empty(t, r.take())
		p.SetPlan(plan(t, Entry{"a", "0 2 * * *"}), []string{"a"})
		synctest.Wait()
		require.Equal(t, []Firing{{Type: "a", Due: after(60), Started: after(60).Add(1)}}, r.take())
		stop()
	})
}

func TestTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: minutes(5)}
		p := New(r.job, nil)
		require.False(t, p.Trigger("a"))
		p.SetPlan(plan(t, Entry{"a", "0 * * * *"}, Entry{AllObjects, "off"}), []string{"a", "b", "c"})
		require.True(t, p.Trigger("b"), "before Run")
		require.True(t, p.Trigger("c"))
		p.SetPlan(plan(t, Entry{"a", "0 * * * *"}, Entry{AllObjects, "off"}), []string{"a", "b"})
		time.Sleep(minutes(1))
		stop := start(t, p)
		time.Sleep(minutes(58)) // 59
		require.True(t, p.Trigger("a"))
		time.Sleep(minutes(2)) // 61: running, the tick of 60 is pending
		require.True(t, p.Trigger("a"))
		time.Sleep(minutes(10))
		stop()
		require.Equal(t, []Firing{
			{Type: "b", Due: after(0), Started: after(1), Lag: minutes(1), Triggered: true},
			{Type: "a", Due: after(59), Started: after(59), Triggered: true},
			{Type: "a", Due: after(61), Started: after(64), Lag: minutes(4), Coalesced: 1, Triggered: true},
		}, r.take())

		time.Sleep(minutes(55)) // 126
		require.True(t, p.Trigger("a"))
		stop = start(t, p)
		stop()
		require.Equal(t, []Firing{
			{Type: "a", Due: after(126), Started: after(126), Lag: minutes(6), Coalesced: 1, Missed: true, Triggered: true},
		}, r.take())
	})
}

// TestTriggerTakesATickThatWaitsForItsSpread: one run is enough for both.
func TestTriggerTakesATickThatWaitsForItsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		p := New(r.job, &Options{Spread: minutes(60)})
		p.SetPlan(plan(t, Entry{"a", "0 * * * *"}), []string{"a"})
		stop := start(t, p)
		time.Sleep(minutes(60) + 1)
		require.True(t, p.Trigger("a"))
		time.Sleep(minutes(59))
		stop()
		require.Equal(t, []Firing{
			{Type: "a", Due: after(60).Add(1), Started: after(60).Add(1), Coalesced: 1, Triggered: true},
		}, r.take())
	})
}

func TestFailuresAreContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var errs []error
		n := 0
		p := New(func(context.Context, Firing) error {
			n++
			switch n {
			case 1:
				return broken
			case 2:
				panic(broken)
			case 3:
				panic("text")
			case 4:
				runtime.Goexit()
			}
			return nil
		}, &Options{Concurrency: 1, OnError: func(_ Firing, err error) { errs = append(errs, err) }})
		p.SetPlan(plan(t, Entry{"a", "* * * * *"}, Entry{"b", "4 * * * *"}), []string{"a", "b"})
		stop := start(t, p)
		time.Sleep(minutes(4.5))
		require.Zero(t, p.Status()[1].Lag, "b is next, on another goroutine")
		require.Equal(t, after(4), p.Status()[1].LastStart)
		require.Equal(t, errs[3], p.Status()[0].LastErr)
		time.Sleep(minutes(1))
		require.NoError(t, p.Status()[0].LastErr)
		stop()
		require.Equal(t, 6, n)
		require.Len(t, errs, 4)
		require.Equal(t, broken, errs[0])
		require.ErrorIs(t, errs[1], broken)
		panicked, ok := errors.AsType[*PanicError](errs[2])
		require.True(t, ok)
		require.Equal(t, "text", panicked.Value)
		require.Contains(t, string(panicked.Stack), "TestFailuresAreContained")
		require.ErrorContains(t, errs[3], "Goexit")
	})
}

func TestStateErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("disk full")
		state, r := &memory{loadErr: broken}, &recorder{}
		var errs []error
		p := New(r.job, &Options{State: state, OnError: func(_ Firing, err error) { errs = append(errs, err) }})
		p.SetPlan(plan(t, Entry{"a", "* * * * *"}), []string{"a"})
		require.ErrorIs(t, p.Run(t.Context()), broken)

		state.loadErr, state.saveErr = nil, broken
		stop := start(t, p)
		time.Sleep(minutes(2.5))
		stop()
		require.Len(t, r.take(), 2, "runs go on")
		require.Len(t, errs, 3)
		for _, err := range errs {
			require.ErrorIs(t, err, broken)
			require.ErrorContains(t, err, "poller: save the time of a")
		}
	})
}

func TestSavedTimeInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		p := New(r.job, &Options{State: &memory{times: map[string]time.Time{"a": epoch.AddDate(9, 0, 0)}}})
		p.opts.State.(*memory).saveErr = errors.New("not now")
		p.SetPlan(plan(t, Entry{"a", "* * * * *"}), []string{"a"})
		stop := start(t, p)
		time.Sleep(minutes(1.5))
		stop()
		require.Len(t, r.take(), 1)
	})
}

func TestRunOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(func(context.Context, Firing) error { return nil }, nil)
		stop := start(t, p)
		require.ErrorContains(t, p.Run(t.Context()), "in progress")
		stop()
		stop = start(t, p)
		stop()
		require.Panics(t, func() { New(nil, nil) })
	})
}

func TestOffset(t *testing.T) {
	t.Parallel()
	require.Zero(t, Offset("k", "o", 0))
	require.Zero(t, Offset("k", "o", -1))
	require.Zero(t, Offset("k", "o", 1))
	require.NotEqual(t, Offset("ab", "c", time.Hour), Offset("a", "bc", time.Hour))
	require.Equal(t, time.Duration(1567880524380), Offset("env-1", "routing.queues", time.Hour), "must not change between releases")
	for i := range 1000 {
		d := Offset("k", strconv.Itoa(i), time.Minute)
		require.True(t, d >= 0 && d < time.Minute)
	}
}

// TestDeferredRuns: a run that a job puts off comes back at the time it asked for, with the ticks that came meanwhile, and
// settles nothing until it was done; a trigger does not wait for that time.
func TestDeferredRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &memory{}
		r := &recorder{}
		p := New(func(ctx context.Context, f Firing) error {
			err := r.job(ctx, f)
			if n := len(r.all()); n == 1 || n == 3 {
				return fmt.Errorf("busy: %w", &DeferredError{Until: time.Now().Add(10 * time.Minute)})
			}
			return err
		}, &Options{State: state, OnError: func(_ Firing, err error) { t.Error(err) }})
		p.SetPlan(plan(t, Entry{AllObjects, "*/4 * * * *"}), []string{"a"})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		saved := func() time.Time {
			times, err := state.Load(t.Context())
			require.NoError(t, err)
			return times["a"]
		}
		time.Sleep(13 * time.Minute) // ticks at 4, 8 and 12; the run of the first is put off until 14
		require.Len(t, r.all(), 1)
		require.True(t, p.Status()[0].Pending)
		require.Equal(t, epoch, saved())
		time.Sleep(2 * time.Minute)
		require.Len(t, r.all(), 2)
		second := r.all()[1]
		require.Equal(t, epoch.Add(12*time.Minute), second.Due)
		require.Equal(t, 2, second.Coalesced)
		require.Equal(t, epoch.Add(14*time.Minute), second.Started)
		require.Equal(t, 10*time.Minute, second.Lag)
		require.Equal(t, epoch.Add(12*time.Minute), saved())
		time.Sleep(2 * time.Minute) // put off at 16
		require.Len(t, r.all(), 3)
		p.Trigger("a")
		synctest.Wait()
		require.Len(t, r.all(), 4)
		require.True(t, r.all()[3].Triggered)
		stop()
		require.NoError(t, <-done)
	})
}

// TestDeferredRunOfAStoppedType: a run that was put off does not come back once its type is off or not listed.
func TestDeferredRunOfAStoppedType(t *testing.T) {
	for name, types := range map[string][]string{"off": {"a"}, "not listed": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var runs atomic.Int32
				p := New(func(context.Context, Firing) error {
					runs.Add(1)
					time.Sleep(minutes(2))
					return &DeferredError{Until: time.Now().Add(minutes(0.5))}
				}, nil)
				p.SetPlan(plan(t, Entry{"a", "0 * * * *"}), []string{"a"})
				stop := start(t, p)
				time.Sleep(minutes(61))
				p.SetPlan(plan(t, Entry{"a", "off"}), types)
				time.Sleep(minutes(30))
				require.EqualValues(t, 1, runs.Load())
				p.SetPlan(plan(t, Entry{"a", "0 * * * *"}), []string{"a"})
				time.Sleep(minutes(31.4)) // 122.4
				require.EqualValues(t, 2, runs.Load())
				time.Sleep(minutes(0.2))
				require.EqualValues(t, 3, runs.Load(), "while it is listed, a run that is put off comes back")
				stop()
			})
		})
	}
}

// TestClockSetBack: what was planned and saved by a clock that ran ahead silences nothing.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, runs := &memory{}, map[string]int{}
		p := New(func(_ context.Context, f Firing) error {
			runs[f.Type]++
			if f.Type == "busy" {
				return &DeferredError{Until: epoch.AddDate(2, 0, 0)}
			}
			return nil
		}, &Options{State: state})
		p.SetPlan(plan(t, Entry{AllObjects, "0 * * * *"}), []string{"a", "busy"})
		require.NoError(t, p.begin(nil))
		look := func(now time.Time) {
			p.tick(now, false)
			p.workers++
			p.work(t.Context())
		}
		look(epoch.AddDate(1, 0, 0))
		require.Equal(t, epoch, state.times["a"], "no time in the future is saved")
		look(after(60))
		require.Equal(t, after(120), p.Status()[0].Next)
		require.Equal(t, map[string]int{"a": 1, "busy": 2}, runs)
		look(after(120))
		look(after(119.5))
		require.Equal(t, after(180), p.Status()[0].Next, "a small step back repeats no tick")
		require.Equal(t, 2, runs["a"])
		require.Equal(t, time.Minute, p.untilNext(after(120)), "a step forth is noticed soon")
		look(epoch.AddDate(1, 0, 0))
		p.end()
		time.Sleep(minutes(90))
		require.NoError(t, p.begin(nil))
		require.True(t, p.Status()[0].Pending, "what was missed by the clock as it is now")
		p.end()
	})
}
