package ratelimit

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The word of a process that was killed holds up nobody for long.
func TestWordOfAProcessThatIsGoneLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewMemoryLedger()
		rng := rand.New(rand.NewPCG(1, 1))
		limits := Limits{Hour: 4}
		a, b := newPeer(t, limits, shared, 0, rng), newPeer(t, limits, shared, 0, rng)
		permits := []Permit{mustAcquire(t, a.Limiter), mustAcquire(t, a.Limiter), mustAcquire(t, a.Limiter), mustAcquire(t, a.Limiter)}
		dead := &slowLedger{Ledger: shared, rng: rng}
		b.book.ledger = dead
		ctx, cancel := context.WithCancel(WithPriority(t.Context(), Interactive))
		for range 4 {
			go func() { _, _ = b.Acquire(ctx) }()
		}
		time.Sleep(time.Second)
		require.EqualValues(t, 4, holdingOf(t, shared, b).Waiting)
		dead.kill()
		cancel()

		for _, p := range permits {
			p.Cancel()
		}
		require.NoError(t, a.Flush(t.Context()))
		start := time.Now()
		mustAcquire(t, a.Limiter).Done()
		waited := time.Since(start)
		require.Greater(t, waited, wordFor/2, "slots are left to those who wait")
		require.Less(t, waited, wordFor+wordFor/2)
		time.Sleep(2 * time.Hour)
	})
}

// A caller who leaves takes the word back.
func TestWordIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewMemoryLedger()
		p := newPeer(t, Limits{Hour: 1}, shared, 0, rand.New(rand.NewPCG(1, 1)))
		mustAcquire(t, p.Limiter).Done()
		ctx, cancel := context.WithCancel(WithPriority(t.Context(), Interactive))
		for i := range 3 {
			go func() { _, _ = p.Acquire(ctx) }()
			time.Sleep(time.Second)
			require.EqualValues(t, 1+i, holdingOf(t, shared, p).Waiting)
		}
		cancel()
		synctest.Wait()
		require.Zero(t, holdingOf(t, shared, p).Waiting)
		require.NoError(t, p.Flush(t.Context()))
		time.Sleep(2 * time.Hour)
	})
}

// Callers that wait for the server, not for a slot, claim no precedence.
func TestNoWordForCallersThatAreFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewMemoryLedger()
		p := newPeer(t, Limits{Hour: 2}, shared, 0, rand.New(rand.NewPCG(1, 1)))
		mustAcquire(t, p.Limiter).Done()
		last := mustAcquire(t, p.Limiter)
		last.observe(response(429, "Retry-After", "60"), "")
		last.Done()
		ctx, cancel := context.WithCancel(WithPriority(t.Context(), Interactive))
		defer cancel()
		go func() { _, _ = p.Acquire(ctx) }()
		time.Sleep(59 * time.Second)
		require.Zero(t, holdingOf(t, shared, p).Waiting)
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 1, holdingOf(t, shared, p).Waiting)
		cancel()
		time.Sleep(2 * time.Hour)
	})
}
