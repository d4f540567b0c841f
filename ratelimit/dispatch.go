package ratelimit

import "time"

// turnAt returns when there is a turn for the background request after the next k ones.
func (l *Limiter) turnAt(now int64, k int) int64 {
	if l.spread == nil {
		return now
	}
	missing := float64(k+1) - l.spread.TokensAt(l.time(now))
	if missing <= 0 {
		return now
	}
	wait := missing / float64(l.spread.Limit()) * float64(time.Second)
	return now + int64(wait) + int64(time.Microsecond) // its float64 may round down
}

// pump serves the callers that can be served, asks the ledger for more if need be, and sets
// the alarm for the next time.
func (l *Limiter) pump(now int64) {
	again := int64(never)
	for l.waiters.n() > 0 {
		var w *waiter
		if w, again = l.choose(now); w == nil {
			again = min(again, l.freezes.thaw(now))
			break
		}
		l.waiters.leave(w, l.admit(now, w.priority, w.route), nil)
		again = never
	}
	if again = min(again, l.supply(now)); again == never {
		l.alarm.Stop()
	} else {
		l.alarm.Reset(time.Duration(again - now))
	}
}

func (l *Limiter) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pump(l.tick())
}

// choose returns the caller who gets the slot that is open, or when there may be one.
// Interactive callers go first, but when background callers wait as well, every so manieth
// slot is theirs, whether they are spread out or not.
func (l *Limiter) choose(now int64) (w *waiter, again int64) {
	if at := l.opensAt(now, 0); at > now {
		return nil, at
	}
	interactive, background := l.front(now, Interactive), l.front(now, Background)
	switch {
	case background == nil:
		return interactive, never
	case interactive == nil:
		if at := l.opensFor(now, Background, background.route); at > now {
			if noReserve := l.waiters.lastInteractive + int64(reserveFor) + 1; noReserve > now {
				at = min(at, noReserve)
			}
			return nil, at
		}
		return background, 0
	}
	if l.waiters.turn++; l.waiters.turn < backgroundTurn {
		return interactive, 0
	}
	l.waiters.turn = 0
	return background, 0
}

// front returns the first caller of a priority whose route is not frozen, or nil.
func (l *Limiter) front(now int64, p Priority) *waiter {
	var first *waiter
	l.waiters.all(p, func(w *waiter) bool {
		isFrozen := l.freezes.endsAt(w.route) > now
		if !isFrozen {
			first = w
		}
		return isFrozen
	})
	return first
}

// refuse returns an error if a caller has a deadline that cannot be met, given how many of its
// own priority go before it.
func (l *Limiter) refuse(w *waiter, now int64, equals int) error {
	if w.deadline == never {
		return nil
	}
	ahead := equals
	if w.priority == Background {
		ahead += min(l.waiters.queues[Interactive].Len(), (backgroundTurn-1)*(equals+1))
	}
	at, why := l.expect(now, ahead), "all slots are taken"
	if turn := l.turnAt(now, equals); w.priority == Background && turn > at {
		at, why = turn, "background work is spread out"
	}
	for _, route := range []string{"", w.route} {
		if z := l.freezes[route]; z != nil && z.until > at {
			at, why = z.until, z.why
		}
	}
	if at <= w.deadline {
		return nil
	}
	return &DeadlineError{Limit: l.limit, Why: why, Free: l.time(at), Deadline: l.time(w.deadline)}
}

// expect returns when the slot after the next k ones is to be expected, or now if that cannot
// be known.
func (l *Limiter) expect(now int64, k int) int64 {
	s := l.share
	switch {
	case l.limit.N == 0:
		return now
	case s == nil:
		return l.slotAt(now, k, l.limit.N)
	case !s.others.isKnown || s.others.isLive || s.busy != nil:
		return now
	}
	return max(now, min(l.slotAt(now, k, l.limit.N-s.others.slots), s.others.next))
}

// refuseAll ends the wait of all callers with an error, or, if it is nil, of those whose
// deadline cannot be met by what is now known.
func (l *Limiter) refuseAll(now int64, err error) {
	for p := range l.waiters.queues {
		k := 0
		l.waiters.all(Priority(p), func(w *waiter) bool {
			why := err
			if why == nil {
				why = l.refuse(w, now, k)
			}
			if why == nil {
				k++
			} else {
				l.waiters.leave(w, Permit{}, why)
			}
			return true
		})
	}
}
