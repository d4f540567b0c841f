package bench

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/cxsync/cxsync/ratelimit"
)

// take waits for a request's turn and returns what to call when it is over.
type take func(context.Context) (done func(), err error)

// exactLog is the usual exact limiter: the instants at which the last N requests
// were admitted.
type exactLog struct {
	mu     sync.Mutex
	window time.Duration
	log    []time.Time
	next   int
}

func newExactLog(n int, window time.Duration) *exactLog {
	return &exactLog{window: window, log: make([]time.Time, n)}
}

func (e *exactLog) Wait(ctx context.Context) error {
	for {
		e.mu.Lock()
		now := time.Now()
		wait := e.window - now.Sub(e.log[e.next])
		if e.log[e.next].IsZero() || wait <= 0 {
			e.log[e.next] = now
			e.next = (e.next + 1) % len(e.log)
			e.mu.Unlock()
			return nil
		}
		e.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func newLimiter(tb testing.TB, n int, opts *ratelimit.Options) *ratelimit.Limiter {
	tb.Helper()
	l, err := ratelimit.New(ratelimit.Limits{Minute: n}, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func nothing() {}

// BenchmarkLimiterAcquireDone takes a slot that is free and reports the end of the
// request. Only cxsync has an end to report.
func BenchmarkLimiterAcquireDone(b *testing.B) {
	const n = 60000
	ctx := context.Background()
	interactive := ratelimit.WithPriority(ctx, ratelimit.Interactive)
	cxsync := func(ctx context.Context) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			var l *ratelimit.Limiter
			for i := 0; b.Loop(); i++ {
				if i%n == 0 { // a window's worth, log and all
					l = newLimiter(b, n, &ratelimit.Options{BackgroundBurst: n})
				}
				p, err := l.Acquire(ctx)
				if err != nil {
					b.Fatal(err)
				}
				p.Done()
			}
		}
	}
	b.Run("cxsync/interactive", cxsync(interactive))
	b.Run("cxsync/background", cxsync(ctx))
	b.Run("xtime", func(b *testing.B) {
		b.ReportAllocs()
		l := rate.NewLimiter(1e9, 1<<30)
		for b.Loop() {
			if err := l.Wait(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("uber", func(b *testing.B) {
		b.ReportAllocs()
		l := uber.New(1e9)
		for b.Loop() {
			l.Take()
		}
	})
	b.Run("exactlog", func(b *testing.B) {
		b.ReportAllocs()
		l := newExactLog(n, time.Nanosecond)
		for b.Loop() {
			if err := l.Wait(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLimiterMemory reports the heap that a limiter of 60,000 a day holds
// when all of it is used.
func BenchmarkLimiterMemory(b *testing.B) {
	const n = 60000
	ctx := context.Background()
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	fill := map[string]func() any{
		"cxsync": func() any {
			l, err := ratelimit.New(ratelimit.Limits{Day: n}, &ratelimit.Options{BackgroundBurst: -1})
			if err != nil {
				b.Fatal(err)
			}
			for range n {
				p, err := l.Acquire(ctx)
				if err != nil {
					b.Fatal(err)
				}
				p.Done()
			}
			return l
		},
		"exactlog": func() any { return newExactLog(n, 24*time.Hour) },
	}
	for name, limiter := range fill {
		b.Run(name, func(b *testing.B) {
			var used float64
			for b.Loop() {
				before := heap()
				l := limiter()
				used = heap() - before
				runtime.KeepAlive(l)
			}
			b.ReportMetric(used, "heap-B")
		})
	}
}

// TestLimiterWorstWindow has a greedy client send for half an hour of virtual time
// under a limit of 60 a minute, with a latency of 0.02 to 0.22 s each way, and counts
// what arrives in the worst rolling minute.
func TestLimiterWorstWindow(t *testing.T) {
	const n, length = 60, 30 * time.Minute
	wait := func(w interface{ Wait(context.Context) error }) take {
		return func(ctx context.Context) (func(), error) { return nothing, w.Wait(ctx) }
	}
	uberTake := func(l uber.Limiter) take {
		return func(ctx context.Context) (func(), error) {
			l.Take()
			return nothing, ctx.Err()
		}
	}
	for _, tt := range []struct {
		name string
		new  func() take
	}{
		{"cxsync", func() take {
			l := newLimiter(t, n, &ratelimit.Options{BackgroundBurst: -1})
			return func(ctx context.Context) (func(), error) {
				p, err := l.Acquire(ctx)
				return p.Done, err
			}
		}},
		{"xtime, burst N", func() take { return wait(rate.NewLimiter(n/60.0, n)) }},
		{"xtime, burst 1", func() take { return wait(rate.NewLimiter(n/60.0, 1)) }},
		{"uber", func() take { return uberTake(uber.New(n, uber.Per(time.Minute))) }},
		{"uber, no slack", func() take { return uberTake(uber.New(n, uber.Per(time.Minute), uber.WithoutSlack)) }},
		{"exact log", func() take { return wait(newExactLog(n, time.Minute)) }},
	} {
		worst, sent := 0, 0
		for seed := range uint64(5) {
			synctest.Test(t, func(t *testing.T) {
				arrivals := greedy(t, tt.new(), 2*n, length, seed)
				worst, sent = max(worst, rollingMax(arrivals, time.Minute)), sent+len(arrivals)
			})
		}
		t.Logf("%-15s worst rolling minute %3d, %4d requests in half an hour", tt.name, worst, sent/5)
		if tt.name == "cxsync" && worst > n {
			t.Errorf("cxsync: %d requests in a minute, limit is %d", worst, n)
		}
	}
}

// greedy pauses for a while in the middle, so that whoever saves up can do so.
func greedy(t *testing.T, next take, workers int, length time.Duration, seed uint64) (arrivals []time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	pause := time.Now().Add(length / 2)
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range workers {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		travel := func() { time.Sleep(20*time.Millisecond + time.Duration(rng.Int64N(int64(200*time.Millisecond)))) }
		all.Go(func() {
			for {
				if d := time.Since(pause); d > 0 && d < time.Minute {
					time.Sleep(time.Minute - d)
				}
				done, err := next(ctx)
				if err != nil {
					return
				}
				travel()
				mu.Lock()
				arrivals = append(arrivals, time.Now())
				mu.Unlock()
				travel()
				done()
			}
		})
	}
	all.Wait()
	return arrivals
}

func rollingMax(arrivals []time.Time, window time.Duration) int {
	slices.SortFunc(arrivals, time.Time.Compare)
	most, first := 0, 0
	for i, t := range arrivals {
		for t.Sub(arrivals[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
