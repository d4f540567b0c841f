package ratelimit

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/internal/printable"
)

// A DeadlineError says that a caller has a deadline before which there is no slot for it, given
// those who wait already. It unwraps to [context.DeadlineExceeded].
type DeadlineError struct {
	Limit    Limit
	Why      string    // what stands in the way
	Free     time.Time // when there would be a slot, at the earliest
	Deadline time.Time // the caller's
}

// Error implements error.
func (e *DeadlineError) Error() string {
	late := e.Free.Sub(e.Deadline).Round(time.Millisecond)
	return printable.Text(fmt.Sprintf("ratelimit: limit of %s: %s, no slot before %s, "+
		"which is %s after the deadline", e.Limit, e.Why, e.Free.Format(time.RFC3339), late))
}

// Unwrap returns [context.DeadlineExceeded].
func (e *DeadlineError) Unwrap() error { return context.DeadlineExceeded }

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
	if w.priority == Background {
		if turn := l.turnAt(now, equals); turn > at {
			at, why = turn, "background work is spread out"
		}
	}
	for _, route := range []string{"", w.route} { // a request that goes alone may end it any time
		if z := l.freezes[route]; z != nil && z.probe == 0 && z.until > at {
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
	s := &l.share
	if l.limit.N == 0 || !s.others.isKnown || s.others.isLive || s.busy != nil {
		return now
	}
	return max(now, min(l.slotAt(now, k, l.limit.N-s.others.slots), s.others.next))
}

// refuseAll ends the wait of all callers with an error, or, if it is nil, of those whose
// deadline cannot be met by what is now known.
func (l *Limiter) refuseAll(now int64, err error) {
	for p := range l.waiters.queues {
		k := 0
		for w := range l.waiters.of(Priority(p)) {
			if why := cmp.Or(err, l.refuse(w, now, k)); why != nil {
				l.waiters.leave(w, Permit{}, why)
			} else {
				k++
			}
		}
	}
}
