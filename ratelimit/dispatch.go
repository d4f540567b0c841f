package ratelimit

import "time"

// pump serves the callers that can be served and sets the timer for the next.
func (l *Limiter) pump(now int64) {
	at := int64(never)
	for l.waiting > 0 {
		if at = l.opensAt(now); at > now {
			break
		}
		var w *waiter
		var smoothed bool
		if w, smoothed, at = l.choose(now); w == nil {
			break
		}
		l.leave(w)
		w.permit = l.admit(now, smoothed)
		close(w.ready)
		at = never
	}
	if l.waiting > 0 && l.book != nil {
		at = min(at, l.supply(now))
	}
	at = min(at, l.thawAt())
	if l.book != nil {
		l.hush(now)
	}
	l.arm(now, at)
}

// choose returns the caller who gets the slot that is open, or when there may be
// one. Interactive callers go first, but when background callers wait as well,
// every so manieth slot is theirs, smoothing or not.
func (l *Limiter) choose(now int64) (w *waiter, smoothed bool, again int64) {
	interactive := l.front(now, Interactive)
	background := l.front(now, Background)
	switch {
	case background == nil:
		return interactive, false, never
	case interactive == nil:
		if l.smooth(now) {
			return background, true, 0
		}
		return nil, false, l.smoothAt(now, 0)
	case l.turn >= l.every-1:
		l.turn = 0
		return background, l.smooth(now), 0
	}
	l.turn++
	return interactive, false, 0
}

// front returns the first caller of a priority, after moving those whose key is
// frozen out of the way.
func (l *Limiter) front(now int64, p Priority) *waiter {
	q := &l.queues[p]
	for w := q.first; w != nil; w = q.first {
		if l.thawsAt(now, w.key) <= now {
			return w
		}
		q.remove(w)
		l.keys[w.key].parked[p].push(w)
	}
	return nil
}

// leave removes a caller from its queue.
func (l *Limiter) leave(w *waiter) {
	w.in.remove(w)
	l.waiting--
}

// ahead returns how many slots others get before a new caller of a priority.
func (l *Limiter) ahead(p Priority) int {
	interactive, background := l.queues[Interactive].n, l.queues[Background].n
	if p == Interactive {
		return interactive
	}
	return background + min(interactive, (l.every-1)*(background+1)-l.turn)
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
	later(l.frozen, l.frozenWhy)
	later(l.thawsAt(now, w.key), "the server asked to wait")
	if s := &l.server; s.known && s.count >= max(s.allowed, 1) {
		later(s.end, "the server's window is full")
	}
	if w.priority == Background {
		later(l.smoothAt(now, equals), "background work is spread out")
	}
	if l.book == nil {
		later(l.slotAt(now, ahead), "all slots are taken")
	} else {
		later(l.book.expect(l, now, ahead), "all slots are taken")
	}
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

// time turns an instant of the limiter into one for people.
func (l *Limiter) time(at int64) time.Time { return l.base.Add(time.Duration(at)) }

func (l *Limiter) arm(now, at int64) {
	if at == l.timerAt {
		return
	}
	l.timerAt = at
	switch {
	case at == never:
		l.timer.Stop()
	case l.timer == nil:
		l.timer = time.AfterFunc(time.Duration(at-now), l.wake)
	default:
		l.timer.Reset(time.Duration(at - now))
	}
}

func (l *Limiter) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timerAt = never
	l.pump(l.tick())
}
