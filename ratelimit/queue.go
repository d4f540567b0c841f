package ratelimit

import (
	"container/list"
)

// A waiter is a caller of Acquire that has no slot yet.
type waiter struct {
	priority Priority
	route    string
	deadline int64         // never: none
	place    *list.Element // in the queue of its priority; nil once it is served or has left

	ready  chan struct{} // closed when permit or err is set
	permit Permit
	err    error
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

func (w *waiters) push(c *waiter) { c.place = w.queues[c.priority].PushBack(c) }

// leave ends the wait of a caller, with a permit or an error.
func (w *waiters) leave(c *waiter, p Permit, err error) {
	w.queues[c.priority].Remove(c.place)
	c.place, c.permit, c.err = nil, p, err
	close(c.ready)
}

// all calls fn for each caller of a priority in their order, until it returns false. fn may
// remove the caller.
func (w *waiters) all(p Priority, fn func(c *waiter) bool) {
	for e := w.queues[p].Front(); e != nil; {
		c := e.Value.(*waiter)
		e = e.Next()
		if !fn(c) {
			return
		}
	}
}
