package ratelimit

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A countingLedger counts what reaches the ledger, and calls onSwap after a write.
type countingLedger struct {
	Ledger
	mu     sync.Mutex
	loads  int
	swaps  int
	onSwap func()
}

func (c *countingLedger) Load(ctx context.Context) ([]byte, error) {
	c.mu.Lock()
	c.loads++
	c.mu.Unlock()
	return c.Ledger.Load(ctx)
}

func (c *countingLedger) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	ok, err := c.Ledger.Swap(ctx, prev, next)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.swaps++
	if ok && c.onSwap != nil {
		c.onSwap()
	}
	return ok, err
}

func (c *countingLedger) watch(onSwap func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onSwap = onSwap
}

// asked returns how many times the ledger was asked.
func (c *countingLedger) asked() (swaps, loads int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.swaps, c.loads
}

// A peer is one of several processes that share a ledger.
type peer struct {
	*Limiter
	ledger *countingLedger // its view of the one they share
	sent   [2]observer     // requests, by priority
}

func newPeer(tb testing.TB, limits Limits, shared Ledger, latency time.Duration, rng *rand.Rand) *peer {
	tb.Helper()
	if latency > 0 {
		shared = &slowLedger{Ledger: shared, rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), latency: latency}
	}
	p := &peer{ledger: &countingLedger{Ledger: shared}}
	p.Limiter = mustNew(tb, limits, &Options{Ledger: p.ledger, BackgroundBurst: -1})
	return p
}

// pace spreads the background of a process as it is by default.
func (p *peer) pace() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opts.BackgroundBurst = 0
	p.setLimit(p.limit)
}

// loop sends requests of a priority one after the other, as many at a time as
// there are callers.
func (p *peer) loop(ctx context.Context, all *sync.WaitGroup, pr Priority, callers int, rng *rand.Rand) {
	for range callers {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		all.Go(func() {
			for {
				permit, err := p.Acquire(WithPriority(ctx, pr))
				if errors.Is(err, errLedgerDown) {
					time.Sleep(time.Second)
					continue
				}
				if err != nil {
					return
				}
				p.sent[pr].arrive()
				time.Sleep(time.Duration(own.Int64N(int64(300 * time.Millisecond))))
				permit.Done()
			}
		})
	}
}

// claimed is how many slots the ledger holds for a process that it may still use.
func (p *peer) claimed(tb testing.TB, shared *MemoryLedger) int {
	tb.Helper()
	h := holdingOf(tb, shared, p)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int(h.Held) - p.flights.count
	if h.Seq == p.book.accepted { // else it is on its way back, and has reported them
		n -= len(p.book.spent)
	}
	return max(0, n)
}

func holdingOf(tb testing.TB, shared *MemoryLedger, p *peer) holding {
	tb.Helper()
	content, err := shared.Load(context.Background())
	require.NoError(tb, err)
	a := decodeAccount(content)
	require.NotNil(tb, a)
	if h := a.Holders[p.book.id]; h != nil {
		return *h
	}
	return holding{}
}

func count(peers []*peer, of Priority) (n int) {
	for _, p := range peers {
		o := &p.sent[of]
		o.mu.Lock()
		n += len(o.arrivals)
		o.mu.Unlock()
	}
	return n
}

// fill uses up a quota evenly, so that slots become free one by one.
func fill(t *testing.T, p *peer) {
	t.Helper()
	for range p.limit.N {
		mustAcquire(t, p.Limiter).Done()
		time.Sleep(p.limit.Window / time.Duration(p.limit.N))
	}
}

// Callers of one process, six at a time, wait while three others want all there is for the
// background, and one of these wants much for its own callers as well. From the
// first claim made for all of them on, others send no more background requests before the
// last of them than they have claimed by then, and their share.
func TestInteractiveGoesFirstAcrossProcesses(t *testing.T) {
	seed := newSeed(t)
	for name, tt := range map[string]struct {
		limits  Limits
		latency time.Duration // of the ledger
		crowd   int           // interactive callers of another process
		faults  float64       // of the ledger as the others see it
	}{
		"minute":            {Limits{Minute: 120}, 0, 0, 0},
		"minute, slow":      {Limits{Minute: 120}, 50 * time.Millisecond, 0, 0},
		"minute, crowd":     {Limits{Minute: 60}, 20 * time.Millisecond, 8, 0},
		"few a minute":      {Limits{Minute: 12}, 200 * time.Millisecond, 0, 0},
		"hour":              {Limits{Hour: 120}, 20 * time.Millisecond, 0, 0},
		"hour, crowd":       {Limits{Hour: 120}, 20 * time.Millisecond, 8, 0},
		"day":               {Limits{Day: 300}, 20 * time.Millisecond, 0, 0},
		"minute, faults":    {Limits{Minute: 120}, 50 * time.Millisecond, 0, 0.1},
		"minute, very slow": {Limits{Minute: 60}, 500 * time.Millisecond, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				shared := NewMemoryLedger()
				others := make([]*peer, 3)
				for i := range others {
					others[i] = newPeer(t, tt.limits, shared, tt.latency, rng)
				}
				fill(t, others[0])
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for _, p := range others {
					if slow, ok := p.ledger.Ledger.(*slowLedger); ok {
						slow.setFaults(tt.faults)
					}
					p.loop(ctx, &all, Background, 20, rng)
				}
				others[0].loop(ctx, &all, Interactive, tt.crowd, rng)
				me := newPeer(t, tt.limits, shared, tt.latency, rng)
				limit := me.limit
				slot := limit.Window / time.Duration(limit.N)
				time.Sleep(limit.Window / 10)

				var waits, longest time.Duration
				worst := 0
				const calls, together = 12 / raceSlowdown, 6
				for range calls {
					time.Sleep(time.Duration(rng.Int64N(int64(20 * slot))))
					start := time.Now()
					var callers sync.WaitGroup
					for range together {
						callers.Go(func() {
							p, err := me.Acquire(WithPriority(ctx, Interactive))
							if err != nil {
								t.Error(err)
							}
							p.Done()
						})
					}
					synctest.Wait() // all six wait
					overtaken, crowd, claimed := me.overtakers(t, shared, others)
					callers.Wait()
					waits += time.Since(start)
					longest = max(longest, time.Since(start))
					worst = max(worst, overtaken())
					travel := 32 * tt.latency // four claims, each of a Load and a Swap there and back, tried once more
					if got, bound := overtaken(), claimed()+bank+int(travel/slot)+2*((crowd()+together)/(me.every-1)+1); got > bound {
						t.Errorf("-seed=%d: overtaken by %d background requests, want at most %d", seed, got, bound)
					}
					near := max(time.Second, travel)
					if got, bound := claimed(), len(others)*(2+int(near/slot)); got > bound && tt.crowd == 0 {
						t.Errorf("-seed=%d: others had claimed %d slots ahead, want at most %d", seed, got, bound)
					}
				}
				t.Logf("overtaken by %d at most; waited %s on average, %s at most; a slot is free each %s", worst, waits/calls, longest, slot)
				cancel()
				all.Wait()
				time.Sleep(time.Hour)
			})
		})
	}
}

// overtakers watches for the first claim of p that is yet to come. The functions
// tell how many requests others have sent since, of background and of interactive
// callers, and how many slots they had claimed then.
func (p *peer) overtakers(t *testing.T, shared *MemoryLedger, others []*peer) (background, interactive, claimed func() int) {
	t.Helper()
	p.mu.Lock()
	drafted := p.book.seq
	p.mu.Unlock()
	var sent [2]int
	had := -1
	p.ledger.watch(func() {
		if had >= 0 || holdingOf(t, shared, p).Seq <= drafted {
			return
		}
		sent = [2]int{count(others, Background), count(others, Interactive)}
		had = 0
		for _, o := range others {
			had += o.claimed(t, shared)
		}
	})
	since := func(pr Priority) func() int {
		return func() int {
			p.ledger.mu.Lock()
			defer p.ledger.mu.Unlock()
			if had < 0 {
				return 0 // it had a slot without a claim
			}
			return count(others, pr) - sent[pr]
		}
	}
	return since(Background), since(Interactive), func() int {
		p.ledger.mu.Lock()
		defer p.ledger.mu.Unlock()
		return max(0, had)
	}
}

// While one process wants every slot for interactive callers, the background of
// others gets its share of them, and no more. When it is over they get it all.
func TestBackgroundGetsItsShareAcrossProcesses(t *testing.T) {
	if raceSlowdown > 1 {
		t.Skip("too slow with the race detector; TestInteractiveGoesFirstAcrossProcesses takes the same paths")
	}
	seed := newSeed(t)
	for name, tt := range map[string]struct {
		limits  Limits
		latency time.Duration
		windows int
	}{
		"minute": {Limits{Minute: 60}, 0, 14},
		"slow":   {Limits{Minute: 60}, 200 * time.Millisecond, 14},
		"day":    {Limits{Day: 80}, 20 * time.Millisecond, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				shared := NewMemoryLedger()
				peers := make([]*peer, 4)
				for i := range peers {
					peers[i] = newPeer(t, tt.limits, shared, tt.latency, rng)
				}
				fill(t, peers[0])
				window := peers[0].limit.Window
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(tt.windows)*window)
				defer cancel()
				both, stop := context.WithTimeout(ctx, time.Duration(tt.windows-2)*window)
				defer stop()
				var all sync.WaitGroup
				for _, p := range peers[:2] {
					p.loop(both, &all, Interactive, 100, rng)
				}
				for _, p := range peers[2:] {
					p.loop(ctx, &all, Background, 100, rng)
				}
				<-both.Done()
				background, interactive := count(peers, Background), count(peers, Interactive)
				share := float64(background) / float64(background+interactive)
				t.Logf("%d of %d: %.1f%%", background, background+interactive, 100*share)
				if share < 0.08 || share > 0.16 {
					t.Errorf("-seed=%d: background got %.1f%%, want about 10%%", seed, 100*share)
				}
				all.Wait()
				n := peers[0].limit.N
				if got := count(peers, Background) - background; got < 2*n*9/10 {
					t.Errorf("-seed=%d: background got %d of %d slots that nobody else wanted", seed, got, 2*n)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}
