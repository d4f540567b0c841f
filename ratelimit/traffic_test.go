package ratelimit

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What limiters ask of a ledger for a thousand requests. Nobody says anything of
// callers who wait while none of them is interactive.
func TestLedgerTraffic(t *testing.T) {
	if raceSlowdown > 1 {
		t.Skip("too slow with the race detector; TestInteractiveGoesFirstAcrossProcesses takes the same paths")
	}
	day := Limits{Day: 60000}
	for name, tt := range map[string]struct {
		limits    Limits
		processes int
		priority  Priority
		full      bool // the quota is used up: slots become free one by one
		swaps     int  // for a thousand requests, at most
	}{
		"one, minute, full":        {Limits{Minute: 250}, 1, Background, true, 600},
		"two, minute, full":        {Limits{Minute: 250}, 2, Background, true, 900},
		"two, minute, interactive": {Limits{Minute: 250}, 2, Interactive, true, 950},
		"one, day":                 {day, 1, Background, false, 15},
		"two, day":                 {day, 2, Background, false, 30},
		"one, as fast, full":       {Limits{Hour: 2500}, 1, Background, true, 250},
		"two, as fast, full":       {Limits{Hour: 2500}, 2, Background, true, 700},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := NewMemoryLedger()
				var words atomic.Int64
				var peers []*peer
				for i := range uint64(tt.processes) {
					p := newPeer(t, tt.limits, shared, 5*time.Millisecond, rand.New(rand.NewPCG(i, i)))
					p.ledger.watch(func() { words.Add(holdingOf(t, shared, p).Waiting) })
					peers = append(peers, p)
				}
				if tt.full {
					fill(t, peers[0])
				}
				asked := func() (swaps, loads int) {
					for _, p := range peers {
						s, l := p.ledger.asked()
						swaps, loads = swaps+s, loads+l
					}
					return swaps, loads
				}
				swapsBefore, loadsBefore := asked()
				for _, p := range peers {
					p.pace()
				}
				ctx, cancel := context.WithTimeout(t.Context(), min(peers[0].limit.Window, 15*time.Minute))
				defer cancel()
				var all sync.WaitGroup
				for i, p := range peers {
					p.loop(ctx, &all, tt.priority, 20, rand.New(rand.NewPCG(uint64(i), 0)))
				}
				all.Wait()
				n := count(peers, tt.priority)
				swaps, loads := asked()
				swaps, loads = (swaps-swapsBefore)*1000/n, (loads-loadsBefore)*1000/n
				content, err := shared.Load(t.Context())
				require.NoError(t, err)
				t.Logf("%d requests; for 1000: %d swaps, %d loads; %d bytes", n, swaps, loads, len(content))
				require.LessOrEqual(t, swaps, tt.swaps)
				require.Equal(t, tt.priority == Interactive, words.Load() > 0)
				time.Sleep(time.Hour)
			})
		})
	}
}

// Limiters that hold to different limits for a while exceed the highest of them
// in no window, and the new one in none that begins when all have it.
func TestLimitsChangeOneByOne(t *testing.T) {
	if raceSlowdown > 1 {
		t.Skip("too slow with the race detector; TestInteractiveGoesFirstAcrossProcesses takes the same paths")
	}
	seed := newSeed(t)
	for name, limits := range map[string][2]Limits{
		"lower":  {{Minute: 40}, {Minute: 15}},
		"higher": {{Minute: 15}, {Minute: 40}},
		"longer": {{Minute: 40}, {Hour: 60}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 2))
				shared := NewMemoryLedger()
				w := &world{latency: 100 * time.Millisecond}
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
				defer cancel()
				var peers []*peer
				for i := range 3 {
					p := newPeer(t, limits[0], shared, 100*time.Millisecond, rng)
					peers = append(peers, p)
					for range 30 {
						own := rand.New(rand.NewPCG(rng.Uint64(), 0))
						w.inFlight.Go(func() { w.greedy(WithPriority(ctx, Priority(i%2)), p.Limiter, own) })
					}
				}
				for _, p := range peers {
					time.Sleep(5 * time.Minute)
					require.NoError(t, p.SetLimits(limits[1]))
				}
				since := time.Now().Add(2 * w.latency)
				w.inFlight.Wait()
				limit := peers[0].limit
				require.LessOrEqual(t, w.server.rollingMax(time.Minute, time.Time{}), max(40, limit.N), "-seed=%d", seed)
				require.LessOrEqual(t, w.server.rollingMax(limit.Window, since), limit.N, "-seed=%d", seed)
				require.Greater(t, w.server.rollingMax(limit.Window, since), limit.N*9/10, "-seed=%d", seed)
				time.Sleep(time.Hour)
			})
		})
	}
}
