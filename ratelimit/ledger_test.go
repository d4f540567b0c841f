package ratelimit

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func newSlowLedger(l Ledger) *slowLedger {
	return &slowLedger{Ledger: l, rng: rand.New(rand.NewPCG(1, 1)), latency: 5 * time.Millisecond}
}

func TestMemoryLedger(t *testing.T) {
	ctx := t.Context()
	m := NewMemoryLedger()
	swap := func(prev, next []byte) bool {
		ok, err := m.Swap(ctx, prev, next)
		require.NoError(t, err)
		return ok
	}
	require.False(t, swap([]byte{}, []byte("a")), "empty is not nothing")
	require.True(t, swap(nil, []byte("a")))
	require.False(t, swap(nil, []byte("b")))
	require.True(t, swap([]byte("a"), []byte("b")))
	content, err := m.Load(ctx)
	require.NoError(t, err)
	require.Equal(t, "b", string(content))

	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.Load(ended)
	require.ErrorIs(t, err, context.Canceled)
	_, err = m.Swap(ended, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// A process that flushes loses nothing, one that is killed at most a block. What
// was used before is not there again in either case.
func TestBudgetSurvivesRestart(t *testing.T) {
	const n, used, block = 100, 40, 7
	for name, tt := range map[string]struct {
		kill bool
		lost int // at most
	}{"flushed": {false, 0}, "killed": {true, block}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := NewMemoryLedger()
				ledger := newSlowLedger(shared)
				l := mustNew(t, Limits{Day: n}, &Options{Ledger: ledger, ClaimBlock: block, BackgroundBurst: -1})
				for range used {
					mustAcquire(t, l).Done()
				}
				if tt.kill {
					ledger.kill()
				} else {
					require.NoError(t, l.Flush(t.Context()))
				}
				next := mustNew(t, Limits{Day: n}, &Options{Ledger: shared})
				got := free(t, next)
				require.LessOrEqual(t, got, n-used)
				require.GreaterOrEqual(t, got, n-used-tt.lost)
				require.NoError(t, next.Flush(t.Context()))

				time.Sleep(24*time.Hour + lease + 5*time.Minute + 10*time.Minute)
				require.Equal(t, n, free(t, next), "a day later, all of it is back")
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestAnIdleLimiterGivesItsClaimsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewMemoryLedger()
		a := mustNew(t, Limits{Minute: 60}, &Options{Ledger: newSlowLedger(shared), BackgroundBurst: -1})
		b := mustNew(t, Limits{Minute: 60}, &Options{Ledger: shared})
		for range 30 {
			mustAcquire(t, a).Done()
		}
		require.Less(t, free(t, b), 30, "some are claimed ahead")
		time.Sleep(5 * time.Second)
		require.Equal(t, 30, free(t, b))
		s := b.State()
		require.Equal(t, 30, s.Used)
		require.Equal(t, 30, s.Free)
	})
}

func TestDeadlineWithLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Hour: 3}, &Options{Ledger: NewMemoryLedger(), BackgroundBurst: -1})
		for range 3 {
			mustAcquire(t, l).Done()
		}
		require.NoError(t, l.Flush(t.Context()))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := l.Acquire(ctx)
		require.ErrorContains(t, err, "limit of 3 an hour: all slots are taken, no slot before 2000-01-01T01:00")
		require.Zero(t, time.Since(start))
		require.Equal(t, 0, l.State().Free)
		require.InDelta(t, time.Hour, l.State().NextFree.Sub(start), float64(10*time.Second))
	})
}

func TestLedgerThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newSlowLedger(NewMemoryLedger())
		l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger, BackgroundBurst: -1})
		ledger.setFaults(1)
		_, err := l.Acquire(t.Context())
		require.ErrorIs(t, err, errLedgerDown)
		require.EqualError(t, err, "ratelimit: ledger: the ledger is down")
		ledger.setFaults(0)
		time.Sleep(10 * time.Second)
		mustAcquire(t, l).Done()
		ledger.setFaults(1)
		require.ErrorIs(t, l.Flush(t.Context()), errLedgerDown)
		ledger.setFaults(0)
		require.NoError(t, l.Flush(t.Context()))
		time.Sleep(time.Hour)
	})
}

// A write that succeeded although it reported an error counts once.
func TestWriteOfUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		shared := NewMemoryLedger()
		ledger := &lateFailure{Ledger: shared}
		l := mustNew(t, Limits{Hour: n}, &Options{Ledger: ledger, BackgroundBurst: -1})
		sent := 0
		for i := range 12 { // either the claim fails late, or the report, or none
			ledger.fail.Store(i%3 == 0)
			p, err := l.Acquire(t.Context())
			ledger.fail.Store(i%3 == 1)
			if err == nil {
				sent++
				p.Done()
			}
			time.Sleep(3 * time.Second)
		}
		ledger.fail.Store(false)
		require.Positive(t, sent)
		require.NoError(t, l.Flush(t.Context()))
		require.Equal(t, n-sent, free(t, mustNew(t, Limits{Hour: n}, &Options{Ledger: shared})))
	})
}

// A write that reported an error may be carried out later, when the limiter has
// looked at the ledger again and claimed the same slots anew. One of the two fails,
// and the limiter knows which.
func TestWriteThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10
		shared := NewMemoryLedger()
		ledger := newSlowLedger(&straggler{Ledger: shared})
		l := mustNew(t, Limits{Minute: n}, &Options{Ledger: ledger, BackgroundBurst: -1, ClaimBlock: 1})
		w := &world{latency: 300 * time.Millisecond}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for j := range uint64(2 * n) {
			rng := rand.New(rand.NewPCG(j, 0))
			w.inFlight.Go(func() {
				for ctx.Err() == nil {
					w.greedy(ctx, l, rng) // until the ledger fails
					time.Sleep(time.Duration(rng.Int64N(int64(time.Second))))
				}
			})
		}
		w.inFlight.Wait()
		require.LessOrEqual(t, w.server.rollingMax(time.Minute, time.Time{}), n)
		require.Greater(t, len(w.server.arrivals), 50*n)
		time.Sleep(time.Hour)
	})
}

// A straggler reports an error for one write in eight and carries it out as soon
// as the content has been loaded again.
type straggler struct {
	Ledger
	mu     sync.Mutex
	writes int
	late   func()
}

func (s *straggler) Load(ctx context.Context) ([]byte, error) {
	content, err := s.Ledger.Load(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.late != nil {
		s.late()
		s.late = nil
	}
	return content, err
}

func (s *straggler) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writes++; s.writes%8 == 0 {
		s.late = func() { _, _ = s.Ledger.Swap(context.Background(), prev, next) }
		return false, errLedgerDown
	}
	return s.Ledger.Swap(ctx, prev, next)
}

type lateFailure struct {
	Ledger
	fail atomic.Bool
}

func (f *lateFailure) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	ok, err := f.Ledger.Swap(ctx, prev, next)
	if f.fail.Load() {
		return false, errLedgerDown
	}
	return ok, err
}

// Content that cannot be read may stand for anything, so all slots are taken until
// whatever it was is over. Then the ledger has healed.
func TestUnreadableLedgerHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := &MemoryLedger{content: []byte(`{"version":1,"holders":{"x":{"held":-5}}}`)}
		l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger})
		require.Equal(t, 0, free(t, l))
		time.Sleep(lease + 5*time.Minute)
		require.Equal(t, 0, free(t, l))
		time.Sleep(2 * time.Minute)
		require.Equal(t, 5, free(t, l))
		time.Sleep(time.Hour)
	})
}

func TestLedgerOfALaterVersionIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const content = `{"version":2,"slots":"elsewhere"}`
		ledger := &MemoryLedger{content: []byte(content)}
		l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger})
		_, err := l.Acquire(t.Context())
		require.EqualError(t, err, "ratelimit: ledger: content has version 2: want 1, the only one this program knows")
		require.Equal(t, content, string(ledger.content))
		require.Equal(t, 5, l.State().Limit.N)
	})
}

// When the content is deleted, slots claimed before are worth nothing: others may
// have claimed them since.
func TestDeletedLedgerTakesClaimsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewMemoryLedger()
		opts := &Options{Ledger: newSlowLedger(shared), BackgroundBurst: -1}
		l := mustNew(t, Limits{Minute: 40}, opts)
		inFlight := mustAcquire(t, l)
		for range 10 {
			mustAcquire(t, l).Done()
		}
		time.Sleep(50 * time.Millisecond)
		shared.mu.Lock()
		shared.content = nil
		shared.mu.Unlock()
		other := mustNew(t, Limits{Minute: 40}, opts)
		for range 40 {
			mustAcquire(t, other).Done()
		}
		l.mu.Lock()
		require.Positive(t, l.book.stock.len(), "some are claimed ahead")
		l.book.told, l.book.hasRead = -1, false // any claim that looks finds out
		l.startClaim(l.tick())
		l.mu.Unlock()
		time.Sleep(50 * time.Millisecond)
		inFlight.Cancel()
		l.mu.Lock()
		require.Zero(t, l.book.stock.len())
		l.mu.Unlock()
		time.Sleep(time.Hour)
	})
}

// A claim that is on its way when the limit changes is a claim for nothing, and
// what it had claimed of cooling slots still cools.
func TestClaimsOfAnEarlierLimitAreVoid(t *testing.T) {
	for name, limits := range map[string]Limits{"a little lower": {Minute: 39}, "much lower": {Minute: 1}, "longer": {Hour: 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := newSlowLedger(NewMemoryLedger())
				ledger.latency = time.Second
				l := mustNew(t, Limits{Minute: 40}, &Options{Ledger: ledger, BackgroundBurst: -1, ClaimBlock: 12})
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Hour)
				defer cancel()
				w := &world{latency: 10 * time.Millisecond}
				for i := range uint64(60) {
					w.inFlight.Go(func() { w.greedy(ctx, l, rand.New(rand.NewPCG(i, 0))) })
				}
				time.Sleep(10 * time.Minute)
				for claiming := false; !claiming; time.Sleep(10 * time.Millisecond) {
					l.mu.Lock()
					claiming = l.book.busy != nil && l.book.ahead > 5
					l.mu.Unlock()
				}
				require.NoError(t, l.SetLimits(limits))
				since := time.Now().Add(2 * w.latency)
				w.inFlight.Wait()
				limit := l.State().Limit
				require.LessOrEqual(t, w.server.rollingMax(limit.Window, since), limit.N)
				require.LessOrEqual(t, w.server.rollingMax(time.Minute, time.Time{}), 40)
				time.Sleep(time.Hour)
			})
		})
	}
}

// A limit that is lifted while a claim is on its way ends no process, whatever
// becomes of the claim, and leaves a ledger that can be read.
func TestLimitIsLiftedDuringAClaim(t *testing.T) {
	for name, tt := range map[string]struct {
		faults float64
		late   bool // the claim before seemed to fail
	}{"in vain": {}, "failed": {faults: 1}, "drafted anew": {late: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := NewMemoryLedger()
				other := mustNew(t, Limits{Minute: 5}, &Options{Ledger: shared, BackgroundBurst: -1})
				for range 4 {
					mustAcquire(t, other)
				}
				late := &lateFailure{Ledger: shared}
				ledger := newSlowLedger(late)
				ledger.latency, ledger.faults = time.Second, tt.faults
				l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger, BackgroundBurst: -1})
				if tt.late {
					p := mustAcquire(t, l)
					late.fail.Store(true)
					p.Done() // is reported, but the limiter does not know it
					waitForClaim(l, true)
					waitForClaim(l, false)
					late.fail.Store(false)
				} else {
					mustAcquire(t, other)
				}
				go func() { _, _ = l.Acquire(t.Context()) }()
				waitForClaim(l, true)
				require.NoError(t, l.SetLimits(Limits{}))
				time.Sleep(time.Minute)
				content, err := shared.Load(t.Context())
				require.NoError(t, err)
				require.NotNil(t, decodeAccount(content), "%s", content)
				require.Equal(t, math.MaxInt, l.State().Free)
				time.Sleep(time.Hour)
			})
		})
	}
}

// waitForClaim waits until a claim is on its way, or none is.
func waitForClaim(l *Limiter, isBusy bool) {
	for {
		l.mu.Lock()
		ok := (l.book.busy != nil) == isBusy
		l.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// After the machine has slept, the slots claimed before may be others' by now,
// and so may those of requests in flight.
func TestClaimsDoNotOutliveALeapOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewMemoryLedger()
		l := mustNew(t, Limits{Minute: 40}, &Options{Ledger: newSlowLedger(shared), BackgroundBurst: -1, HoldTimeout: time.Second})
		for range 10 {
			mustAcquire(t, l).Done()
		}
		time.Sleep(50 * time.Millisecond)
		inFlight := mustAcquire(t, l)
		l.mu.Lock()
		require.Positive(t, l.book.stock.len(), "some are claimed ahead")
		l.book.skew = time.Hour // as the others see it
		l.tick()
		require.Zero(t, l.book.stock.len())
		l.book.lease = never // as if a claim had been made since
		l.mu.Unlock()
		inFlight.Cancel()
		l.mu.Lock()
		require.Zero(t, l.book.stock.len())
		l.mu.Unlock()
		time.Sleep(time.Hour)
	})
}

// A clock that is set forth again and again, each time by less than ClockError,
// ends no window early.
func TestClockIsSetForthInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		l := mustNew(t, Limits{Minute: n}, &Options{Ledger: NewMemoryLedger(), BackgroundBurst: -1, ClockError: time.Second})
		w := &world{latency: time.Millisecond}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		for i := range uint64(n + n/2) {
			w.inFlight.Go(func() { w.greedy(ctx, l, rand.New(rand.NewPCG(i, 0))) })
		}
		for range 10 {
			time.Sleep(70 * time.Second)
			l.mu.Lock()
			l.book.skew += 900 * time.Millisecond
			l.mu.Unlock()
		}
		w.inFlight.Wait()
		require.LessOrEqual(t, w.server.rollingMax(time.Minute, time.Time{}), n)
		time.Sleep(time.Hour)
	})
}

// Whatever a ledger holds, no claim goes beyond the limit by what can be read of
// it, nothing that counts is lost by rewriting it, and it heals.
func FuzzLedger(f *testing.F) {
	const now = 1_700_000_000_000
	for _, s := range []string{
		``, `{}`, `null`, `[]`, `{"version":1}`, `{"version":1,"holders":{"a":null}}`,
		`{"version":1,"holders":{"a":{"seq":1,"held":3,"until":1700000060000,"window":60000,"done":[[1699999990000,2],[1700000000000,1]]}}}`,
		`{"version":1,"holders":{"me":{"seq":1,"held":3,"until":1700000060000,"window":86400000,"done":[[1699999990000,99]]}}}`,
		`{"version":1,"holders":{"a":{"held":9223372036854775807,"window":1}}}`,
		`{"version":1,"holders":{"a":{"held":1,"until":9223372036854775807,"window":60000,"done":[[9223372036854775807,1]]}}}`,
		`{"version":1,"holders":{"a":{"window":60000,"done":[[1,2,3],[]]}}}`,
		`{"version":1,"turn":35,"holders":{"a":{"window":60000,"waiting":3,"word":1700000009000},"me":{"window":60000,"waiting":9,"word":1}}}`,
		`{"version":1,"turn":-7,"holders":{"a":{"window":60000,"done":[[1699999941000,5]],"waiting":1099511627776,"word":9223372036854775807}}}`,
	} {
		f.Add([]byte(s), int64(3), int64(2))
	}
	f.Fuzz(func(t *testing.T, content []byte, want, ahead int64) {
		if want < 0 || ahead < 0 || want > 1000 || ahead > 1000 {
			t.Skip("no caller asks for that many")
		}
		const limit = 10
		c := &claim{id: "me", seq: 7, now: now, term: 360_000, limit: limit, window: 60_000, margin: 500, reach: 15_000, near: 1000, word: 20_000, every: 10, want: want, urgent: want / 2, ahead: ahead, held: 1, spent: []int64{now - 10}}
		a, err := readAccount(content, c)
		if err != nil {
			return
		}
		must := used(a, c) + c.held + int64(len(c.spent)) // what counts after it, at least
		if own := a.Holders[c.id]; own != nil {
			must -= own.Held // only the limiter knows what it holds
		}
		v := a.apply(c)
		got := int64(len(v.from))
		require.LessOrEqual(t, got, min(want+ahead, limit))
		for _, from := range v.from {
			require.GreaterOrEqual(t, from, c.now)
		}
		after := used(a, c)
		require.GreaterOrEqual(t, after, must)
		require.LessOrEqual(t, after, max(limit, must))

		next, err := json.Marshal(a)
		require.NoError(t, err)
		again, err := readAccount(next, c)
		require.NoError(t, err)
		require.False(t, again.healed, "what is written can be read: %s", next)
		require.Equal(t, after, used(again, c))

		late := *c
		late.now, late.held, late.spent, late.want, late.urgent, late.ahead = now+2*(late.term+day.Milliseconds()), 0, nil, limit, 0, 0
		require.Len(t, again.apply(&late).from, limit, "nothing lasts for ever: %s", next)
	})
}

func used(a *account, c *claim) int64 {
	own := *c
	var v verdict
	_, n := a.tally(&own, &v)
	return n
}
