package main

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/cxsync/cxsync/ratelimit"
)

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

var (
	timeRate  = named("x/time/rate", "golang.org/x/time")
	uberLimit = named("uber/ratelimit", "go.uber.org/ratelimit")
)

func limiterRows(r *run) ([]row, error) {
	ctx := context.Background()
	rows, err := r.timed("limiter, a free slot: acquire and done",
		contender{"cxsync", acquireDone(ratelimit.WithPriority(ctx, ratelimit.Interactive))},
		contender{timeRate, waitLoop(rate.NewLimiter(1e9, 1<<30))},
		contender{uberLimit, func(b *testing.B) {
			b.Helper()
			l := uber.New(1e9)
			for b.Loop() {
				l.Take()
			}
		}},
		contender{"exact log", waitLoop(newExactLog(windowful, time.Nanosecond))},
	)
	if err != nil {
		return nil, err
	}
	memory, err := memoryRow()
	return append(rows, memory), err
}

const windowful = 60_000

// acquireDone takes a slot that is free and reports the end of the request.
// Only cxsync has an end to report.
func acquireDone(ctx context.Context) func(*testing.B) {
	return func(b *testing.B) {
		b.Helper()
		var l *ratelimit.Limiter
		for i := 0; b.Loop(); i++ {
			if i%windowful == 0 { // a window's worth, log and all
				var err error
				if l, err = ratelimit.New(ratelimit.Limits{Minute: windowful}, nil); err != nil {
					b.Fatal(err)
				}
			}
			p, err := l.Acquire(ctx)
			if err != nil {
				b.Fatal(err)
			}
			p.Done()
		}
	}
}

type waiter interface{ Wait(context.Context) error }

func waitLoop(w waiter) func(*testing.B) {
	return func(b *testing.B) {
		b.Helper()
		for b.Loop() {
			if err := w.Wait(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// memoryRow compares what limiters of 60,000 a day hold when all of it is used.
func memoryRow() (row, error) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	l, err := ratelimit.New(ratelimit.Limits{Day: windowful}, nil)
	if err != nil {
		return row{}, err
	}
	for range windowful {
		p, err := l.Acquire(ratelimit.WithPriority(context.Background(), ratelimit.Interactive))
		if err != nil {
			return row{}, err
		}
		p.Done()
	}
	ours := heap() - before
	if l.State().Free != 0 {
		return row{}, errors.New("a limiter has slots that were used")
	}
	before = heap()
	e := newExactLog(windowful, 24*time.Hour)
	theirs := heap() - before
	runtime.KeepAlive(l)
	runtime.KeepAlive(e)
	return row{what: "limiter, memory of 60,000 requests a day", ours: figure{ours, "B"}, peer: "exact log", theirs: figure{theirs, "B"}}, nil
}
