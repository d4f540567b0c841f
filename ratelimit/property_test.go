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
	hoursFlag = flag.Int("hours", 140, "virtual hours of TestNeverOverLimit")
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

// A world is one life of one to six processes under one limit.
type world struct {
	rng      *rand.Rand
	limits   Limits
	limit    Limit
	ledger   Ledger
	latency  time.Duration // of a request at most, there and back
	hasDate  bool          // the server tells its time
	server   observer
	inFlight sync.WaitGroup
}

const worldHold = 45 * time.Second // of all limiters: more than a request can take, a stop included

func newWorld(seed uint64, window time.Duration, ledger Ledger) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), ledger: ledger}
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
	w.latency = time.Duration(w.rng.Int64N(int64(10 * time.Second)))
	w.hasDate = w.rng.IntN(4) > 0
	return w
}

// A process is one life of one process of a world.
type process struct {
	*world
	*Limiter
	rng    *rand.Rand
	ledger *slowLedger // nil: none

	mu      sync.Mutex
	stopped time.Time // until then it does nothing
}

// live makes bursts of callers, until the process is stopped or killed.
func (w *world) live(seed uint64, shared bool, life time.Duration) {
	p := &process{world: w, rng: rand.New(rand.NewPCG(seed, 2))}
	opts := &Options{HoldTimeout: worldHold}
	if shared {
		p.ledger = newSlowLedger(w.ledger, p.rng, time.Duration(1+p.rng.Int64N(int64(time.Second))))
		switch p.rng.IntN(6) {
		case 0, 1:
			p.ledger.faults = 0.05
		case 2:
			p.ledger.latency = 5 * time.Second
		}
		opts.Ledger = p.ledger
	}
	l, err := New(w.limits, opts)
	if err != nil {
		panic(err)
	}
	p.Limiter = l
	ctx, stop := context.WithTimeout(context.Background(), life)
	defer stop()
	for ctx.Err() == nil {
		for range 1 + p.rng.IntN(2*w.limit.N) {
			own := rand.New(rand.NewPCG(p.rng.Uint64(), 3))
			w.inFlight.Go(func() { p.call(ctx, own) })
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(p.rng.Int64N(int64(w.limit.Window)))):
		}
		p.disturb()
	}
	if shared && p.rng.IntN(2) == 0 {
		p.ledger.kill()
	} else {
		_ = l.Flush(context.Background())
	}
}

// disturb changes limits, sets the wall clock, or stops the process for a while.
func (p *process) disturb() {
	switch p.rng.IntN(6) {
	case 0: // others still hold to the old limit
		limits := p.limits
		for _, n := range []*int{&limits.Minute, &limits.Hour, &limits.Day} {
			if *n == p.world.limit.N {
				*n = 1 + p.rng.IntN(p.world.limit.N)
			}
		}
		_ = p.SetLimits(limits)
	case 1:
		if p.ledger != nil {
			leaps := []time.Duration{time.Millisecond, time.Second, time.Minute, 24 * time.Hour}
			p.Limiter.mu.Lock()
			p.share.skew += time.Duration((p.rng.Float64()*2 - 1) * float64(leaps[p.rng.IntN(len(leaps))]))
			p.Limiter.mu.Unlock()
		}
	case 2:
		p.mu.Lock()
		if time.Since(p.stopped) > time.Minute {
			p.stopped = time.Now().Add(time.Duration(p.rng.Int64N(int64(20 * time.Second))))
		}
		p.mu.Unlock()
	}
}

// pause waits while the process is stopped.
func (p *process) pause() {
	p.mu.Lock()
	d := time.Until(p.stopped)
	p.mu.Unlock()
	time.Sleep(d)
}

// call is one caller: some give up waiting, some never send, some never report.
func (p *process) call(ctx context.Context, rng *rand.Rand) {
	fate := rng.IntN(20)
	if fate < 4 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.Int64N(int64(p.world.limit.Window))))
		defer cancel()
	}
	if rng.IntN(3) == 0 {
		ctx = WithPriority(ctx, Interactive)
	}
	permit, err := p.Acquire(ctx)
	if err != nil {
		return
	}
	p.pause()
	if fate == 5 {
		permit.Cancel()
	} else {
		time.Sleep(time.Duration(rng.Int64N(int64(p.latency) + 1)))
		p.world.server.arrive()
		answer := p.world.server.answer()
		time.Sleep(time.Duration(rng.Int64N(int64(p.latency) + 1)))
		if p.hasDate {
			permit.observe(answer, "")
		}
	}
	if fate != 6 {
		permit.Done()
		permit.Cancel() // one too many: it must not count
	}
}

// TestNeverOverLimit lets processes live and die in random worlds. One of seven has a limit per day:
// it takes as much time as the six others, which have one per minute or hour. Run it longer with -hours.
func TestNeverOverLimit(t *testing.T) {
	seed := newSeed(t)
	hours, worlds, requests := 0.0, 0, 0
	for hours < float64(*hoursFlag)/raceSlowdown {
		for _, window := range []time.Duration{time.Minute, time.Minute, time.Minute, time.Minute, time.Hour, time.Hour, day} {
			s := seed + uint64(worlds)
			most, n, length := runWorld(t, s, window, new(memoryLedger))
			if most.got > most.limit.N {
				t.Errorf("-seed=%d: %d requests arrived in a window, limit is %s", s, most.got, most.limit)
			}
			requests += n
			hours += length.Hours()
			worlds++
		}
	}
	t.Logf("%d requests in %.0f virtual hours of %d worlds", requests, hours, worlds)
}

type worst struct {
	got   int
	limit Limit
}

// runWorld runs a world for some windows, and returns the most requests in one.
func runWorld(t *testing.T, seed uint64, window time.Duration, ledger Ledger) (most worst, requests int, length time.Duration) {
	t.Helper()
	length = map[time.Duration]time.Duration{time.Minute: 20 * time.Minute, time.Hour: 10 * time.Hour, day: 5 * day}[window]
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed, window, ledger)
		w.lives(length)
		w.inFlight.Wait()
		time.Sleep(10 * time.Minute) // a limiter left alone comes to rest
		most = worst{w.server.rollingMax(window, time.Time{}), w.limit}
		requests = len(w.server.arrivals)
	})
	return most, requests, length
}

// lives runs one to six processes at a time, each of which is restarted when it
// ends. A process without a ledger is alone and lives once.
func (w *world) lives(length time.Duration) {
	processes := w.rng.IntN(7)
	if processes == 0 {
		w.live(w.rng.Uint64(), false, length)
		return
	}
	end := time.Now().Add(length)
	var all sync.WaitGroup
	for range processes {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), 4))
		all.Go(func() {
			for time.Now().Before(end) {
				w.live(rng.Uint64(), true, 1+time.Duration(rng.Int64N(int64(length)/2)))
			}
		})
	}
	all.Wait()
}
