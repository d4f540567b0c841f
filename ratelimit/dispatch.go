package ratelimit

import "time"

// pump serves the callers that can be served and sets the alarm for the next.
func (l *Limiter) pump(now int64) {
	at := int64(never)
	for l.waiters.n > 0 {
		if at = l.opensAt(now, 0); at > now {
			break
		}
		var w *waiter
		var isSpreadOut bool
		if w, isSpreadOut, at = l.choose(now); w == nil {
			break
		}
		l.waiters.leave(w)
		w.permit = l.admit(now, w.route, isSpreadOut)
		close(w.ready)
		at = never
	}
	if l.share != nil && l.waiters.n > 0 {
		at = min(at, l.supply(now))
	}
	at = min(at, l.freezes.wakeAt())
	l.alarm.set(now, at, l.wake)
}

func (l *Limiter) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alarm.at = never
	l.pump(l.tick())
}

// choose returns the caller who gets the slot that is open, or when there may be
// one. Interactive callers go first, but when background callers wait as well,
// every so manieth slot is theirs, whether they are spread out or not.
func (l *Limiter) choose(now int64) (w *waiter, isSpreadOut bool, again int64) {
	interactive := l.front(now, Interactive)
	background := l.front(now, Background)
	switch {
	case background == nil:
		return interactive, false, never
	case interactive == nil:
		if at := l.opensAt(now, l.reserve(now, Background)); at > now {
			return nil, false, min(at, l.waiters.lastInteractive+int64(reserveFor)+1) // there is no reserve any more by then
		}
		if l.spread.take(l.time(now)) {
			return background, true, 0
		}
		return nil, false, now + l.spread.wait(l.time(now), 0)
	case l.waiters.turn >= l.waiters.every-1:
		l.waiters.turn = 0
		return background, l.spread.take(l.time(now)), 0
	}
	l.waiters.turn++
	return interactive, false, 0
}

// front returns the first caller of a priority, after moving those whose route is
// frozen out of the way.
func (l *Limiter) front(now int64, p Priority) *waiter {
	q := &l.waiters.queues[p]
	for w := q.first; w != nil; w = q.first {
		if l.freezes.endsAt(now, w.route) <= now {
			return w
		}
		q.remove(w)
		l.freezes[w.route].parked[p].push(w)
	}
	return nil
}

// refuse returns an error if a caller has a deadline that cannot be met, given how
// many others take a slot before it, and how many of its own priority.
func (l *Limiter) refuse(w *waiter, now int64, ahead, equals int) error {
	if w.deadline == never {
		return nil
	}
	at, why := now, ""
	later := func(t int64, because string) {
		if t > at {
			at, why = t, because
		}
	}
	for _, route := range []string{"", w.route} {
		if z := l.freezes[route]; z != nil {
			later(z.until, z.why)
		}
	}
	if s := &l.server; s.known && s.count >= max(s.allowed, 1) {
		later(s.end, "the server's window is full")
	}
	if w.priority == Background {
		later(now+l.spread.wait(l.time(now), equals), "background work is spread out")
	}
	later(l.expect(now, ahead), "all slots are taken")
	if at <= w.deadline {
		return nil
	}
	return &DeadlineError{
		Limit:    l.limit,
		Why:      why,
		Free:     l.time(at),
		Deadline: l.time(w.deadline),
	}
}

// expect returns when the slot after the next k ones is to be expected, or now if
// that cannot be known.
func (l *Limiter) expect(now int64, k int) int64 {
	n := l.limit.N
	if n == 0 {
		return now
	}
	next := int64(never)
	if s := l.share; s != nil {
		if !s.others.isKnown || s.others.isLive || s.renewal.busy != nil {
			return now
		}
		n, next = n-s.others.slots, s.others.next
	}
	return max(now, min(l.slotAt(now, k, n), next))
}

// fail ends the wait of a caller with an error.
func (l *Limiter) fail(w *waiter, err error) {
	l.waiters.leave(w)
	w.err = err
	close(w.ready)
}

// failAll ends the wait of all callers.
func (l *Limiter) failAll(err error) {
	for p := range l.waiters.queues {
		for w := l.waiters.queues[p].first; w != nil; w = l.waiters.queues[p].first {
			l.fail(w, err)
		}
	}
}

// refuseLate ends the wait of callers whose deadline cannot be met by what is
// now known.
func (l *Limiter) refuseLate(now int64) {
	for p := range l.waiters.queues {
		k := 0
		for w := l.waiters.queues[p].first; w != nil; {
			next := w.next
			if err := l.refuse(w, now, k, k); err != nil {
				l.fail(w, err)
			} else {
				k++
			}
			w = next
		}
	}
}

// An alarm is a timer that knows when it is set for.
type alarm struct {
	timer *time.Timer
	at    int64 // never: not set
}

func (a *alarm) set(now, at int64, ring func()) {
	if at == a.at {
		return
	}
	a.at = at
	switch {
	case at == never:
		a.timer.Stop()
	case a.timer == nil:
		a.timer = time.AfterFunc(time.Duration(at-now), ring)
	default:
		a.timer.Reset(time.Duration(at - now))
	}
}
