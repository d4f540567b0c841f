package ratelimit

import (
	"container/list"
	"context"
	"iter"
	"time"
)

// Which waiting caller gets the next slot: see choose. How many slots a process has is decided in
// share.go.

// A Priority says who goes first when slots are scarce.
type Priority uint8

const (
	// Background is work nobody waits for. It is spread evenly over the window, and gets its
	// guaranteed share however much interactive work there is. It is the default.
	Background Priority = iota

	// Interactive is work a person waits for. It goes before background work and
	// may use all that is free at once.
	Interactive
)

// WithPriority returns a context whose requests have the priority p.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

type priorityKey struct{}

// A waiter is a caller of Acquire that has no slot yet.
type waiter struct {
	priority Priority
	route    string
	deadline int64         // never: none
	place    *list.Element // in the queue of its priority; nil once it is served or has left
	ready    chan struct{} // closed when permit or err is set
	permit   Permit
	err      error
}

// backgroundTurn is the part of the slots that background callers get at least while
// interactive ones want them all: one in so many.
const backgroundTurn = 10

// waiters are the callers that wait for a slot, and who of them goes first.
type waiters struct {
	queues          [2]list.List // of *waiter, by priority
	turn            int          // slots that went to interactive callers while background ones waited
	lastInteractive int64        // when the last interactive caller came
}

func (w *waiters) n() int { return w.queues[Interactive].Len() + w.queues[Background].Len() }

// leave ends the wait of a caller, with a permit or an error.
func (w *waiters) leave(c *waiter, p Permit, err error) {
	w.queues[c.priority].Remove(c.place)
	c.place, c.permit, c.err = nil, p, err
	close(c.ready)
}

// of yields the callers of a priority in their order. The one that it has yielded may leave.
func (w *waiters) of(p Priority) iter.Seq[*waiter] {
	return func(yield func(*waiter) bool) {
		for e := w.queues[p].Front(); e != nil; {
			c := e.Value.(*waiter)
			e = e.Next()
			if !yield(c) {
				return
			}
		}
	}
}

// takeTurn takes the turn of a request, and reports whether there is one now. Interactive ones
// need none.
func (l *Limiter) takeTurn(now int64, p Priority) bool {
	return p == Interactive || l.spread == nil || l.spread.AllowN(l.time(now), 1)
}

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
		l.takeTurn(now, w.priority)
		l.waiters.leave(w, l.admit(now, w.route), nil)
		again = never
	}
	if again = min(again, l.supply(now)); again == never {
		l.alarm.Stop()
	} else {
		l.alarm.Reset(time.Duration(again - now))
	}
}

// choose returns the caller who gets the slot that is open, or when there may be one.
// Interactive callers go first, but when background callers wait as well, every so manieth
// slot is theirs, whether they are spread out or not.
func (l *Limiter) choose(now int64) (w *waiter, again int64) {
	if at := max(l.opensAt(now, 0), l.freezes.endsAt("")); at > now {
		return nil, at
	}
	interactive, background := l.front(now, Interactive), l.front(now, Background)
	switch {
	case background == nil:
		return interactive, never
	case interactive == nil:
		if at := max(l.opensAt(now, l.reserve(now, Background)), l.turnAt(now, 0)); at > now {
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
	for w := range l.waiters.of(p) {
		if l.freezes.endsAt(w.route) <= now {
			return w
		}
	}
	return nil
}
