package storage_test

import (
	"context"
	"errors"
	"fmt"
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

// TestLeaseOfAClockThatWasSetBack lets a holder die whose clock was ahead. Its
// lease lasts as long as one that began now, and is free if it began later than
// the skew allows; how long others would hold it says nothing about that.
func TestLeaseOfAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	const ttl, skew = time.Minute, 5 * time.Second
	for _, ahead := range []time.Duration{-skew, 0, skew, skew + 1, time.Hour, 100_000 * time.Hour} {
		for _, own := range []time.Duration{time.Second, ttl, time.Hour} {
			t.Run(fmt.Sprintf("%v ahead, %v", ahead, own), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := memory.New()
					a, err := storage.AcquireLease(t.Context(), skewed{s, ahead}, "lease", &storage.LeaseOptions{Holder: "a", TTL: ttl})
					require.NoError(t, err)
					require.NoError(t, a.Renew(t.Context()))
					began := time.Now()
					err = storage.ErrLocked
					for errors.Is(err, storage.ErrLocked) && time.Since(began) < 2*ttl {
						_, err = storage.AcquireLease(t.Context(), s, "lease", &storage.LeaseOptions{Holder: "b", TTL: own, MaxSkew: skew})
						if err != nil {
							time.Sleep(time.Second)
						}
					}
					require.NoError(t, err)
					want := ahead + ttl + skew
					if ahead > skew {
						want = 0
					}
					require.Equal(t, want, time.Since(began))
					require.True(t, a.Lost(a.Renew(t.Context())))
				})
			})
		}
	}
}

// TestRenewAfterRelease renews beside the commit that gives the lease back, and
// after it: the lease stays free, and is seen to be.
func TestRenewAfterRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &troubled{Store: memory.New(), slow: 3 * time.Second}
		a, err := acquire(t, s, "a")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		kept := make(chan error, 1)
		go func() { kept <- a.Keep(ctx) }()
		time.Sleep(14 * time.Second)
		require.Equal(t, 26*time.Second, time.Until(a.Until()), "Keep renews")
		time.Sleep(10 * time.Second) // the next renewal is underway
		var last storage.Batch
		a.ReleaseWith(&last)
		require.NoError(t, s.Store.Commit(t.Context(), &last))
		time.Sleep(time.Minute)
		holders, err := storage.LeaseHolders(t.Context(), s, "lease")
		require.NoError(t, err)
		require.Empty(t, holders)
		require.True(t, a.Lost(a.Renew(t.Context())))
		require.Empty(t, kept, "nobody has taken the lease from its holder")
		cancel()
		require.ErrorIs(t, <-kept, context.Canceled)
		b, err := acquire(t, s, "b")
		require.NoError(t, err)
		require.EqualValues(t, 2, b.Token())
	})
}

// A troubled Store may leave commits without an answer, or take its time.
type troubled struct {
	storage.Store
	hangs bool
	slow  time.Duration
}

func (s *troubled) Commit(ctx context.Context, b *storage.Batch) error {
	time.Sleep(s.slow)
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
