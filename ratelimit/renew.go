package ratelimit

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// A renewal writes to the ledger what a limiter holds and what it will hold at most until the
// next one. At most one runs at a time, in a goroutine of its own. There is one when callers
// want more than the grant gives, and it can give more (see renewalDue); and one a horizon
// after the last as long as the ledger has more written down ahead than is in flight, which
// gives back what was not needed.
type renewal struct {
	busy      chan struct{} // closed when it is over; nil if none runs
	vain      int           // that gave nothing, one after the other
	epoch     int           // a renewal that began in an earlier one gives nothing
	notBefore int64         // the next one begins
	lookAt    int64         // when others may have given up slots
}

// A draft is what a renewal is to write.
type draft struct {
	record   *record
	grant    grant
	want     int // starts that it was to get
	gives    bool
	starts   int // of the demand
	epoch    int
	isNeeded bool // it is worth a write
}

// supply starts a renewal if one is due, and returns when the next is.
func (l *Limiter) supply(now int64) (again int64) {
	if l.share == nil || l.share.busy != nil || l.limit.N == 0 {
		return never
	}
	if due := l.renewalDue(now); due > now {
		return due
	}
	l.beginRenewal(now)
	go func() { _ = l.renew(context.Background(), false) }()
	return never
}

// renewalDue returns when the next renewal is of use.
func (l *Limiter) renewalDue(now int64) int64 {
	s := l.share
	due := int64(never)
	if s.open.n > l.inFlight.count() && now < s.open.until {
		due = s.demand.began + l.horizon()
	}
	starts := s.grant.starts
	if now >= s.grant.until {
		starts = 0
	}
	wanted := l.wanted(now)
	switch {
	case wanted > starts || s.demand.ahead > 0 && starts <= s.demand.ahead/2:
		// Own slots are asked for again shortly before they are free.
		own := l.slotAt(now, starts, s.grant.slots) - l.horizon()/2
		due = min(due, max(s.notBefore, min(own, s.lookAt)))
	case wanted > max(0, s.grant.slots-l.taken()):
		due = min(due, max(s.notBefore, s.lookAt))
	}
	return due
}

// beginRenewal is to be followed by renew.
func (l *Limiter) beginRenewal(now int64) {
	l.share.demand.measure(now, l.horizon(), l.limit)
	l.share.busy = make(chan struct{})
}

// renew runs a renewal. To release is to give up all that is not in use.
func (l *Limiter) renew(ctx context.Context, release bool) error {
	s := l.share
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	d, err := l.exchange(ctx, release)
	if err != nil {
		err = fmt.Errorf("ratelimit: ledger: %w", err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	close(s.busy)
	s.busy = nil
	now := l.tick()
	switch {
	case l.limit.N == 0: // it was lifted meanwhile
		return err
	case err != nil:
		s.notBefore = now + l.pause()
		if !s.mayStart(now) {
			l.refuseAll(now, err)
		}
	case d.isNeeded && d.epoch == s.epoch: // it is written
		s.grant = d.grant
		s.grant.starts -= s.demand.starts - d.starts
	}
	if err == nil && d.grant.starts < d.want {
		l.refuseAll(now, nil)
	}
	l.pump(now)
	return err
}

// exchange drafts and writes until a write succeeds or none is needed.
func (l *Limiter) exchange(ctx context.Context, release bool) (draft, error) {
	s := l.share
	for {
		content, err := s.ledger.Load(ctx)
		if err != nil {
			return draft{}, err
		}
		r, err := readRecord(content, s.term)
		if err != nil {
			return draft{}, err
		}
		d := l.draft(r, release)
		if !d.isNeeded {
			return d, nil
		}
		next, err := json.Marshal(d.record)
		if err != nil {
			return d, err
		}
		ok, err := s.ledger.Swap(ctx, content, next)
		if err != nil {
			return d, err
		}
		if ok {
			return d, nil
		}
	}
}

// draft decides what this limiter is to have, by what the ledger holds. From here on the
// limiter keeps to the old grant and to the new one: the write may succeed although it seems
// to fail, and late.
func (l *Limiter) draft(r *record, release bool) draft {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.share
	now := l.tick()
	d := draft{record: r, starts: s.demand.starts, epoch: s.epoch}
	if l.limit.N == 0 {
		return d
	}
	s.see(r, now)
	fixed, demands := l.weigh(r, now)
	if !release {
		d.want = l.wanted(now) + s.demand.ahead
	}
	grow, soon, isYielding := l.portion(now, d.want, fixed, demands)
	starts := min(d.want, max(0, grow+soon))
	taking := min(grow, starts)
	d.grant = grant{max(0, l.taken()+taking), starts, now + int64(lease)}
	has := s.grant
	d.gives = d.want > 0 && (starts > has.starts || d.grant.slots > has.slots ||
		starts > 0 && has.until-now < int64(lease/2))
	l.planLook(now, &d, grow > taking, isYielding)

	own := l.describe(now, &d)
	d.isNeeded = d.gives || l.isNews(now, own, r.Holders[s.id])
	if !d.isNeeded {
		return d
	}
	s.grant.slots = min(s.grant.slots, d.grant.slots)
	s.grant.starts = min(s.grant.starts, starts)
	s.open = open{own.Open, now + s.term}
	r.Rev++
	own.Rev = r.Rev
	if r.Holders[s.id] = own; own.Share == 0 && own.Want == 0 {
		delete(r.Holders, s.id)
	}
	elapsed := func(id string, h *holder) int64 { return s.elapsed(id, h, now) }
	r.bury(int64(l.limit.Window)/grains, elapsed)
	return d
}

// planLook decides when the next renewal can give more slots: at once if some are left, else
// when others have fewer by mere passing of time, or after a pause if they may give some up.
func (l *Limiter) planLook(now int64, d *draft, isMoreLeft, isYielding bool) {
	s := l.share
	s.notBefore, s.lookAt = now, now
	if d.gives {
		s.vain = 0
	}
	if !isMoreLeft {
		s.lookAt = s.others.next
		if s.others.isLive || isYielding {
			s.lookAt = min(s.lookAt, now+l.pause())
		}
	}
	switch {
	case isYielding: // own slots that become free are for others
		s.notBefore = s.lookAt
	case d.grant.starts < d.want:
		s.notBefore += int64(100 * time.Millisecond)
	}
}

// pause is how long to wait after a renewal in vain: a second, twice as long after each, but
// no longer than a horizon.
func (l *Limiter) pause() int64 {
	s := l.share
	d := min(int64(time.Second)<<s.vain, l.horizon())
	s.vain = min(s.vain+1, 10)
	return d/2 + rand.Int64N(d)
}

// describe returns what a draft says of this holder.
func (l *Limiter) describe(now int64, d *draft) *holder {
	h := &holder{
		At:    l.share.clock.latest(now),
		Share: max(d.grant.slots, l.taken()),
		Open:  l.inFlight.count() + d.grant.starts,
		Term:  l.share.term,
		Want:  min(max(0, d.want-d.grant.starts), l.limit.N),
	}
	grain := int64(l.limit.Window) / grains
	for left, age := l.cooling.len(), int64(0); left > 0; age += grain {
		older := l.cooling.before(now - age - grain)
		if older < left {
			h.Done = append(h.Done, cohort{age, left - older})
		}
		left = older
	}
	return h
}

// isNews reports whether others should know what a draft says of this holder instead of what
// it said before: it gives something back, or its callers still wait.
func (l *Limiter) isNews(now int64, own, old *holder) bool {
	if old == nil {
		return own.Share+own.Want > 0
	}
	isOld := now > l.share.grant.until-int64(lease)+3*l.horizon()
	if own.Want == 0 {
		return own.Open < old.Open || old.Want > 0
	}
	return own.Want > 2*old.Want || isOld
}

// Flush reports to the ledger all requests that are done and gives back what is not in use, so
// that a restart, or another process, finds all that is left of the budget. Call it before a
// process ends. Without a ledger it does nothing. The limiter stays usable.
func (l *Limiter) Flush(ctx context.Context) error {
	if l.share == nil {
		return nil
	}
	for {
		l.mu.Lock()
		busy := l.share.busy
		if busy == nil {
			l.beginRenewal(l.tick())
		}
		l.mu.Unlock()
		if busy == nil {
			return l.renew(ctx, true)
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return fmt.Errorf("ratelimit: flush: %w", ctx.Err())
		}
	}
}
