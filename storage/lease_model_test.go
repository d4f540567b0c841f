package storage_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// TestLeaseModel lets workers take a lease, stall for any time and write under it.
// Each write appends the token to a log, so writes of a former holder would show as a
// token that goes back; and a holder that has not stalled never overlaps another. The
// workers' TTLs differ, and their monotonic clocks are all that they know of the time.
func TestLeaseModel(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range uint64(8) {
		synctest.Test(t, func(t *testing.T) { leaseRound(t, rand.New(rand.NewPCG(seed, round))) })
	}
}

// leaseWorld is what the workers of a round share.
type leaseWorld struct {
	store    storage.Store
	holding  map[int]time.Time // worker: until when it trusts its lease
	writes   int
	refused  int
	newest   uint64
	takeover int
}

func leaseRound(t *testing.T, rng *rand.Rand) {
	t.Helper()
	w := &leaseWorld{store: memory.New(), holding: map[int]time.Time{}}
	end := time.Now().Add(time.Hour)
	done := make(chan struct{})
	const workers = 4
	alone := make(chan struct{}, 1) // one worker at a time, so that the model is exact
	for i := range workers {
		leases := storage.NewLeases(w.store, &storage.LeaseOptions{
			Holder: strconv.Itoa(i), TTL: 15*time.Second + time.Duration(rng.Int64N(int64(45*time.Second))),
		})
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		go func() {
			for time.Now().Before(end) {
				time.Sleep(time.Duration(own.Int64N(int64(8 * time.Second))))
				alone <- struct{}{}
				l, err := leases.Acquire(t.Context(), "lease")
				<-alone
				if err == nil {
					w.hold(t, own, alone, i, l)
				} else if !errors.Is(err, storage.ErrLocked) {
					t.Errorf("Acquire: %v", err)
				}
			}
			done <- struct{}{}
		}()
	}
	for range workers {
		<-done
	}
	require.Greater(t, w.writes, 100)
	require.Positive(t, w.refused, "no stall was long enough")
	require.Greater(t, w.takeover, 20)
}

// hold works under a lease until it is lost or given back.
func (w *leaseWorld) hold(t *testing.T, rng *rand.Rand, alone chan struct{}, worker int, l *storage.Lease) {
	t.Helper()
	for range 1 + rng.IntN(10) {
		alone <- struct{}{}
		w.trust(t, worker, l.Until())
		var b storage.Batch
		l.Fence(&b)
		b.Put("log", strconv.AppendUint(nil, l.Token(), 10))
		switch err := w.store.Commit(t.Context(), &b); {
		case err == nil:
			w.wrote(t, l.Token())
		case l.Lost(err):
			w.refused++
			delete(w.holding, worker)
			<-alone
			return
		default:
			t.Errorf("Commit: %v", err)
		}
		if err := l.Renew(t.Context()); err != nil {
			t.Errorf("Renew of a lease that is held: %v", err)
		}
		w.trust(t, worker, l.Until())
		<-alone
		stall := time.Second
		if rng.IntN(5) == 0 {
			stall = 2 * time.Minute
		}
		time.Sleep(time.Duration(rng.Int64N(int64(stall))))
	}
	alone <- struct{}{}
	defer func() { <-alone }()
	delete(w.holding, worker)
	if err := l.Release(t.Context()); err != nil {
		t.Errorf("Release: %v", err)
	}
}

// trust checks that a holder that has not stalled is alone.
func (w *leaseWorld) trust(t *testing.T, worker int, until time.Time) {
	t.Helper()
	if now := time.Now(); now.Before(until) {
		for other, end := range w.holding {
			if other != worker && now.Before(end) {
				t.Errorf("workers %d and %d both trust their lease", worker, other)
			}
		}
	}
	w.holding[worker] = until
}

func (w *leaseWorld) wrote(t *testing.T, token uint64) {
	t.Helper()
	if token < w.newest {
		t.Errorf("token %d has written after token %d", token, w.newest)
	}
	if token > w.newest {
		w.takeover++
	}
	w.newest = token
	w.writes++
}
