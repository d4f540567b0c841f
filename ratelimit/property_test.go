package ratelimit

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the property tests; 0 takes one at random")
	hoursFlag = flag.Int("hours", 900, "virtual hours of the property test")
)

func newSeed(tb testing.TB) uint64 {
	tb.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	tb.Logf("-seed=%d", seed)
	return seed
}

// A world is one life of one to four processes under one limit.
type world struct {
	rng      *rand.Rand
	limits   Limits
	limit    Limit
	opts     Options
	ledger   *MemoryLedger
	latency  time.Duration
	server   observer
	inFlight sync.WaitGroup
}

func newWorld(seed uint64, window time.Duration) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), ledger: NewMemoryLedger()}
	n := 1 + w.rng.IntN(12)
	if w.rng.IntN(4) == 0 {
		n = 1 + w.rng.IntN(100)
	}
	switch window {
	case time.Minute:
		w.limits = Limits{Minute: n}
	case time.Hour:
		w.limits = Limits{Hour: n, Minute: 1}
	default:
		w.limits = Limits{Day: n, Minute: 1}
	}
	w.limit, _ = w.limits.Effective()
	w.opts = Options{
		HoldTimeout: 30 * time.Second,
		ClockError:  time.Duration(1+w.rng.IntN(1000)) * time.Millisecond,
		ClaimBlock:  w.rng.IntN(5),
	}
	w.latency = time.Duration(w.rng.Int64N(int64(10 * time.Second)))
	return w
}

// process is one life of one process: bursts of callers, until it is stopped or
// killed.
func (w *world) process(seed uint64, shared bool, life time.Duration) {
	rng := rand.New(rand.NewPCG(seed, 2))
	opts := w.opts
	var ledger *slowLedger
	if shared {
		ledger = &slowLedger{Ledger: w.ledger, rng: rand.New(rand.NewPCG(seed, 5)), latency: time.Duration(rng.Int64N(int64(time.Second)))}
		if rng.IntN(3) == 0 {
			ledger.faults = 0.05
		}
		opts.Ledger = ledger
	}
	l, err := New(w.limits, &opts)
	if err != nil {
		panic(err)
	}
	if shared {
		l.book.skew = time.Duration(rng.Int64N(int64(opts.ClockError)))
		l.book.anchor += int64(l.book.skew)
	}
	ctx, stop := context.WithTimeout(context.Background(), life)
	defer stop()
	for ctx.Err() == nil {
		for range 1 + rng.IntN(2*w.limit.N) {
			own := rand.New(rand.NewPCG(rng.Uint64(), 3))
			w.inFlight.Go(func() { w.call(ctx, l, own) })
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.Int64N(int64(w.limit.Window)))):
		}
		if rng.IntN(4) == 0 { // others still hold to the old limit
			limits := w.limits
			for _, n := range []*int{&limits.Minute, &limits.Hour, &limits.Day} {
				if *n == w.limit.N {
					*n = 1 + rng.IntN(w.limit.N)
				}
			}
			_ = l.SetLimits(limits)
		}
	}
	if shared && rng.IntN(2) == 0 {
		ledger.kill()
	} else {
		_ = l.Flush(context.Background())
	}
}

// call is one caller: some give up waiting, some never send, some never report.
func (w *world) call(ctx context.Context, l *Limiter, rng *rand.Rand) {
	fate := rng.IntN(20)
	if fate < 4 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.Int64N(int64(w.limit.Window))))
		defer cancel()
	}
	if rng.IntN(3) == 0 {
		ctx = WithPriority(ctx, Interactive)
	}
	p, err := l.Acquire(ctx)
	if err != nil {
		return
	}
	if fate == 5 {
		p.Cancel()
	} else {
		d := time.Duration(rng.Int64N(int64(w.latency) + 1))
		time.Sleep(d)
		w.server.arrive()
		time.Sleep(time.Duration(rng.Int64N(int64(w.latency) + 1)))
	}
	if fate != 6 {
		p.Done()
		p.Cancel() // one too many: it must not count
	}
}

// TestNeverOverLimit lets processes live and die in random worlds, a third of which
// have a limit per minute, hour and day each. Run it longer with -hours.
func TestNeverOverLimit(t *testing.T) {
	seed := newSeed(t)
	hours, worlds, requests := 0.0, 0, 0
	for hours < float64(*hoursFlag)/raceSlowdown {
		for _, c := range []struct{ window, length time.Duration }{
			{time.Minute, 20 * time.Minute},
			{time.Hour, 10 * time.Hour},
			{day, 10 * day},
		} {
			s := seed + uint64(worlds)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(s, c.window)
				lives(w, c.length)
				w.inFlight.Wait()
				time.Sleep(10 * time.Minute) // a limiter left alone comes to rest
				if got := w.server.rollingMax(c.window, time.Time{}); got > w.limit.N {
					t.Errorf("-seed=%d: %d requests arrived in a window, limit is %s", s, got, w.limit)
				}
				requests += len(w.server.arrivals)
			})
			hours += c.length.Hours()
			worlds++
		}
	}
	t.Logf("%d requests in %.0f virtual hours of %d worlds", requests, hours, worlds)
}

// lives runs one to four processes at a time, each of which is restarted when it
// ends. A process without a ledger is alone and lives once.
func lives(w *world, length time.Duration) {
	processes := w.rng.IntN(5)
	if processes == 0 {
		w.process(w.rng.Uint64(), false, length)
		return
	}
	end := time.Now().Add(length)
	var all sync.WaitGroup
	for range processes {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), 4))
		all.Go(func() {
			for time.Now().Before(end) {
				w.process(rng.Uint64(), true, 1+time.Duration(rng.Int64N(int64(length))))
			}
		})
	}
	all.Wait()
}

// allowed returns how many requests the completion rule allows in a time: N slots,
// each free again one window after its request is over.
func allowed(rng *rand.Rand, limit Limit, latency, length time.Duration) int {
	n := 0
	for range limit.N {
		for at := time.Duration(0); at < length; n++ {
			at += limit.Window + 2*time.Duration(rng.Int64N(int64(latency)))
		}
	}
	return n
}

func TestGreedyUsesWhatTheRuleAllows(t *testing.T) {
	tests := map[string]struct {
		limits   Limits
		windows  time.Duration // how many
		latency  time.Duration // at most, each way
		limiters int
		ledger   time.Duration // its latency at most, each way; 0: none
		priority Priority
	}{
		"quick":              {Limits{Minute: 60}, 200, 100 * time.Millisecond, 1, 0, Interactive},
		"slow":               {Limits{Minute: 20}, 200, 5 * time.Second, 1, 0, Interactive},
		"smoothed":           {Limits{Minute: 20}, 200, time.Second, 1, 0, Background},
		"ledger":             {Limits{Minute: 30}, 120, time.Second, 1, 20 * time.Millisecond, Interactive},
		"slow ledger":        {Limits{Minute: 30}, 100, time.Second, 1, 200 * time.Millisecond, Background},
		"four on one ledger": {Limits{Minute: 30}, 80, time.Second, 4, 20 * time.Millisecond, Background},
		"day":                {Limits{Day: 50}, 10, 5 * time.Second, 2, 20 * time.Millisecond, Background},
	}
	if raceSlowdown > 1 {
		t.Skip("too slow with the race detector; TestNeverOverLimit takes the same paths")
	}
	seed := newSeed(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit, err := tt.limits.Effective()
				if err != nil {
					t.Fatal(err)
				}
				w := &world{limit: limit, latency: tt.latency}
				shared := NewMemoryLedger()
				length := tt.windows * limit.Window
				ctx, cancel := context.WithTimeout(WithPriority(t.Context(), tt.priority), length)
				defer cancel()
				for i := range uint64(tt.limiters) {
					opts := &Options{}
					if tt.ledger > 0 {
						opts.Ledger = &slowLedger{Ledger: shared, latency: tt.ledger, rng: rand.New(rand.NewPCG(seed, i))}
					}
					l := mustNew(t, tt.limits, opts)
					for j := range uint64(limit.N + limit.N/2) {
						rng := rand.New(rand.NewPCG(seed, 100*i+j))
						w.inFlight.Go(func() { w.greedy(ctx, l, rng) })
					}
				}
				w.inFlight.Wait()
				time.Sleep(10 * time.Minute)
				want := allowed(rand.New(rand.NewPCG(seed, 0)), limit, tt.latency, length)
				got := len(w.server.arrivals)
				share := float64(got) / float64(want)
				t.Logf("%d of %d requests: %.2f%%", got, want, 100*share)
				if share < 0.99 {
					t.Errorf("-seed=%d: a greedy caller got %.2f%% of what is possible", seed, 100*share)
				}
				if most := w.server.rollingMax(limit.Window, time.Time{}); most > limit.N {
					t.Errorf("-seed=%d: %d requests arrived in a window, limit is %s", seed, most, limit)
				}
			})
		})
	}
}

func (w *world) greedy(ctx context.Context, l *Limiter, rng *rand.Rand) {
	for {
		p, err := l.Acquire(ctx)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(rng.Int64N(int64(w.latency))))
		w.server.arrive()
		time.Sleep(time.Duration(rng.Int64N(int64(w.latency))))
		p.Done()
	}
}
