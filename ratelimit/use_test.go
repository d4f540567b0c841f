package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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

// greedy sends requests as fast as it may, one after the other, until the context ends.
func greedy(ctx context.Context, l *Limiter, server *observer, latency time.Duration, rng *rand.Rand) {
	for ctx.Err() == nil {
		p, err := l.Acquire(ctx)
		if errors.Is(err, errLedgerDown) {
			time.Sleep(time.Second)
			continue
		}
		if err != nil {
			return
		}
		time.Sleep(time.Duration(rng.Int64N(int64(latency))))
		server.arrive()
		time.Sleep(time.Duration(rng.Int64N(int64(latency))))
		p.Done()
	}
}

// Processes that want all they can get use what the rule allows, each its part. With -hours 1000
// they do so for twice as long.
func TestGreedyUse(t *testing.T) {
	tests := map[string]struct {
		limits   Limits
		windows  time.Duration // how many
		latency  time.Duration // at most, each way
		limiters int
		ledger   time.Duration // its latency at most, each way; 0: none
		priority Priority
		changing bool    // the need of all but one comes and goes
		want     float64 // of what the rule allows
	}{
		"quick":             {Limits{Minute: 60}, 200, 100 * time.Millisecond, 1, 0, Interactive, false, 0.99},
		"slow":              {Limits{Minute: 20}, 200, 5 * time.Second, 1, 0, Interactive, false, 0.99},
		"spread":            {Limits{Minute: 20}, 200, time.Second, 1, 0, Background, false, 0.99},
		"ledger":            {Limits{Minute: 30}, 30, time.Second, 1, 20 * time.Millisecond, Interactive, false, 0.99},
		"ledger, 300":       {Limits{Minute: 300}, 20, time.Second, 1, 20 * time.Millisecond, Interactive, false, 0.99},
		"slow ledger":       {Limits{Minute: 30}, 75, time.Second, 1, 200 * time.Millisecond, Background, false, 0.99},
		"four":              {Limits{Minute: 30}, 20, time.Second, 4, 20 * time.Millisecond, Background, false, 0.97},
		"four, 300":         {Limits{Minute: 300}, 20, time.Second, 4, 20 * time.Millisecond, Interactive, false, 0.97},
		"four, slow ledger": {Limits{Minute: 100}, 20, time.Second, 4, 300 * time.Millisecond, Interactive, false, 0.97},
		"four, hour":        {Limits{Hour: 100}, 3, time.Second, 4, 20 * time.Millisecond, Background, false, 0.97},
		"day":               {Limits{Day: 50}, 2, 5 * time.Second, 2, 20 * time.Millisecond, Background, false, 0.97},
		"changing":          {Limits{Minute: 60}, 15, time.Second, 4, 20 * time.Millisecond, Interactive, true, 0.95},
		"changing, 300":     {Limits{Minute: 300}, 10, time.Second, 4, 20 * time.Millisecond, Background, true, 0.95},
		"changing, hour":    {Limits{Hour: 60}, 5, time.Second, 4, 20 * time.Millisecond, Background, true, 0.95},
	}
	if raceSlowdown > 1 {
		t.Skip("too slow with the race detector; TestNeverOverLimit takes the same paths")
	}
	seed := newSeed(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit, err := tt.limits.Effective()
				require.NoError(t, err)
				shared := new(memoryLedger)
				length := tt.windows * limit.Window
				if *hoursFlag >= 1000 {
					length *= 2
				}
				ctx, cancel := context.WithTimeout(WithPriority(t.Context(), tt.priority), length)
				defer cancel()
				servers := make([]observer, tt.limiters)
				var all sync.WaitGroup
				for i := range tt.limiters {
					rng := rand.New(rand.NewPCG(seed, uint64(i)))
					opts := &Options{}
					if tt.ledger > 0 {
						ledger := newSlowLedger(shared, rng, tt.ledger)
						defer func() {
							t.Logf("%s: process %d: %d reads, %d writes", name, i, ledger.loads.Load(), ledger.swaps.Load())
						}()
						opts.Ledger = ledger
					}
					l := mustNew(t, tt.limits, opts)
					callers := func(ctx context.Context) {
						for range limit.N + limit.N/2 {
							own := rand.New(rand.NewPCG(rng.Uint64(), 0))
							all.Go(func() { greedy(ctx, l, &servers[i], tt.latency, own) })
						}
					}
					if !tt.changing || i == 0 {
						callers(ctx)
						continue
					}
					all.Go(func() {
						for ctx.Err() == nil {
							some, stop := context.WithTimeout(ctx, limit.Window+time.Duration(rng.Int64N(int64(4*limit.Window))))
							callers(some)
							<-some.Done()
							stop()
							time.Sleep(time.Duration(rng.Int64N(int64(4 * limit.Window))))
						}
					})
				}
				<-ctx.Done()
				all.Wait()
				time.Sleep(10 * time.Minute)
				want := allowed(rand.New(rand.NewPCG(seed, 0)), limit, tt.latency, length)
				var server observer
				var parts strings.Builder
				for i := range servers {
					server.arrivals = append(server.arrivals, servers[i].arrivals...)
					fmt.Fprintf(&parts, " %d", len(servers[i].arrivals))
				}
				got := server.count()
				share := float64(got) / float64(want)
				t.Logf("%d of %d requests: %.2f%%;%s", got, want, 100*share, parts.String())
				if share < tt.want {
					t.Errorf("-seed=%d: got %.2f%% of what is possible, want %.0f%%", seed, 100*share, 100*tt.want)
				}
				for i := range servers {
					part := float64(len(servers[i].arrivals)) * float64(tt.limiters) / float64(got)
					if !tt.changing && (part < 0.75 || part > 1.3) {
						t.Errorf("-seed=%d: process %d has %.2f of an equal part", seed, i, part)
					}
				}
				if most := server.rollingMax(limit.Window, time.Time{}); most > limit.N {
					t.Errorf("-seed=%d: %d requests arrived in a window, limit is %s", seed, most, limit)
				}
			})
		})
	}
}
