package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// process returns the Leases of a process of that name.
func process(s storage.Store, name string) *storage.Leases {
	return storage.NewLeases(s, &storage.LeaseOptions{Holder: name, TTL: 30 * time.Second})
}

// take takes the lease with what a process of that name knows that has just started.
func take(t *testing.T, s storage.Store, name string) (*storage.Lease, error) {
	t.Helper()
	return process(s, name).Acquire(t.Context(), "lease")
}

func TestLeaseEndsWithACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		watcher := process(s, "watcher")
		holders, err := watcher.Holders(t.Context(), "lease", "other")
		require.NoError(t, err)
		require.Empty(t, holders)
		a, err := take(t, s, "a")
		require.NoError(t, err)
		holders, err = watcher.Holders(t.Context(), "lease", "other")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"lease": "a"}, holders)

		var last storage.Batch
		last.Put("done", []byte("a"))
		a.ReleaseWith(&last)
		require.NoError(t, s.Commit(t.Context(), &last))
		holders, err = watcher.Holders(t.Context(), "lease")
		require.NoError(t, err)
		require.Empty(t, holders)
		_, err = take(t, s, "b")
		require.NoError(t, err)
		last.Put("done", []byte("a again"))
		require.True(t, a.Lost(s.Commit(t.Context(), &last)))
	})
}

func TestLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		a, err := take(t, s, "a")
		require.NoError(t, err)
		require.EqualValues(t, 1, a.Token())
		require.Equal(t, time.Now().Add(30*time.Second), a.Until())

		inB := process(s, "b")
		_, err = inB.Acquire(t.Context(), "lease")
		require.ErrorIs(t, err, storage.ErrLocked)
		var locked *storage.LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, "a", locked.Holder)
		require.Equal(t, a.Until(), locked.Until)

		time.Sleep(20 * time.Second)
		require.NoError(t, a.Renew(t.Context()))
		time.Sleep(10 * time.Second) // b has watched for a TTL, and sees the renewal now
		_, err = inB.Acquire(t.Context(), "lease")
		require.ErrorIs(t, err, storage.ErrLocked)
		time.Sleep(30*time.Second - 1)
		_, err = inB.Acquire(t.Context(), "lease")
		require.ErrorIs(t, err, storage.ErrLocked)
		_, err = take(t, s, "c")
		require.ErrorIs(t, err, storage.ErrLocked, "one that has not watched")
		time.Sleep(time.Nanosecond)
		b, err := inB.Acquire(t.Context(), "lease")
		require.NoError(t, err)
		require.EqualValues(t, 2, b.Token())

		err = a.Renew(t.Context())
		require.True(t, a.Lost(err))
		require.False(t, b.Lost(err) && a.Lost(nil))
		require.NoError(t, a.Release(t.Context()), "nothing to release")
		require.NoError(t, b.Release(t.Context()))
		c, err := take(t, s, "c")
		require.NoError(t, err)
		require.EqualValues(t, 3, c.Token())
		again, err := take(t, s, "c") // its own, at once
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
	a, err := take(t, s, "a")
	require.NoError(t, err)
	for _, dead := range []string{"c", "a"} {
		_, err = storage.NewLeases(s, &storage.LeaseOptions{
			Holder: "b", Dead: func(holder string) bool { return holder == dead },
		}).Acquire(t.Context(), "lease")
		require.Equal(t, dead == "a", err == nil)
	}
	require.True(t, a.Lost(a.Renew(t.Context())))
}

func TestLeaseKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		a, err := take(t, s, "a")
		require.NoError(t, err)
		kept := make(chan error, 1)
		go func() { kept <- a.Keep(t.Context()) }()
		inB := process(s, "b")
		for range 20 {
			time.Sleep(35 * time.Second) // longer than the TTL, and it sees that a renewal came meanwhile
			_, err = inB.Acquire(t.Context(), "lease")
			require.ErrorIs(t, err, storage.ErrLocked)
		}
		require.Greater(t, time.Until(a.Until()), 15*time.Second)
		_, err = take(t, s, "a")
		require.NoError(t, err)
		err = <-kept
		require.True(t, a.Lost(err))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, a.Keep(ctx), context.Canceled)
		require.NoError(t, s.Close())
	})
}

// TestLeaseIsTakenByWatching lets a holder stop and another process look at its lease
// from then on, every so often. The holder's TTL counts, not that of who watches, and
// only from the first look at the record as it was left.
func TestLeaseIsTakenByWatching(t *testing.T) {
	t.Parallel()
	const ttl = time.Minute
	for _, late := range []time.Duration{0, time.Second, 1000 * time.Hour} { // after the holder stopped
		for _, own := range []time.Duration{time.Second, ttl, time.Hour} {
			for _, every := range []time.Duration{time.Second, 7 * time.Second, ttl, time.Hour} {
				t.Run(fmt.Sprintf("%v late, TTL %v, every %v", late, own, every), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						s := memory.New()
						a, err := storage.NewLeases(s, &storage.LeaseOptions{Holder: "a", TTL: ttl}).Acquire(t.Context(), "lease")
						require.NoError(t, err)
						require.NoError(t, a.Renew(t.Context()))
						time.Sleep(late)
						began := time.Now()
						inB := storage.NewLeases(s, &storage.LeaseOptions{Holder: "b", TTL: own})
						for {
							_, err = inB.Acquire(t.Context(), "lease")
							if !errors.Is(err, storage.ErrLocked) {
								break
							}
							holders, err := inB.Holders(t.Context(), "lease")
							require.NoError(t, err)
							require.Equal(t, "a", holders["lease"])
							time.Sleep(every)
						}
						require.NoError(t, err)
						looks := (ttl + every - 1) / every
						require.Equal(t, looks*every, time.Since(began), "the first look after a TTL")
						require.True(t, a.Lost(a.Renew(t.Context())))
					})
				})
			}
		}
	}
}

// What is stored of a lease has no time in it, so nothing can depend on a clock of
// another process.
func TestLeaseStoresNoTime(t *testing.T) {
	t.Parallel()
	var stored []map[string]string
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			if len(stored) > 0 {
				time.Sleep(10 * 365 * 24 * time.Hour)
			}
			s := memory.New()
			a, err := take(t, s, "a")
			require.NoError(t, err)
			for range 3 {
				time.Sleep(time.Second)
				require.NoError(t, a.Renew(t.Context()))
			}
			all := map[string]string{}
			for e, err := range s.Scan(t.Context(), storage.Range{}) {
				require.NoError(t, err)
				all[e.Key] = string(e.Value)
			}
			require.Len(t, all, 2)
			stored = append(stored, all)
		})
	}
	require.Equal(t, stored[0], stored[1], "ten years later")
}

// TestManyWatchedLeases: what is remembered of the leases of others is bounded by how
// many somebody looks at within an hour.
func TestManyWatchedLeases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		var b storage.Batch
		key := func(i int) string { return storage.Key("lease", strconv.Itoa(i)) }
		for i := range 5000 {
			b.Put(key(i), []byte(`{"token":1,"holder":"a"}`))
			b.Put(key(i)+"/term", []byte(`{"renewal":1,"ttl":30000000000}`))
		}
		require.NoError(t, s.Commit(t.Context(), &b))
		inB := process(s, "b")
		for i := range 5000 {
			_, err := inB.Acquire(t.Context(), key(i))
			require.ErrorIs(t, err, storage.ErrLocked)
			time.Sleep(4 * time.Second)
		}
		require.Less(t, storage.Watched(inB), 2100)
		_, err := inB.Acquire(t.Context(), key(4999-800))
		require.NoError(t, err, "one that is remembered")
	})
}

// TestRenewAfterRelease renews beside the commit that gives the lease back, and
// after it: the lease stays free, and is seen to be.
func TestRenewAfterRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &troubled{Store: memory.New(), slow: 3 * time.Second}
		a, err := take(t, s, "a")
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
		holders, err := process(s, "watcher").Holders(t.Context(), "lease")
		require.NoError(t, err)
		require.Empty(t, holders)
		require.True(t, a.Lost(a.Renew(t.Context())))
		require.Empty(t, kept, "nobody has taken the lease from its holder")
		cancel()
		require.ErrorIs(t, <-kept, context.Canceled)
		b, err := take(t, s, "b")
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
		a, err := take(t, s, "a")
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

func ExampleLeases() {
	ctx := context.Background()
	s := memory.New()
	first := storage.NewLeases(s, &storage.LeaseOptions{Holder: "first"})
	lease, err := first.Acquire(ctx, "leases/poller")
	if err != nil {
		fmt.Println(err)
		return
	}
	second := storage.NewLeases(s, &storage.LeaseOptions{Holder: "second"})
	_, err = second.Acquire(ctx, "leases/poller") // again later, until it has watched for a TTL
	fmt.Println("second:", errors.Is(err, storage.ErrLocked))

	var b storage.Batch
	lease.Fence(&b) // stored only while the lease is held
	b.Put("result", []byte("1"))
	fmt.Println("first:", s.Commit(ctx, &b), "token", lease.Token())
	// Output:
	// second: true
	// first: <nil> token 1
}
