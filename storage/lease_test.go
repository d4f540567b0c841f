package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func acquire(t *testing.T, s storage.Store, holder string) (*storage.Lease, error) {
	t.Helper()
	return storage.AcquireLease(t.Context(), s, "lease", &storage.LeaseOptions{Holder: holder, TTL: 30 * time.Second})
}

func TestLeaseEndsWithACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		holders, err := storage.LeaseHolders(t.Context(), s, "lease", "other")
		require.NoError(t, err)
		require.Empty(t, holders)
		a, err := acquire(t, s, "a")
		require.NoError(t, err)
		holders, err = storage.LeaseHolders(t.Context(), s, "lease", "other")
		require.NoError(t, err)
		require.Len(t, holders, 1)
		require.Equal(t, "a", holders["lease"].Holder)
		require.True(t, holders["lease"].Until.Equal(a.Until()))

		var last storage.Batch
		last.Put("done", []byte("a"))
		a.ReleaseWith(&last)
		require.NoError(t, s.Commit(t.Context(), &last))
		holders, err = storage.LeaseHolders(t.Context(), s, "lease")
		require.NoError(t, err)
		require.Empty(t, holders)
		_, err = acquire(t, s, "b")
		require.NoError(t, err)
		last.Put("done", []byte("a again"))
		require.True(t, a.Lost(s.Commit(t.Context(), &last)))
	})
}

func TestLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		a, err := acquire(t, s, "a")
		require.NoError(t, err)
		require.EqualValues(t, 1, a.Token())
		require.Equal(t, time.Now().Add(30*time.Second), a.Until())

		_, err = acquire(t, s, "b")
		require.ErrorIs(t, err, storage.ErrLocked)
		var locked *storage.LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, "a", locked.Holder)
		require.True(t, locked.Until.Equal(a.Until()))

		time.Sleep(20 * time.Second)
		require.NoError(t, a.Renew(t.Context()))
		time.Sleep(39 * time.Second) // 9 s after its end, less than the skew
		_, err = acquire(t, s, "b")
		require.ErrorIs(t, err, storage.ErrLocked)
		time.Sleep(time.Second)
		b, err := acquire(t, s, "b")
		require.NoError(t, err)
		require.EqualValues(t, 2, b.Token())

		err = a.Renew(t.Context())
		require.True(t, a.Lost(err))
		require.False(t, b.Lost(err) && a.Lost(nil))
		require.NoError(t, a.Release(t.Context()), "nothing to release")
		require.NoError(t, b.Release(t.Context()))
		c, err := acquire(t, s, "c")
		require.NoError(t, err)
		require.EqualValues(t, 3, c.Token())
		again, err := acquire(t, s, "c") // its own, at once
		require.NoError(t, err)
		var batch storage.Batch
		c.Fence(&batch)
		require.True(t, c.Lost(s.Commit(t.Context(), &batch)))
		batch.Reset()
		again.Fence(&batch)
		require.NoError(t, s.Commit(t.Context(), &batch))
	})
}

// The lease of a holder that is known to have ended is taken at once.
func TestLeaseOfTheDead(t *testing.T) {
	t.Parallel()
	s := memory.New()
	a, err := acquire(t, s, "a")
	require.NoError(t, err)
	for _, dead := range []string{"c", "a"} {
		_, err = storage.AcquireLease(t.Context(), s, "lease", &storage.LeaseOptions{
			Holder: "b", Dead: func(holder string) bool { return holder == dead },
		})
		require.Equal(t, dead == "a", err == nil)
	}
	require.True(t, a.Lost(a.Renew(t.Context())))
}

func TestLeaseKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		a, err := acquire(t, s, "a")
		require.NoError(t, err)
		kept := make(chan error, 1)
		go func() { kept <- a.Keep(t.Context()) }()
		for range 10 {
			time.Sleep(25 * time.Second)
			_, err = acquire(t, s, "b")
			require.ErrorIs(t, err, storage.ErrLocked)
		}
		require.Greater(t, time.Until(a.Until()), 15*time.Second)
		_, err = acquire(t, s, "a")
		require.NoError(t, err)
		err = <-kept
		require.True(t, a.Lost(err))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, a.Keep(ctx), context.Canceled)
		require.NoError(t, s.Close())
	})
}

// A troubled Store may leave commits without an answer.
type troubled struct {
	storage.Store
	hangs bool
}

func (s *troubled) Commit(ctx context.Context, b *storage.Batch) error {
	if s.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Store.Commit(ctx, b)
}

// A holder whose store does not answer is told when the lease ends.
func TestLeaseKeepOverATroubledStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &troubled{Store: memory.New()}
		a, err := acquire(t, s, "a")
		require.NoError(t, err)
		s.hangs = true
		end := a.Until()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, a.Keep(ctx), context.DeadlineExceeded)
		require.True(t, time.Now().Equal(end), "Keep returns %v after the end", time.Since(end))
		require.NoError(t, ctx.Err())

		// One that was stopped for longer than its lease goes on if nobody has taken it.
		s.hangs = false
		kept := make(chan error, 1)
		go func() { kept <- a.Keep(ctx) }()
		time.Sleep(25 * time.Second)
		require.True(t, time.Now().Before(a.Until()))
		cancel()
		require.ErrorIs(t, <-kept, context.Canceled)
	})
}

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
	var until time.Time
	if _, err := fmt.Sscanf(string(value), `{"until":%q}`, (*quotedTime)(&until)); err != nil {
		return value
	}
	return fmt.Appendf(nil, `{"until":%q}`, until.Add(by).Format(time.RFC3339Nano))
}

type quotedTime time.Time

func (q *quotedTime) Scan(state fmt.ScanState, _ rune) error {
	var text string
	if _, err := fmt.Fscanf(state, "%q", &text); err != nil {
		return err
	}
	parsed, err := time.Parse(time.RFC3339Nano, text)
	*q = quotedTime(parsed)
	return err
}

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
		const skew = 10 * time.Second // the default bound for a TTL of 30 s
		s := skewed{w.store, time.Duration(rng.Int64N(int64(skew))) - skew/2}
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		go func() {
			for time.Now().Before(end) {
				time.Sleep(time.Duration(own.Int64N(int64(8 * time.Second))))
				turn <- struct{}{}
				l, err := storage.AcquireLease(t.Context(), s, "lease", &storage.LeaseOptions{Holder: strconv.Itoa(i)})
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

func ExampleAcquireLease() {
	ctx := context.Background()
	s := memory.New()
	lease, err := storage.AcquireLease(ctx, s, "leases/poller", &storage.LeaseOptions{Holder: "first"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = storage.AcquireLease(ctx, s, "leases/poller", &storage.LeaseOptions{Holder: "second"})
	fmt.Println("second:", errors.Is(err, storage.ErrLocked))

	var b storage.Batch
	lease.Fence(&b) // stored only while the lease is held
	b.Put("result", []byte("1"))
	fmt.Println("first:", s.Commit(ctx, &b), "token", lease.Token())
	// Output:
	// second: true
	// first: <nil> token 1
}
