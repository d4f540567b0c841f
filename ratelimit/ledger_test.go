package ratelimit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

func newTestRand() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

// tell makes a limiter hear the server's time.
func tell(l *Limiter) {
	l.ObserveDate(new(observer).answer(), time.Now())
}

// A process that flushes loses nothing, one that is killed what it had written ahead.
// What was used before is not there again in either case, until a window has passed by
// the server's time; the machine's own clock is worth nothing.
func TestBudgetSurvivesRestart(t *testing.T) {
	const n, used = 100, 40
	for name, tt := range map[string]struct {
		kill bool
		lost int // at most
	}{"flushed": {false, 0}, "killed": {true, n / 20 * 3}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := new(memoryLedger)
				ledger := newSlowLedger(shared, newTestRand(), 5*time.Millisecond)
				l := mustNew(t, Limits{Day: n}, &Options{Ledger: ledger})
				for i := range used {
					mustAcquire(t, l).Done()
					if i == used/2 {
						tell(l)
						time.Sleep(6 * time.Hour)
					}
				}
				if tt.kill {
					ledger.kill()
				} else {
					require.NoError(t, l.Flush(t.Context()))
				}
				freeNow := func(isTold bool) int {
					next := mustNew(t, Limits{Day: n}, &Options{Ledger: shared})
					next.share.skew = 1000 * time.Hour
					if isTold {
						tell(next)
					}
					defer func() { require.NoError(t, next.Flush(t.Context())) }()
					return free(t, next)
				}
				got := freeNow(false)
				require.LessOrEqual(t, got, n-used)
				require.GreaterOrEqual(t, got, n-used-tt.lost)

				time.Sleep(19*time.Hour + 5*time.Minute)
				require.LessOrEqual(t, freeNow(false), n-used, "before the server has told its time")
				got = freeNow(true)
				require.LessOrEqual(t, got, n-used/2+1)
				require.GreaterOrEqual(t, got, n-used/2-tt.lost-1, "the first half is back")
				time.Sleep(7 * time.Hour)
				require.Equal(t, n, freeNow(true))
				time.Sleep(time.Hour)
			})
		})
	}
}

// Without the server's time what others had is free when it has been watched for long
// enough.
func TestWhatADeadProcessHadIsFreeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := new(memoryLedger)
		ledger := newSlowLedger(shared, newTestRand(), time.Millisecond)
		dead := mustNew(t, Limits{Minute: 10}, &Options{Ledger: ledger, HoldTimeout: time.Minute})
		for range 4 {
			mustAcquire(t, dead).Done()
		}
		_ = mustAcquire(t, dead) // in flight
		ledger.kill()
		l := mustNew(t, Limits{Minute: 10}, &Options{Ledger: shared, HoldTimeout: time.Minute})
		require.Less(t, free(t, l), 6)
		time.Sleep(time.Minute)
		require.Less(t, free(t, l), 10, "it may have started requests for a minute, which take up to another")
		time.Sleep(2*time.Minute + time.Second)
		require.Equal(t, 10, free(t, l))
		time.Sleep(time.Hour)
	})
}

func TestAnIdleLimiterGivesBackWhatItDoesNotUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := new(memoryLedger)
		a := mustNew(t, Limits{Minute: 60}, &Options{Ledger: newSlowLedger(shared, newTestRand(), time.Millisecond)})
		b := mustNew(t, Limits{Minute: 60}, &Options{Ledger: shared})
		for range 30 {
			mustAcquire(t, a).Done()
		}
		require.Less(t, free(t, b), 30, "some are written ahead")
		time.Sleep(7 * time.Second)
		require.Equal(t, 30, free(t, b))
		s := b.State()
		require.Equal(t, 30, s.Used)
		require.Equal(t, 30, s.Free)
		require.NoError(t, b.Flush(t.Context()))
		time.Sleep(time.Minute)
		tell(b)
		require.Equal(t, 60, free(t, b))
		require.NoError(t, b.Flush(t.Context()))
		r := read(t, shared)
		require.Empty(t, r.Holders, "nothing is left of anyone")
		time.Sleep(time.Hour)
	})
}

func read(tb testing.TB, m *memoryLedger) *record {
	tb.Helper()
	content, err := m.Load(context.Background())
	require.NoError(tb, err)
	r, err := readRecord(content, 0)
	require.NoError(tb, err)
	require.NotContains(tb, string(content), "unreadable")
	return r
}

func TestDeadlineWithLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Hour: 3}, &Options{Ledger: new(memoryLedger)})
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
		ledger := newSlowLedger(new(memoryLedger), newTestRand(), 5*time.Millisecond)
		l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger})
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
		shared := new(memoryLedger)
		ledger := &lateFailure{Ledger: shared}
		l := mustNew(t, Limits{Hour: n}, &Options{Ledger: ledger})
		sent := 0
		for i := range 12 { // either the renewal fails late, or the report, or none
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
		time.Sleep(time.Hour)
	})
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

// Content that makes no sense may stand for anything, so all slots are taken until
// whatever it was is over. Then the ledger is as good as new.
func TestUnreadableLedgerHeals(t *testing.T) {
	for name, content := range map[string]string{
		"no JSON": `version`, "negative": `{"version":3,"holders":{"x":{"share":-5}}}`, "huge": `{"version":3,"holders":{"x":{"share":5,"term":99999999999999999}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger := &memoryLedger{content: []byte(content)}
				l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger})
				require.Equal(t, 0, free(t, l))
				time.Sleep(grantTerm + 5*time.Minute)
				require.Equal(t, 0, free(t, l))
				time.Sleep(2 * time.Minute)
				require.Equal(t, 5, free(t, l))
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestLedgerOfALaterVersionIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const content = `{"version":4,"slots":"elsewhere"}`
		ledger := &memoryLedger{content: []byte(content)}
		l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger})
		_, err := l.Acquire(t.Context())
		require.EqualError(t, err, "ratelimit: ledger: content has version 4: want 3, the only one this program knows")
		require.Equal(t, content, string(ledger.content))
		require.Equal(t, 5, l.State().Limit.N)
		time.Sleep(time.Hour)
	})
}

// A renewal that is on its way when the limit changes gives nothing.
func TestRenewalsOfAnEarlierLimitGiveNothing(t *testing.T) {
	for name, limits := range map[string]Limits{"a little lower": {Minute: 39}, "much lower": {Minute: 1}, "longer": {Hour: 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const latency = 10 * time.Millisecond
				rng := newTestRand()
				ledger := newSlowLedger(new(memoryLedger), rng, time.Second)
				l := mustNew(t, Limits{Minute: 40}, &Options{Ledger: ledger})
				limit, err := limits.Effective()
				require.NoError(t, err)
				const before = 10 * time.Minute
				ctx, cancel := context.WithTimeout(t.Context(), before+max(time.Hour, 3*limit.Window))
				defer cancel()
				ctx = WithPriority(ctx, Interactive) // nothing else holds them back
				var server observer
				var all sync.WaitGroup
				for i := range uint64(60) {
					all.Go(func() { greedy(ctx, l, &server, latency, rand.New(rand.NewPCG(i, 0))) })
				}
				time.Sleep(before)
				for !isGranting(l) { // so that the renewal is one that would give more
					time.Sleep(time.Millisecond)
				}
				require.NoError(t, l.SetLimits(limits))
				since := time.Now().Add(2 * latency)
				all.Wait()
				require.LessOrEqual(t, server.rollingMax(limit.Window, since), limit.N)
				require.LessOrEqual(t, server.rollingMax(time.Minute, time.Time{}), 40)
				time.Sleep(time.Hour)
			})
		})
	}
}

// isGranting reports whether a renewal is on its way to the ledger that gives more than there is.
func isGranting(l *Limiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.share.busy != nil && l.share.drafted.upTo > l.share.grant.upTo
}

// Limiters that hold to different limits for a while exceed the highest of them
// in no window, and the new one in none that begins when all have it.
func TestLimitsChangeOneByOne(t *testing.T) {
	seed := newSeed(t)
	for name, limits := range map[string][2]Limits{
		"lower":  {{Minute: 40}, {Minute: 15}},
		"higher": {{Minute: 15}, {Minute: 40}},
		"longer": {{Minute: 40}, {Hour: 60}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const latency = 100 * time.Millisecond
				rng := rand.New(rand.NewPCG(seed, 2))
				shared := new(memoryLedger)
				length := 15*time.Minute + 10*time.Minute // the last of them changes after a quarter of an hour
				if limits[1].Hour > 0 {
					length = 90 * time.Minute
				}
				ctx, cancel := context.WithTimeout(t.Context(), length)
				defer cancel()
				var server observer
				var all sync.WaitGroup
				var limiters []*Limiter
				for i := range 3 {
					l := mustNew(t, limits[0], &Options{Ledger: newSlowLedger(shared, rng, latency)})
					limiters = append(limiters, l)
					for range 30 {
						own := rand.New(rand.NewPCG(rng.Uint64(), 0))
						all.Go(func() { greedy(WithPriority(ctx, Priority(i%2)), l, &server, latency, own) })
					}
				}
				for _, l := range limiters {
					time.Sleep(5 * time.Minute)
					require.NoError(t, l.SetLimits(limits[1]))
				}
				since := time.Now().Add(2 * latency)
				all.Wait()
				limit := limiters[0].State().Limit
				require.LessOrEqual(t, server.rollingMax(time.Minute, time.Time{}), max(40, limit.N), "-seed=%d", seed)
				require.LessOrEqual(t, server.rollingMax(limit.Window, since), limit.N, "-seed=%d", seed)
				require.Greater(t, server.rollingMax(limit.Window, since), limit.N*9/10, "-seed=%d", seed)
				time.Sleep(time.Hour)
			})
		})
	}
}

// A limit that is lifted while a renewal is on its way ends no process, whatever
// becomes of the renewal, and leaves a ledger that can be read.
func TestLimitIsLiftedDuringARenewal(t *testing.T) {
	for _, faults := range []float64{0, 1} {
		t.Run(fmt.Sprintf("faults=%v", faults), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := new(memoryLedger)
				other := mustNew(t, Limits{Minute: 5}, &Options{Ledger: shared})
				for range 5 {
					mustAcquire(t, other)
				}
				ledger := newSlowLedger(shared, newTestRand(), time.Second)
				ledger.faults = faults
				l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger})
				go func() { _, _ = l.Acquire(t.Context()) }()
				waitForRenewal(l, true)
				require.NoError(t, l.SetLimits(Limits{}))
				time.Sleep(time.Minute)
				read(t, shared)
				require.Equal(t, math.MaxInt, l.State().Free)
				time.Sleep(time.Hour)
			})
		})
	}
}

// waitForRenewal waits until a renewal is on its way, or none is.
func waitForRenewal(l *Limiter, isBusy bool) {
	for {
		l.mu.Lock()
		ok := (l.share.busy != nil) == isBusy
		l.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// After the machine has slept, others may take it for dead. A clock that is set forth
// looks the same, and costs a look at the ledger.
func TestNothingStartsAfterSleepWithoutALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newSlowLedger(new(memoryLedger), newTestRand(), 10*time.Millisecond)
		l := mustNew(t, Limits{Minute: 40}, &Options{Ledger: ledger})
		for range 10 {
			mustAcquire(t, l).Done()
		}
		tell(l)
		l.mu.Lock()
		require.Positive(t, l.share.startsLeft(l.tick()))
		l.share.skew = -time.Hour
		require.Positive(t, l.share.startsLeft(l.tick()), "a clock that is set back is no sleep")
		l.share.skew += 2 * time.Second
		require.Zero(t, l.share.startsLeft(l.tick()))
		require.False(t, l.share.clock.isKnown)
		l.mu.Unlock()
		mustAcquire(t, l).Done()
		time.Sleep(time.Hour)
	})
}

// Processes that begin and end all day leave a record of bounded size, in which
// nothing is forgotten.
func TestManyProcessesInADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		shared := new(memoryLedger)
		used := 0
		for range 300 {
			l := mustNew(t, Limits{Day: n}, &Options{Ledger: shared})
			for range 3 {
				mustAcquire(t, l).Done()
				tell(l)
				used++
			}
			require.NoError(t, l.Flush(t.Context()))
			time.Sleep(2 * time.Minute)
		}
		content, _ := shared.Load(t.Context())
		t.Logf("%d holders, %d bytes", len(read(t, shared).Holders), len(content))
		require.Less(t, len(content), 20_000)
		l := mustNew(t, Limits{Day: n}, &Options{Ledger: shared})
		require.Equal(t, n-used, free(t, l))
		require.NoError(t, l.Flush(t.Context()))
		time.Sleep(24 * time.Hour)
		last := mustNew(t, Limits{Day: n}, &Options{Ledger: shared})
		tell(last)
		require.GreaterOrEqual(t, free(t, last), n-3)
		time.Sleep(time.Hour)
	})
}

// Sixteen processes on one ledger write little.
func TestLedgerTraffic(t *testing.T) {
	for _, processes := range []int{1, 4, 16} {
		t.Run(strconv.Itoa(processes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const length = 5 * time.Minute
				rng := newTestRand()
				shared := new(memoryLedger)
				ctx, cancel := context.WithTimeout(t.Context(), length)
				defer cancel()
				var server observer
				var all sync.WaitGroup
				var ledgers []*slowLedger
				for range processes {
					ledger := newSlowLedger(shared, rng, 10*time.Millisecond)
					ledgers = append(ledgers, ledger)
					l := mustNew(t, Limits{Minute: 300}, &Options{Ledger: ledger})
					for range 30 {
						own := rand.New(rand.NewPCG(rng.Uint64(), 0))
						all.Go(func() { greedy(ctx, l, &server, 300*time.Millisecond, own) })
					}
				}
				all.Wait()
				var swaps, loads, most int64
				for _, l := range ledgers {
					swaps, loads, most = swaps+l.swaps.Load(), loads+l.loads.Load(), max(most, l.swaps.Load())
				}
				content, _ := shared.Load(t.Context())
				t.Logf("%d requests, %d writes, %d reads, %.2f writes a second of the busiest process, %d bytes",
					server.count(), swaps, loads, float64(most)/length.Seconds(), len(content))
				require.Less(t, float64(most)/length.Seconds(), 1.0)
				require.Greater(t, server.count(), 5*300*9/10)
				time.Sleep(time.Hour)
			})
		})
	}
}

// A forgetful ledger loses a part of what was written, and so takes away one of the
// rules that the limit rests on.
type forgetful struct {
	*memoryLedger
	forget func(*holder)
}

func (f *forgetful) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	var r record
	if err := json.Unmarshal(next, &r); err != nil {
		return false, err
	}
	for _, h := range r.Holders {
		f.forget(h)
	}
	next, err := json.Marshal(&r)
	if err != nil {
		return false, err
	}
	return f.memoryLedger.Swap(ctx, prev, next)
}

// Without any one of the rules, TestNeverOverLimit finds a window that holds too many.
func TestNeverOverLimitNeedsEachRule(t *testing.T) {
	const rare = "the dead may have requests in flight"
	for name, forget := range map[string]func(*holder){
		"slots that cool are somebody's": func(h *holder) { h.Done = nil },
		"for a whole window": func(h *holder) {
			for i := range h.Done {
				h.Done[i].Age += int64(30 * time.Second)
			}
		},
		"what may start is written first":    func(h *holder) { h.Open = 0 },
		rare:                                 func(h *holder) { h.Term = 0 },
		"the server's time is not too early": func(h *holder) { h.At = max(0, h.At-int64(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == rare && *hoursFlag < 1000 {
				t.Skip("takes many worlds: run it with -hours 1000")
			}
			for seed := range uint64(100) {
				for _, window := range []time.Duration{time.Minute, time.Hour} {
					most, _, _ := runWorld(t, seed, window, &forgetful{new(memoryLedger), forget})
					if most.got > most.limit.N {
						t.Logf("%d requests in a window of %s, seed %d", most.got, most.limit, seed)
						return
					}
				}
			}
			t.Error("nothing shows that the rule is missing")
		})
	}
}

// Whatever a ledger holds, no renewal goes beyond the limit by what can be read of
// it, what is written can be read, and nothing lasts for ever.
func FuzzLedger(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `null`, `[]`, `{"version":3}`, `{"version":3,"holders":{"a":null}}`,
		`{"version":3,"rev":7,"holders":{"a":{"rev":7,"share":5,"open":3,"term":360000000000,"done":[{"age":0,"n":1},{"age":5000000000,"n":2}],"want":3}}}`,
		`{"version":3,"rev":7,"holders":{"a":{"rev":7,"at":946684800000000000,"share":5,"open":9223372036854775807}}}`,
		`{"version":3,"rev":9223372036854775807,"holders":{"a":{"share":1,"done":[{"n":1}]}}}`,
		`{"version":3,"rev":1,"holders":{"a":{"share":9,"done":[{"age":86400000000000,"n":9}]},"unreadable":{"share":3,"open":3,"term":1}}}`,
	} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, content []byte, callers uint8) {
		defer bounded.Start(t)()
		synctest.Test(t, func(t *testing.T) {
			const n = 10
			shared := &memoryLedger{content: content}
			if len(content) == 0 {
				shared.content = nil
			}
			others := 0
			r, err := readRecord(shared.content, 1)
			if err != nil {
				return
			}
			for _, h := range r.Holders {
				used, _ := h.slots(int64(time.Minute))
				others = min(n, others+used)
			}
			l := mustNew(t, Limits{Minute: n}, &Options{Ledger: shared})
			for range 1 + callers%15 { // at least one: how long others are silent counts from the first look at them
				go func() {
					if p, err := l.Acquire(WithPriority(t.Context(), Interactive)); err == nil {
						p.Done()
					}
				}()
			}
			time.Sleep(time.Second)
			inFlight := l.State().InFlight
			l.mu.Lock()
			cooling := l.cooling.n
			l.mu.Unlock()
			require.LessOrEqual(t, inFlight+cooling, n-others)
			time.Sleep(2*day + 2*maxHold)
			require.Equal(t, n, free(t, l), "nothing lasts for ever")
			read(t, shared)
			time.Sleep(time.Hour)
		})
	})
}

// The Date of an answer bounds the server's time, and a cached answer says nothing.
func TestServerClock(t *testing.T) {
	const s = int64(time.Second)
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	header := http.Header{"Date": {at.Format(http.TimeFormat)}}
	var c serverClock
	require.Zero(t, c.latest(0))
	c.hear(header, 10*s, 13*s)
	c.hear(http.Header{"Date": {"yesterday"}}, 20*s, 20*s)
	c.hear(http.Header{"Date": header["Date"], "Age": {"60"}}, 20*s, 20*s)
	written := c.latest(13 * s)
	require.InDelta(t, at.UnixNano()+5*s, written, 0, "3 on the way, 1 of the Date, 1 between servers")
	require.Zero(t, c.since(written, 18*s))
	require.InDelta(t, 54*s, c.since(written, 73*s), 0)
	require.Zero(t, c.since(0, 73*s), "unknown when it was written")
}

// What processes that live for a moment have used is free again one window later, however many of them
// come in between: nobody makes it younger.
func TestNothingGetsYoungerInALedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hours, perHour := 325, 36, 10
		if *hoursFlag >= 1000 {
			n, perHour = 2*n, 2*perHour
		}
		shared := new(memoryLedger)
		for range hours * perHour {
			l := mustNew(t, Limits{Day: n}, &Options{Ledger: shared})
			tell(l)
			start := time.Now()
			mustAcquire(t, l).Done()
			require.Less(t, time.Since(start), time.Second)
			require.NoError(t, l.Flush(t.Context()))
			time.Sleep(time.Hour / time.Duration(perHour))
		}
		l := mustNew(t, Limits{Day: n}, &Options{Ledger: shared})
		tell(l)
		require.InDelta(t, n-24*perHour, free(t, l), 1.5*float64(perHour), "an hour and a half of requests are rounded up")
		time.Sleep(time.Hour)
	})
}
