package storage

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A Lease is the right to act alone on something, shared through a [Store]. Its
// token grows with every holder, and a [Batch] fenced with [Lease.Fence] is refused
// once another holder has taken the lease. So two holders never both commit under a
// lease, however long one of them stalled.
//
// When a lease may be taken from a holder that stopped is decided by watching: see
// [Leases]. A Lease is safe for concurrent use.
type Lease struct {
	store Store
	key   string
	token uint64
	ttl   time.Duration

	fence  []byte // the value of key while the lease is ours
	vacant []byte // the value of key once it is given back

	mu       sync.Mutex
	until    time.Time
	renewals uint64 // that were begun
	leaving  bool   // a batch was made that gives the lease back
}

// leaseFence is the value under a lease's key. It changes only with the holder,
// so renewing a lease conflicts with no Batch. A released lease has no holder,
// so a renewal that comes too late is refused.
type leaseFence struct {
	Token  uint64 `json:"token"`
	Holder string `json:"holder"`
}

// leaseTerm is the value under leaseTermKey. Each renewal changes it, which is what
// others watch. A released lease has none.
type leaseTerm struct {
	Renewal uint64        `json:"renewal"`
	TTL     time.Duration `json:"ttl"` // in nanoseconds, of the holder
}

func leaseTermKey(key string) string { return key + "/term" }

// Token returns the fencing token: greater than that of every earlier holder.
func (l *Lease) Token() uint64 { return l.token }

// Fence adds to b the requirement that the lease is still held.
func (l *Lease) Fence(b *Batch) { b.Require(l.key, l.fence) }

// Lost reports whether err, from a Commit of a fenced Batch or from Renew, says
// that the lease is lost to another holder, or was given back.
func (l *Lease) Lost(err error) bool {
	ke, ok := errors.AsType[*KeyError](err)
	return ok && ke.Key == l.key && errors.Is(err, ErrConflict)
}

// Until returns when the lease ends unless it is renewed, by the clock of this
// process: nobody takes it before that.
func (l *Lease) Until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// Renew lets the lease last one more TTL from now. It works after the end as
// well, as long as no other holder has taken the lease; see [Lease.Lost].
func (l *Lease) Renew(ctx context.Context) error {
	until := time.Now().Add(l.ttl)
	var b Batch
	l.Fence(&b)
	if err := b.PutJSON(leaseTermKey(l.key), leaseTerm{l.nextRenewal(), l.ttl}); err != nil {
		return err
	}
	if err := l.store.Commit(ctx, &b); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.until) {
		l.until = until
	}
	return nil
}

// nextRenewal returns a number that no renewal of this lease had before, also not one
// whose outcome is unknown.
func (l *Lease) nextRenewal() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewals++
	return l.renewals
}

// Keep renews the lease three times per TTL. It returns when ctx ends, with its
// error; when the lease is lost; or when it has ended because renewing it failed
// for so long. A lease that was given back it leaves alone until ctx ends.
func (l *Lease) Keep(ctx context.Context) error {
	for {
		if err := sleep(ctx, l.ttl/3); err != nil {
			return err
		}
		err := l.renewInTime(ctx)
		if l.Lost(err) && l.isLeaving() {
			<-ctx.Done()
			return ctx.Err()
		}
		if l.Lost(err) || err != nil && !time.Now().Before(l.Until()) {
			return err
		}
	}
}

// renewInTime renews the lease, but waits for a Store that does not answer only
// until it ends. A holder that was stopped for longer than that may still try.
func (l *Lease) renewInTime(ctx context.Context) error {
	wait := max(time.Until(l.Until()), l.ttl/3)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return l.Renew(ctx)
}

func (l *Lease) isLeaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving
}

// ReleaseWith adds to b what gives the lease back if it is still held, so that the
// last commit under a lease ends it as well. Once b is stored, the lease is lost:
// nothing is stored under it any more, and a Renew that is underway fails.
func (l *Lease) ReleaseWith(b *Batch) {
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()
	l.Fence(b)
	b.Put(l.key, l.vacant)
	b.Delete(leaseTermKey(l.key))
}

// Release gives the lease back, so that anyone may take it at once. Releasing a
// lease that is lost does nothing.
func (l *Lease) Release(ctx context.Context) error {
	var b Batch
	l.ReleaseWith(&b)
	if err := l.store.Commit(ctx, &b); err != nil && !l.Lost(err) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
	return nil
}
