package storage_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// TestLeaseModel lets workers with clocks that differ take a lease, stall for
// any time and write under it. Each write appends the token to a log, so writes
// of a former holder would show as a token that goes back; and a holder that
// trusts only its own clock never overlaps another, as the skew is within bounds.
func TestLeaseModel(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range uint64(8) {
		synctest.Test(t, func(t *testing.T) { leaseRound(t, rand.New(rand.NewPCG(seed, round))) })
	}
}

// skewed is a Store as a process sees it whose clock is off: the times that go in
// and come out of it are moved instead.
type skewed struct {
	storage.Store
	ahead time.Duration
}

func (s skewed) move(value []byte, by time.Duration) []byte {
	return untilPattern.ReplaceAllFunc(value, func(quoted []byte) []byte {
		until, err := time.Parse(`"until":"`+time.RFC3339Nano+`"`, string(quoted))
		if err != nil {
			panic(err)
		}
		return until.Add(by).AppendFormat(nil, `"until":"`+time.RFC3339Nano+`"`)
	})
}

var untilPattern = regexp.MustCompile(`"until":"[^"]*"`)

func (s skewed) Get(ctx context.Context, key string) ([]byte, error) {
	v, err := s.Store.Get(ctx, key)
	return s.move(v, -s.ahead), err
}

func (s skewed) Commit(ctx context.Context, b *storage.Batch) error {
	var moved storage.Batch
	for r := range b.Requirements() {
		if r.Absent {
			moved.RequireAbsent(r.Key)
		} else {
			moved.Require(r.Key, s.move(r.Value, s.ahead))
		}
	}
	for op := range b.Ops() {
		switch op.Kind {
		case storage.OpPut:
			moved.Put(op.Key, s.move(op.Value, s.ahead))
		case storage.OpDelete:
			moved.Delete(op.Key)
		case storage.OpDeleteRange:
			moved.DeleteRange(op.Range)
		}
	}
	return s.Store.Commit(ctx, &moved)
}

// leaseWorld is what the workers of a round share.
type leaseWorld struct {
	store    storage.Store
	holding  map[int]time.Time // worker: until when it trusts its lease, in true time
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
	turn := make(chan struct{}, 1) // one worker at a time, so that the model is exact
	for i := range workers {
		const skew = 10 * time.Second
		s := skewed{w.store, time.Duration(rng.Int64N(int64(skew))) - skew/2}
		opts := storage.LeaseOptions{Holder: strconv.Itoa(i), TTL: 15*time.Second + time.Duration(rng.Int64N(int64(45*time.Second))), MaxSkew: skew}
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		go func() {
			for time.Now().Before(end) {
				time.Sleep(time.Duration(own.Int64N(int64(8 * time.Second))))
				turn <- struct{}{}
				l, err := storage.AcquireLease(t.Context(), s, "lease", &opts)
				<-turn
				if err == nil {
					w.hold(t, own, turn, i, l)
				} else if !errors.Is(err, storage.ErrLocked) {
					t.Errorf("AcquireLease: %v", err)
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
func (w *leaseWorld) hold(t *testing.T, rng *rand.Rand, turn chan struct{}, worker int, l *storage.Lease) {
	t.Helper()
	for range 1 + rng.IntN(10) {
		turn <- struct{}{}
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
			<-turn
			return
		default:
			t.Errorf("Commit: %v", err)
		}
		if err := l.Renew(t.Context()); err != nil {
			t.Errorf("Renew of a lease that is held: %v", err)
		}
		w.trust(t, worker, l.Until())
		<-turn
		stall := time.Second
		if rng.IntN(5) == 0 {
			stall = 2 * time.Minute
		}
		time.Sleep(time.Duration(rng.Int64N(int64(stall))))
	}
	turn <- struct{}{}
	defer func() { <-turn }()
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
