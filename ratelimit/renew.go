package ratelimit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// A renewal writes to the ledger what a limiter holds and what it will hold at most
// until the next one. At most one runs at a time, in a goroutine of its own; its
// fields are guarded by the limiter's mutex, except content, which only the running
// renewal touches.
type renewal struct {
	busy    chan struct{} // closed when it is over; nil if none runs
	err     error         // of the last one
	fails   int           // that failed, one after the other
	polls   int           // that gave nothing, one after the other
	epoch   int           // a renewal that began in an earlier one gives nothing
	wrote   int64         // when the last one that was written was drafted
	content []byte        // of the ledger, while there are no other holders; else nil
}

// A draft is what a renewal is to write.
type draft struct {
	record   *record
	grant    grant
	want     int // starts that it was to get
	at       int64
	started  int
	epoch    int
	open     int  // as it says of this holder
	spare    int  // slots that it has and does not use
	isNeeded bool // it is worth a write
}

// startRenewal runs a renewal unless one is running. To release is to give up all that
// is not in use.
func (l *Limiter) startRenewal(now int64, release bool) {
	s := l.share
	if s.renewal.busy != nil || l.limit.N == 0 {
		return
	}
	s.demand.measure(now, l.horizon(), l.limit)
	s.renewal.busy = make(chan struct{})
	go l.renew(release)
}

func (l *Limiter) renew(release bool) {
	s := l.share
	ctx, cancel := context.WithTimeout(context.Background(), ledgerTimeout)
	defer cancel()
	d, err := l.exchange(ctx, release)

	l.mu.Lock()
	defer l.mu.Unlock()
	close(s.renewal.busy)
	s.renewal.busy, s.renewal.err = nil, err
	now := l.tick()
	s.demand.latency = now - s.demand.began
	if l.limit.N == 0 {
		return // the limit was lifted meanwhile
	}
	if err != nil {
		s.renewal.fails = min(s.renewal.fails+1, 4)
		at := now + int64(time.Second)<<s.renewal.fails/4 + rand.Int64N(int64(time.Second))
		s.look = look{at, at}
		if !s.mayStart(now) {
			l.failAll(err)
		}
	} else {
		s.renewal.fails = 0
		if d.grant.starts < d.want {
			l.refuseLate(now)
		}
	}
	l.pump(now)
	l.setRest(now)
}

// exchange drafts and writes until a write succeeds or none is needed.
func (l *Limiter) exchange(ctx context.Context, release bool) (draft, error) {
	s := l.share
	content := s.renewal.content
	s.renewal.content = nil
	for isRead := content != nil; ; isRead = false {
		if !isRead {
			var err error
			if content, err = s.ledger.Load(ctx); err != nil {
				return draft{}, fmt.Errorf("ratelimit: ledger: %w", err)
			}
		}
		r, err := readRecord(content, s.full())
		if err != nil {
			return draft{}, fmt.Errorf("ratelimit: ledger: %w", err)
		}
		d := l.draft(r, release)
		if d.isNeeded {
			next, err := json.Marshal(d.record)
			if err != nil {
				return d, fmt.Errorf("ratelimit: ledger: %w", err)
			}
			ok, err := s.ledger.Swap(ctx, content, next)
			if err != nil {
				return d, fmt.Errorf("ratelimit: ledger: %w", err)
			}
			if !ok {
				continue // somebody else has written
			}
			content = next
			l.settle(d)
		}
		if len(d.record.Holders) == 1 && d.record.Holders[s.id] != nil {
			s.renewal.content = content
		}
		return d, nil
	}
}

// draft decides what this limiter is to have, by what the ledger holds. From here on
// the limiter keeps to the old grant and to the new one: the write may succeed
// although it seems to fail, and late.
func (l *Limiter) draft(r *record, release bool) draft {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.share
	now := l.tick()
	d := draft{record: r, at: now, started: s.demand.started, epoch: s.renewal.epoch}
	if l.limit.N == 0 {
		return d
	}
	s.see(r, now)
	window := l.limit.Window.Milliseconds()
	fixed, demands := s.weigh(r, now, l.limit)
	if !release {
		d.want = l.wanted(now) + s.demand.ahead
	}
	grow, soon, isYielding := l.portion(now, d.want, fixed, demands)
	d.grant.starts = min(d.want, max(0, grow+soon))
	d.grant.slots = max(0, l.taken()+min(grow, d.grant.starts))
	d.grant.until = now + int64(lease)
	l.planLook(now, &d, grow, isYielding)

	own := l.describe(now, &d, window)
	d.isNeeded = l.isNeeded(now, &d, own, release)
	if !d.isNeeded {
		return d
	}
	s.grant.slots = min(s.grant.slots, d.grant.slots)
	s.grant.starts = min(s.grant.starts, d.grant.starts)
	l.tidy(now, r)
	r.Rev++
	own.Rev = r.Rev
	if r.Holders[s.id] = own; own.Share == 0 && own.Want == 0 {
		delete(r.Holders, s.id)
	}
	return d
}

// portion decides how many slots this limiter may take beyond those in use, which is
// less than none where the quota is overdrawn, and how many of its own it may use again
// that will be free within the horizon.
//
// While all holders together want more than there is, each is to get the same. One that
// has more gives up slots as they become free: it uses so many of them again that
// from now on it sends no more than any other.
func (l *Limiter) portion(now int64, want, fixed int, demands []int) (grow, soon int, isYielding bool) {
	taken := l.taken()
	grow = l.limit.N - l.share.others.slots - taken
	soon = l.cooling.before(now + l.horizon() - int64(l.limit.Window))
	level := fairLevel(l.limit.N-fixed, append(demands, taken+want))
	fair := math.Floor(level + rand.Float64()) // so that a part of a slot is had for a part of the time
	switch {
	case math.IsInf(level, 1):
	case float64(taken) <= fair:
		grow = min(grow, int(fair)-taken)
	default:
		had := l.share.grant.slots
		keep := float64(max(0, had-taken)) * level / float64(max(had, 1))
		return min(grow, int(keep+rand.Float64())), 0, true
	}
	return grow, soon, false
}

// planLook decides when the next renewal makes sense: at once if this one gives all
// that is wanted, else shortly before a slot is free that it does not cover, or when
// others may have given something up.
func (l *Limiter) planLook(now int64, d *draft, grow int, isYielding bool) {
	s := l.share
	taking := min(grow, d.grant.starts)
	s.look = look{now, now}
	if d.grant.starts > 0 {
		s.renewal.polls = 0
	}
	if grow <= taking {
		s.look.slots = s.others.next
		if s.others.isLive || isYielding {
			s.look.slots = min(s.look.slots, now+l.pollEvery())
		}
	}
	if d.grant.starts < d.want {
		s.look.starts = s.look.slots
		if i := d.grant.starts - taking; i < l.cooling.len() {
			s.look.starts = min(s.look.starts, l.cooling.at(i)+int64(l.limit.Window)-l.horizon()/2)
		}
		soon := now + int64(100*time.Millisecond)
		s.look = look{max(s.look.starts, soon), max(s.look.slots, soon)}
	}
}

// describe returns what a draft says of this holder.
func (l *Limiter) describe(now int64, d *draft, window int64) *holder {
	taken := l.taken()
	d.open = l.inFlight.count + d.grant.starts
	d.spare = max(0, d.grant.slots-taken)
	h := &holder{
		At:    l.share.clock.latest(now),
		Share: max(d.grant.slots, taken),
		Open:  d.open,
		Term:  milli(l.share.term),
		Want:  min(max(0, d.want-d.grant.starts), l.limit.N),
	}
	left := l.cooling.len()
	if left > 0 {
		h.Grain = max(1, window/grains)
	}
	for age := h.Grain; left > 0; age += h.Grain {
		older := l.cooling.before(now - age*int64(time.Millisecond))
		h.Done = append(h.Done, left-older)
		left = older
	}
	return h
}

// isNeeded reports whether a draft is worth a write.
func (l *Limiter) isNeeded(now int64, d *draft, own *holder, release bool) bool {
	s := l.share
	old := d.record.Holders[s.id]
	switch {
	case d.record.isBroken, old == nil && own.Share > 0:
		return true
	case d.want > 0 && (d.grant.starts > s.grant.starts || d.grant.slots > s.grant.slots),
		d.grant.starts > 0 && s.grant.until-now < int64(lease/2):
		return true // it gives something
	case old == nil:
		return own.Want > 0 && s.others.count > 0
	case release:
		return own.Open < old.Open || own.Share < old.Share || own.Want < old.Want
	case s.others.count == 0:
		return false
	}
	return own.Want > old.Want+old.Want/4 || own.Want == 0 && old.Want > 0 ||
		own.Want > 0 && now-s.renewal.wrote > int64(l.limit.silence()/3)
}

// tidy dates what other holders wrote without knowing the server's time, and keeps the
// record short.
func (l *Limiter) tidy(now int64, r *record) {
	s := l.share
	at := s.clock.latest(now)
	for id, h := range r.Holders {
		if h.At == 0 && at != 0 {
			h.rebase(s.elapsed(id, h, now), r.Rev+1, at)
		}
	}
	r.fold(func(id string, h *holder) int64 { return s.elapsed(id, h, now) }, at)
}

// settle takes in a draft that is written.
func (l *Limiter) settle(d draft) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.share
	s.renewal.wrote = d.at
	s.rest.open, s.rest.spare = d.open, d.spare
	if d.epoch == s.renewal.epoch {
		d.grant.starts -= s.demand.started - d.started
		s.grant = d.grant
	}
}

func milli(ns int64) int64 { return (ns + int64(time.Millisecond) - 1) / int64(time.Millisecond) }

// A rest is the end of work: a limiter that starts no more requests gives back what it
// does not use.
type rest struct {
	timer    *time.Timer
	isSet    bool
	isActive bool // requests have started since the timer was set
	open     int  // as the ledger has it
	spare    int
}

// setRest sets the timer after which an idle limiter gives back what is left, unless
// that is over by itself because the ledger could not be written for so long.
func (l *Limiter) setRest(now int64) {
	s := l.share
	if s.rest.isSet || l.limit.N == 0 || s.rest.open+s.rest.spare == 0 || now > s.renewal.wrote+s.term {
		return
	}
	s.rest.isSet, s.rest.isActive = true, false
	after := time.Duration(l.horizon())
	if s.rest.timer == nil {
		s.rest.timer = time.AfterFunc(after, l.comeToRest)
	} else {
		s.rest.timer.Reset(after)
	}
}

func (l *Limiter) comeToRest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.share
	s.rest.isSet = false
	now := l.tick()
	if !s.rest.isActive && l.waiters.n == 0 && (s.rest.open > l.inFlight.count || s.rest.spare > 0) {
		l.startRenewal(now, true)
	}
	if s.renewal.busy == nil {
		l.setRest(now)
	}
}

// Flush reports to the ledger all requests that are done and gives back what is not in
// use, so that a restart, or another process, finds all that is left of the budget.
// Call it before a process ends. Without a ledger it does nothing. The limiter stays
// usable.
func (l *Limiter) Flush(ctx context.Context) error {
	if l.share == nil {
		return nil
	}
	for isOurs := false; ; {
		l.mu.Lock()
		busy, err := l.share.renewal.busy, l.share.renewal.err
		if busy == nil && !isOurs {
			isOurs = true
			l.startRenewal(l.tick(), true)
			busy, err = l.share.renewal.busy, nil
		}
		l.mu.Unlock()
		if busy == nil {
			return err
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return fmt.Errorf("ratelimit: flush: %w", ctx.Err())
		}
	}
}
