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
	drafted   grant         // what it gives when it has succeeded
	began     int64         // when the last one did
	before    int           // requests that had started by then
	ahead     int           // requests to expect before a renewal after the next can help
	vain      int           // renewals that gave nothing, one after the other
	notBefore int64         // the next one begins
	lookAt    int64         // when others may have given up slots
}

// ledgerTimeout ends one renewal. It is well below grantTerm.
const ledgerTimeout = 20 * time.Second

// supply starts a renewal if one is due, and returns when the next is.
func (l *Limiter) supply(now int64) (again int64) {
	if l.opts.Ledger == nil || l.share.busy != nil || l.limit.N == 0 {
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
	s := &l.share
	due := int64(never)
	if s.open > l.inFlight.n && now < s.drafted.until+int64(l.opts.HoldTimeout) {
		due = s.began + l.horizon()
	}
	starts, wanted := s.startsLeft(now), l.wanted(now)
	switch {
	case wanted > starts || s.ahead > 0 && starts <= s.ahead/2:
		// Own slots are asked for again shortly before they are free.
		own := l.slotAt(now, starts, s.grant.slots) - l.horizon()/2
		due = min(due, max(s.notBefore, min(own, s.lookAt)))
	case wanted > max(0, s.grant.slots-l.taken()):
		due = min(due, max(s.notBefore, s.lookAt))
	}
	return due
}

// wanted is how many slots the callers that wait could use at once.
func (l *Limiter) wanted(now int64) int {
	interactive, background := l.waiters.queues[Interactive].Len(), l.waiters.queues[Background].Len()
	if background > 0 {
		turns := 1 + max(0, int(l.spread.TokensAt(l.time(now))))
		background = min(background, turns) + l.reserve(now, Background) // which has to stay free
	}
	return interactive + background
}

// beginRenewal is to be followed by renew. The requests since the last renewal tell how many to
// expect until the next.
func (l *Limiter) beginRenewal(now int64) {
	s := &l.share
	perNano := float64(s.starts-s.before) / float64(max(now-s.began, l.horizon()/4, 1))
	s.ahead = max(0, int(min(perNano*float64(l.horizon()), float64(max(4, l.limit.N/20)))))
	s.before, s.began = s.starts, now
	s.busy = make(chan struct{})
}

// renew runs a renewal. To release is to give up all that is not in use.
func (l *Limiter) renew(ctx context.Context, release bool) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	err := l.write(ctx, release)
	if err != nil {
		err = fmt.Errorf("ratelimit: ledger: %w", err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.share
	close(s.busy)
	s.busy = nil
	now := l.tick()
	switch {
	case l.limit.N == 0: // it was lifted meanwhile
		return err
	case err == nil:
		s.grant = s.drafted
		l.refuseAll(now, nil)
	default:
		s.notBefore = now + l.pause()
		if s.startsLeft(now) == 0 {
			l.refuseAll(now, err)
		}
	}
	l.pump(now)
	return err
}

// write drafts and writes until a write succeeds or none is needed.
func (l *Limiter) write(ctx context.Context, release bool) error {
	for {
		content, err := l.opts.Ledger.Load(ctx)
		if err != nil {
			return err
		}
		r, err := readRecord(content, l.term())
		if err != nil {
			return err
		}
		if isNeeded := l.draft(r, release); !isNeeded {
			return nil
		}
		next, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if ok, err := l.opts.Ledger.Swap(ctx, content, next); ok || err != nil {
			return err
		}
	}
}

// draft decides what this limiter is to have, by what the ledger holds, and enters it in the
// record. It reports whether that is worth a write. From here on the limiter keeps to the old
// grant and to the new one: the write may succeed although it seems to fail, and late.
func (l *Limiter) draft(r *record, release bool) (isNeeded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.share
	now := l.tick()
	if l.limit.N == 0 {
		return false
	}
	s.see(r, now)
	fixed, demands := l.weigh(r, now)
	want := 0
	if !release {
		want = l.wanted(now) + s.ahead
	}
	grow, soon, isYielding := l.portion(now, want, fixed, demands)
	starts := min(want, max(0, grow+soon))
	taking := min(grow, starts)
	next := grant{max(0, l.taken()+taking), s.starts + starts, now + int64(grantTerm)}
	gives := want > 0 && (next.upTo > s.grant.upTo || next.slots > s.grant.slots ||
		starts > 0 && s.grant.until-now < int64(grantTerm/2))
	if gives {
		s.vain = 0
	}
	l.planNext(now, grow > taking, isYielding, starts < want)

	own := l.describe(now, next, starts, want)
	s.drafted = s.grant
	if !gives && !l.isNews(now, own, r.Holders[s.id]) {
		return false
	}
	s.grant.slots = min(s.grant.slots, next.slots)
	s.grant.upTo = min(s.grant.upTo, next.upTo)
	s.drafted, s.open = next, own.Open
	r.Rev++
	own.Rev = r.Rev
	if r.Holders[s.id] = own; own.Share == 0 && own.Want == 0 {
		delete(r.Holders, s.id)
	}
	r.bury(int64(l.limit.Window) / grains)
	return true
}

// planNext decides when the next renewal can give more slots: at once if more are left, else
// when others have fewer by mere passing of time, or after a pause if they may give some up.
// A limiter that yields leaves to others those of its own that become free.
func (l *Limiter) planNext(now int64, isMoreLeft, isYielding, isShort bool) {
	s := &l.share
	s.notBefore, s.lookAt = now, now
	if !isMoreLeft {
		s.lookAt = s.others.next
		if s.others.isLive || isYielding {
			s.lookAt = min(s.lookAt, now+l.pause())
		}
	}
	if isYielding {
		s.notBefore = s.lookAt
	} else if isShort {
		s.notBefore += int64(100 * time.Millisecond)
	}
}

// pause is how long to wait after a renewal in vain: a second, twice as long after each, but
// no longer than a horizon.
func (l *Limiter) pause() int64 {
	s := &l.share
	d := min(int64(time.Second)<<s.vain, l.horizon())
	s.vain = min(s.vain+1, 10)
	return d/2 + rand.Int64N(d)
}

// describe returns what the ledger is to say of this limiter when it has a grant that leaves it
// so many starts, of those that it wants.
func (l *Limiter) describe(now int64, g grant, starts, want int) *holder {
	h := &holder{
		At:    l.share.clock.latest(now),
		Share: max(g.slots, l.taken()),
		Open:  l.inFlight.n + starts,
		Term:  l.term(),
		Want:  min(want-starts, l.limit.N),
	}
	grain := int64(l.limit.Window) / grains
	for left, age := l.cooling.n, int64(0); left > 0; age += grain {
		older := l.cooling.before(now - age - grain)
		if older < left {
			h.Done = append(h.Done, cohort{age, left - older})
		}
		left = older
	}
	return h
}

// isNews reports whether others should know what a draft says of this limiter instead of what
// the ledger said before: it gives something back, or its callers still wait.
func (l *Limiter) isNews(now int64, own, old *holder) bool {
	if old == nil {
		return own.Share+own.Want > 0
	}
	if own.Want == 0 {
		return own.Open < old.Open || old.Want > 0
	}
	isOld := now > l.share.grant.until-int64(grantTerm)+3*l.horizon()
	return own.Want > 2*old.Want || isOld
}

// Flush reports to the ledger all requests that are done and gives back what is not in use, so
// that a restart, or another process, finds all that is left of the budget. Call it before a
// process ends. Without a ledger it does nothing. The limiter stays usable.
func (l *Limiter) Flush(ctx context.Context) error {
	if l.opts.Ledger == nil {
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
