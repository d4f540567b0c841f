package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// free is how many permits can be had at once. It gives them back.
func free(t *testing.T, l *Limiter) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(WithPriority(t.Context(), Interactive), time.Millisecond)
	defer cancel()
	n := 0
	for {
		p, err := l.Acquire(ctx)
		if err != nil {
			return n
		}
		defer p.Cancel()
		n++
	}
}

func TestSlotIsFreeOneWindowAfterCompletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 1}, nil)
		p := mustAcquire(t, l)
		time.Sleep(10 * time.Second)
		p.Done()
		start := time.Now()
		mustAcquire(t, l)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestOnlyTheFirstEndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 3}, nil)
		p := mustAcquire(t, l)
		p.Done()
		p.Done()
		p.Cancel()
		require.Equal(t, 2, free(t, l), "done, then cancelled")
		q := mustAcquire(t, l)
		q.Cancel()
		q.Done()
		require.Equal(t, 2, free(t, l), "cancelled, then done")
		r := mustAcquire(t, l) // in the place of q
		q.Cancel()
		require.Equal(t, 1, free(t, l), "the permit of an earlier request")
		r.Done()
		Permit{}.Done()
		Permit{}.Cancel()
		Permit{}.observe(nil, "")
		require.Equal(t, 1, free(t, l))
	})
}

func TestLostRequestIsOverAfterHoldTimeout(t *testing.T) {
	for name, ledger := range map[string]Ledger{"alone": nil, "ledger": new(memoryLedger)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustNew(t, Limits{Minute: 1}, &Options{Ledger: ledger, HoldTimeout: 30 * time.Second})
				start := time.Now()
				p := mustAcquire(t, l)
				mustAcquire(t, l)
				require.GreaterOrEqual(t, time.Since(start), 90*time.Second)
				require.Less(t, time.Since(start), 92*time.Second)
				p.Done()
				p.Cancel()
				require.Equal(t, 0, free(t, l))
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestUnlimited(t *testing.T) {
	l := mustNew(t, Limits{}, &Options{Ledger: new(memoryLedger)})
	for range 1000 {
		mustAcquire(t, l).Done()
		mustAcquire(t, l)
	}
	s := l.State()
	require.Equal(t, "unlimited: 1000 used, 1000 in flight", s.String())
	require.Equal(t, math.MaxInt, s.Free)
}

// queueUp starts n callers and waits until they wait. Each sends its name when it
// is served, and is done at once.
func queueUp(l *Limiter, p Priority, n int, served chan<- Priority) {
	for range n {
		go func() {
			permit, err := l.Acquire(WithPriority(context.Background(), p))
			if err == nil {
				served <- p
				permit.Done()
			}
		}()
	}
	synctest.Wait()
}

func TestInteractiveWaitsForOneSlotAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10000
		l := mustNew(t, Limits{Minute: 60}, nil)
		for range 60 { // so that one slot a second becomes free
			p := mustAcquire(t, l)
			time.Sleep(time.Second)
			p.Done()
		}
		served := make(chan Priority, n+100)
		queueUp(l, Background, n, served)
		for range 100 {
			start := time.Now()
			p, err := l.Acquire(WithPriority(t.Context(), Interactive))
			require.NoError(t, err)
			require.LessOrEqual(t, time.Since(start), 2*time.Second, "the slot of one background request, and its own")
			p.Done()
			time.Sleep(time.Second / 2)
		}
		require.NotEmpty(t, served)
		time.Sleep((n + 60) * time.Second)
		require.Len(t, served, n)
	})
}

func TestBackgroundGetsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 10}, nil)
		for range 10 {
			mustAcquire(t, l).Done()
		}
		served := make(chan Priority, 5000)
		queueUp(l, Background, 2000, served)
		queueUp(l, Interactive, 2000, served)
		time.Sleep(100 * time.Minute)
		synctest.Wait()
		got := 0
		for range 1000 {
			if <-served == Background {
				got++
			}
		}
		require.Equal(t, 1000/backgroundTurn, got, "of 1000 slots")
		time.Sleep(400 * time.Minute)
		require.Equal(t, 0, l.State().Waiting)
	})
}

func TestUnknownPriorityIsAnError(t *testing.T) {
	for _, p := range []Priority{2, 7, 255} {
		l := mustNew(t, Limits{Minute: 1}, nil)
		_, err := l.Acquire(WithPriority(t.Context(), p))
		require.EqualError(t, err, fmt.Sprintf("ratelimit: priority %d: want Background or Interactive", p))
		mustAcquire(t, l).Done()
		_, err = l.Acquire(WithPriority(t.Context(), p))
		require.ErrorContains(t, err, "want Background or Interactive", "without a free slot as well")
	}
}

func TestCancelledWaiterLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 1}, nil)
		mustAcquire(t, l).Done()
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 100)
		for range 100 {
			go func() {
				_, err := l.Acquire(ctx)
				errs <- err
			}()
		}
		synctest.Wait()
		served := make(chan Priority, 1)
		queueUp(l, Background, 1, served)
		start := time.Now()
		time.Sleep(time.Second)
		cancel()
		for range 100 {
			require.ErrorIs(t, <-errs, context.Canceled)
		}
		<-served
		require.Equal(t, time.Minute, time.Since(start), "the hundred and first is served by the first slot")
	})
}

// A caller may be served at the very moment its context ends. Whatever it is
// told, no slot is lost.
func TestCancelRacesWithService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 5}, nil)
		for range 200 {
			var all sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			permits := make([]Permit, 5)
			for i := range permits {
				permits[i] = mustAcquire(t, l)
			}
			for range 20 {
				all.Go(func() {
					if p, err := l.Acquire(ctx); err == nil {
						p.Cancel()
					}
				})
			}
			synctest.Wait()
			all.Go(cancel)
			for _, p := range permits {
				all.Go(p.Cancel)
			}
			all.Wait()
			require.Equal(t, 5, free(t, l))
		}
	})
}

func TestDeadlineThatCannotBeMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 2}, nil)
		mustAcquire(t, l).Done()
		time.Sleep(30 * time.Second)
		mustAcquire(t, l).Done()
		start := time.Now()
		attempt := func(timeout time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			p, err := l.Acquire(ctx)
			p.Done()
			return err
		}
		err := attempt(10 * time.Second)
		late, ok := errors.AsType[*DeadlineError](err)
		require.True(t, ok, "%v", err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, start.Add(30*time.Second), late.Free)
		require.Equal(t, start.Add(10*time.Second), late.Deadline)
		require.Zero(t, time.Since(start), "it fails at once")
		require.Equal(t, "ratelimit: limit of 2 a minute: all slots are taken, no slot before 2000-01-01T00:01:00Z, which is 20s after the deadline", err.Error())

		served := make(chan Priority, 2)
		queueUp(l, Background, 2, served) // they take the slots at 30 and 60 seconds
		late, ok = errors.AsType[*DeadlineError](attempt(80 * time.Second))
		require.True(t, ok)
		require.Equal(t, start.Add(90*time.Second), late.Free)
		require.Equal(t, 2, l.State().Waiting, "who is refused does not wait")

		require.NoError(t, attempt(91*time.Second))
		require.Equal(t, 90*time.Second, time.Since(start))
	})
}

func TestBackgroundIsSpreadOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 60}, nil)
		start := time.Now()
		var at []time.Duration
		for range 60 {
			mustAcquireBackground(t, l).Done()
			at = append(at, time.Since(start).Round(time.Millisecond))
		}
		require.Zero(t, at[5], "a tenth at once")
		require.Equal(t, time.Second, at[6])
		require.Equal(t, 54*time.Second, at[59], "the rest evenly, all of it within the window")

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := l.Acquire(ctx)
		require.ErrorContains(t, err, "no slot before")
	})
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 60}, nil)
		require.Equal(t, 60, free(t, l), "interactive work may burst")
	})
}

func TestSetLimits(t *testing.T) {
	for name, ledger := range map[string]func() Ledger{"alone": func() Ledger { return nil }, "ledger": func() Ledger { return new(memoryLedger) }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustNew(t, Limits{Minute: 10}, &Options{Ledger: ledger()})
				for range 5 {
					mustAcquire(t, l).Done()
				}
				require.ErrorContains(t, l.SetLimits(Limits{Day: -1}), "limit of -1 a day")
				require.NoError(t, l.SetLimits(Limits{Minute: 7}))
				require.Equal(t, 2, free(t, l), "lower")
				require.NoError(t, l.SetLimits(Limits{Minute: 4}))
				require.Equal(t, 0, free(t, l), "lower than what is used")
				require.NoError(t, l.SetLimits(Limits{Hour: 8}))
				require.Equal(t, 3, free(t, l), "a longer window, in which the five count")
				time.Sleep(2 * time.Minute)
				require.Equal(t, 3, free(t, l), "as long as it lasts")
				require.NoError(t, l.SetLimits(Limits{Minute: 8}))
				require.Equal(t, 8, free(t, l), "a shorter one, in which they do not")

				for range 8 {
					mustAcquire(t, l).Done()
				}
				served := make(chan Priority, 4)
				queueUp(l, Interactive, 4, served)
				require.NoError(t, l.SetLimits(Limits{Minute: 10}))
				time.Sleep(time.Second)
				require.Len(t, served, 2, "a higher limit serves those who wait")
				require.NoError(t, l.SetLimits(Limits{}))
				time.Sleep(time.Second)
				require.Len(t, served, 4, "and no limit all of them")
				time.Sleep(time.Hour)
			})
		})
	}
}

// What was in flight when the limit became lower, or when there was none, does not
// come back as more than the new limit.
func TestSetLimitsBeforeCancel(t *testing.T) {
	for name, ledger := range map[string]func() Ledger{"alone": func() Ledger { return nil }, "ledger": func() Ledger { return new(memoryLedger) }} {
		for _, before := range []Limits{{Minute: 40}, {}} {
			t.Run(fmt.Sprintf("%s, %v", name, before), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := mustNew(t, before, &Options{Ledger: ledger()})
					permits := make([]Permit, 30)
					for i := range permits {
						permits[i] = mustAcquire(t, l)
					}
					require.NoError(t, l.SetLimits(Limits{Minute: 15}))
					require.Zero(t, free(t, l)) // with a ledger, a claim says so
					for _, p := range permits[:20] {
						p.Cancel()
					}
					require.Equal(t, 5, free(t, l))
					time.Sleep(time.Hour)
				})
			})
		}
	}
}

func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 3}, nil)
		require.Equal(t, "3 a minute: 0 used, 0 in flight, 3 free", l.State().String())
		p := mustAcquire(t, l)
		require.Equal(t, "3 a minute: 1 used, 1 in flight, 2 free", l.State().String())
		p.Done()
		for range 2 {
			q, _ := l.Acquire(WithPriority(t.Context(), Interactive))
			q.Done()
		}
		served := make(chan Priority, 3)
		queueUp(l, Background, 2, served)
		queueUp(l, Interactive, 1, served)
		require.Equal(t, "3 a minute: 3 used, 0 in flight, 0 free, next at 2000-01-01T00:01:00Z; 3 wait", l.State().String())
		time.Sleep(time.Hour)
	})
}
