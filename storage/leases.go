package storage

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// Leases takes leases in a [Store] for one holder. It is safe for concurrent use.
//
// No two clocks are ever compared, and no time is stored. A holder renews its lease by
// changing its record, and trusts the lease for TTL since it began to do so. Others
// watch: they take a lease from another holder when its record has not changed for
// that holder's TTL, measured by the monotonic clock of whoever watches and counted
// from its first look at the record. So a lease is never taken before its holder has
// stopped trusting it, whatever the wall clocks say and whenever they are set.
//
// A lease that was given back, or whose holder is known to have ended (see
// [LeaseOptions.Dead]), is free at once, and a holder takes its own lease at once. All
// other leases of holders that stopped take one TTL of watching, however long ago it
// was. What was seen is remembered from one Acquire to the next, so use one Leases in a
// process, for as long as it runs.
type Leases struct {
	store Store
	opts  LeaseOptions

	mu      sync.Mutex
	watched map[string]sighting // by key: of leases that others held at the last look
	sweepAt int                 // how many of them are looked through for old ones
}

// LeaseOptions are the options of [NewLeases].
type LeaseOptions struct {
	// Holder names who holds the leases, to people and to the leases: a holder
	// takes its own lease at once, which fences its former self off. So it must
	// be unique among those that run at the same time.
	// Defaults to a [NewHolder].
	Holder string
	// TTL is how long a lease lasts without being renewed. It must exceed the time
	// that a few commits take. Defaults to 30 seconds.
	TTL time.Duration
	// Dead reports holders that are known to have ended. Their leases are taken at
	// once. Defaults to none.
	Dead func(holder string) bool
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
	return opts
}

// NewHolder returns a name that nobody else has: the host, the process id and a
// random number.
func NewHolder() string {
	host, _ := os.Hostname() // an unknown host still leaves a unique name
	return fmt.Sprintf("%s/%d/%08x", cmp.Or(host, "localhost"), os.Getpid(), rand.Uint32())
}

// NewLeases returns the Leases of one holder.
func NewLeases(s Store, opts *LeaseOptions) *Leases {
	return &Leases{store: s, opts: opts.withDefaults(), watched: map[string]sighting{}, sweepAt: minSweep}
}

// Acquire takes the lease under key, which uses key and key + "/term". If another
// holds it, Acquire fails at once with a [LockedError] that says who, and when the
// lease can be taken if its holder does not renew it.
func (l *Leases) Acquire(ctx context.Context, key string) (*Lease, error) {
	if l.opts.TTL < 0 {
		return nil, invalid(key, "lease of %v, want a positive TTL", l.opts.TTL)
	}
	var lease *Lease
	err := Update(ctx, l.store, func(b *Batch) error {
		now := time.Now()
		rec, err := l.read(ctx, key)
		if err != nil {
			return err
		}
		if until := l.heldUntil(key, rec); now.Before(until) {
			return &LockedError{Name: key, Holder: rec.Holder, Until: until}
		}
		rec.require(b, key)
		lease = &Lease{store: l.store, key: key, token: rec.Token + 1, ttl: l.opts.TTL, until: now.Add(l.opts.TTL)}
		if lease.fence, err = encodeJSON(leaseFence{lease.token, l.opts.Holder}); err != nil {
			return err
		}
		if lease.vacant, err = encodeJSON(leaseFence{Token: lease.token}); err != nil {
			return err
		}
		b.Put(key, lease.fence)
		return b.PutJSON(leaseTermKey(key), leaseTerm{TTL: lease.ttl})
	})
	if err != nil {
		return nil, err
	}
	l.forget(key)
	return lease, nil
}

// Holders returns who holds the leases under keys, as far as this process knows: a
// lease that was not renewed for its TTL while it was watched has no holder any more.
// Each call is a look, as Acquire is.
func (l *Leases) Holders(ctx context.Context, keys ...string) (map[string]string, error) {
	now := time.Now()
	records, err := l.readAll(ctx, keys...)
	if err != nil {
		return nil, err
	}
	holders := map[string]string{}
	for _, key := range keys {
		rec := records[key]
		if own := rec.held() && rec.Holder == l.opts.Holder; own || now.Before(l.heldUntil(key, rec)) {
			holders[key] = rec.Holder
		}
	}
	return holders, nil
}

// A leaseRecord is what the store has of one lease.
type leaseRecord struct {
	leaseFence
	leaseTerm
	fence, term []byte // nil if absent
}

// held reports whether the lease was taken and not given back.
func (r leaseRecord) held() bool { return r.Holder != "" && r.term != nil }

// require adds to b that the record stays as it was read.
func (r leaseRecord) require(b *Batch, key string) {
	requireAs(b, key, r.fence)
	requireAs(b, leaseTermKey(key), r.term)
}

// requireAs adds to b that key has this value, or none if it is nil.
func requireAs(b *Batch, key string, value []byte) {
	if value == nil {
		b.RequireAbsent(key)
		return
	}
	b.Require(key, value)
}

func (l *Leases) read(ctx context.Context, key string) (leaseRecord, error) {
	records, err := l.readAll(ctx, key)
	return records[key], err
}

func (l *Leases) readAll(ctx context.Context, keys ...string) (map[string]leaseRecord, error) {
	all := make([]string, 0, 2*len(keys))
	for _, key := range keys {
		all = append(all, key, leaseTermKey(key))
	}
	values, err := GetMany(ctx, l.store, all)
	if err != nil {
		return nil, err
	}
	records := make(map[string]leaseRecord, len(keys))
	for _, key := range keys {
		rec, err := decodeLease(key, values)
		if err != nil {
			return nil, err
		}
		records[key] = rec
	}
	return records, nil
}

func decodeLease(key string, values map[string][]byte) (r leaseRecord, err error) {
	if fence, ok := values[key]; ok {
		r.fence = append([]byte{}, fence...) // not nil, even if it is empty
		if r.leaseFence, err = decodeJSON[leaseFence](key, fence); err != nil {
			return r, err
		}
	}
	if term, ok := values[leaseTermKey(key)]; ok {
		r.term = append([]byte{}, term...)
		r.leaseTerm, err = decodeJSON[leaseTerm](leaseTermKey(key), term)
	}
	return r, err
}

// A sighting is a state of a lease's record and since when it was seen unchanged.
type sighting struct {
	token, renewal uint64
	since, looked  time.Time
}

// heldUntil notes a look at the record of a lease and returns until when another
// holder has it if the record does not change: zero if nobody else does. It is called
// after the record was read, and what it returns is to be compared with a time from
// before: so the record was the same at two moments that were at least a TTL apart.
func (l *Leases) heldUntil(key string, r leaseRecord) time.Time {
	if !r.held() || r.Holder == l.opts.Holder || l.opts.Dead(r.Holder) {
		l.forget(key)
		return time.Time{}
	}
	ttl := r.TTL
	if ttl <= 0 { // no holder writes that
		ttl = l.opts.TTL
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.watched[key]
	s.looked = time.Now()
	if !ok || s.token != r.Token || s.renewal != r.Renewal {
		s.token, s.renewal, s.since = r.Token, r.Renewal, s.looked
	}
	l.watched[key] = s
	l.sweep(s.looked)
	return s.since.Add(ttl)
}

func (l *Leases) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watched, key)
}

const (
	minSweep   = 1024
	sweepAfter = time.Hour
)

// sweep drops what nobody has looked at for long, whenever there is twice as much as
// was left by the last sweep. Whoever looks at it again has to watch it anew.
func (l *Leases) sweep(now time.Time) {
	if len(l.watched) < l.sweepAt {
		return
	}
	maps.DeleteFunc(l.watched, func(_ string, s sighting) bool { return now.Sub(s.looked) > sweepAfter })
	l.sweepAt = max(minSweep, 2*len(l.watched))
}
