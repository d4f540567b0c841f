package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"
)

// A Lease is the right to act alone on something for a while, shared through a
// Store. Its token grows with every holder, and a Batch fenced with [Lease.Fence]
// is refused once another has taken the lease: however long a holder stalled and
// whatever its clock says, two holders never both commit under their lease.
//
// The clocks only decide when a lease may be taken from a holder that has
// stopped renewing it. A Lease is safe for concurrent use.
type Lease struct {
	store Store
	key   string
	token uint64
	ttl   time.Duration

	fence  []byte // the value of key while the lease is ours
	vacant []byte // the value of key once it is given back

	mu      sync.Mutex
	until   time.Time
	leaving bool // a batch was made that gives the lease back
}

// LeaseOptions are the options of [AcquireLease].
type LeaseOptions struct {
	// Holder names who holds the lease, to people and to the lease: a holder
	// takes its own lease at once, which fences its former self off. So it must
	// be unique among those that run at the same time.
	// Defaults to a [NewHolder].
	Holder string
	// TTL is how long the lease lasts without being renewed. Defaults to 30
	// seconds.
	TTL time.Duration
	// Dead reports holders that are known to have ended. Their lease is taken at
	// once. Defaults to none.
	Dead func(holder string) bool
	// MaxSkew is how far the clocks of holders may be apart. A lease is taken
	// from another holder only this long after it ended, or when it began more
	// than this in the future: clocks were set back then, and its end may be
	// anywhere. Defaults to a third of TTL; negative means no skew.
	MaxSkew time.Duration
}

func (o *LeaseOptions) withDefaults() LeaseOptions {
	var opts LeaseOptions
	if o != nil {
		opts = *o
	}
	if opts.Holder == "" {
		opts.Holder = NewHolder()
	}
	if opts.Dead == nil {
		opts.Dead = func(string) bool { return false }
	}
	opts.TTL = cmp.Or(opts.TTL, 30*time.Second)
	opts.MaxSkew = max(0, cmp.Or(opts.MaxSkew, opts.TTL/3))
	return opts
}

// NewHolder returns a name that nobody else has: the host, the process id and a
// random number.
func NewHolder() string {
	host, _ := os.Hostname() // an unknown host still leaves a unique name
	return fmt.Sprintf("%s/%d/%08x", cmp.Or(host, "localhost"), os.Getpid(), rand.Uint32())
}

// leaseFence is the value under a lease's key. It changes only with the holder,
// so renewing a lease conflicts with no Batch. A released lease has no holder,
// so a renewal that comes too late is refused.
type leaseFence struct {
	Token  uint64 `json:"token"`
	Holder string `json:"holder"`
}

// leaseTerm is the value under leaseTermKey. A released lease has none.
type leaseTerm struct {
	Until time.Time     `json:"until"`
	TTL   time.Duration `json:"ttl,omitzero"` // in nanoseconds, of the holder
}

// running reports whether nobody but its holder may take a lease with this term.
func (t leaseTerm) running(now time.Time, o LeaseOptions) bool {
	began := t.Until.Add(-cmp.Or(t.TTL, o.TTL))
	return !began.After(now.Add(o.MaxSkew)) && now.Before(t.Until.Add(o.MaxSkew))
}

func leaseTermKey(key string) string { return key + "/term" }

// AcquireLease takes the lease under key, which uses key and key + "/term". If
// another holds it, AcquireLease fails at once with a [LockedError] that says
// who, and until when unless it is renewed.
func AcquireLease(ctx context.Context, s Store, key string, opts *LeaseOptions) (*Lease, error) {
	o := opts.withDefaults()
	if o.TTL < 0 {
		return nil, invalid(key, "lease of %v, want a positive TTL", o.TTL)
	}
	var l *Lease
	err := Update(ctx, s, func(b *Batch) error {
		last, err := requireLease[leaseFence](ctx, s, b, key)
		if err != nil {
			return err
		}
		term, err := requireLease[leaseTerm](ctx, s, b, leaseTermKey(key))
		if err != nil {
			return err
		}
		now := time.Now()
		if last.Holder != o.Holder && !o.Dead(last.Holder) && term.running(now, o) {
			return &LockedError{Name: key, Holder: last.Holder, Until: term.Until}
		}
		l = &Lease{store: s, key: key, token: last.Token + 1, ttl: o.TTL, until: now.Add(o.TTL)}
		if l.fence, err = encodeJSON(leaseFence{Token: l.token, Holder: o.Holder}); err != nil {
			return err
		}
		if l.vacant, err = encodeJSON(leaseFence{Token: l.token}); err != nil {
			return err
		}
		b.Put(key, l.fence)
		return b.PutJSON(leaseTermKey(key), leaseTerm{l.until, l.ttl})
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// requireLease reads a record of a lease, zero if it is absent, and requires in
// b that it stays as it is.
func requireLease[T any](ctx context.Context, s Store, b *Batch, key string) (v T, err error) {
	data, err := s.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		b.RequireAbsent(key)
		return v, nil
	}
	if err != nil {
		return v, err
	}
	b.Require(key, data)
	return decodeJSON[T](key, data)
}

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

// Until returns when the lease ends unless it is renewed.
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
	if err := b.PutJSON(leaseTermKey(l.key), leaseTerm{until, l.ttl}); err != nil {
		return err
	}
	if err := l.store.Commit(ctx, &b); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = until
	return nil
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

// A Holding says who holds a lease, and until when unless it is renewed.
type Holding struct {
	Holder string
	Until  time.Time
}

// LeaseHolders tells people who holds the leases under keys: those that were
// taken and not released.
func LeaseHolders(ctx context.Context, s Store, keys ...string) (map[string]Holding, error) {
	all := slices.Clone(keys)
	for _, key := range keys {
		all = append(all, leaseTermKey(key))
	}
	values, err := GetMany(ctx, s, all)
	if err != nil {
		return nil, err
	}
	holders := map[string]Holding{}
	for _, key := range keys {
		last, term := values[key], values[leaseTermKey(key)]
		if last == nil || term == nil {
			continue
		}
		f, err := decodeJSON[leaseFence](key, last)
		if err != nil {
			return nil, err
		}
		t, err := decodeJSON[leaseTerm](leaseTermKey(key), term)
		if err != nil {
			return nil, err
		}
		holders[key] = Holding{f.Holder, t.Until}
	}
	return holders, nil
}
