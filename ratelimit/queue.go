package ratelimit

// A waiter is a caller of Acquire that has no slot yet.
type waiter struct {
	priority   Priority
	route      string
	deadline   int64 // math.MaxInt64: none
	prev, next *waiter
	in         *queue // nil once it is served or has left

	ready  chan struct{} // closed when permit or err is set
	permit Permit
	err    error
}

// waiters are the callers that wait for a slot, and who of them goes first.
type waiters struct {
	queues          [2]queue // by priority
	n               int      // in queues, and in those of frozen routes
	turn            int      // slots that went to interactive callers while background ones waited
	every           int      // background gets one slot in that many, if it must
	lastInteractive int64    // when the last interactive caller came
}

func (w *waiters) push(c *waiter) {
	w.queues[c.priority].push(c)
	w.n++
}

func (w *waiters) leave(c *waiter) {
	c.in.remove(c)
	w.n--
}

// ahead returns how many slots others get before a new caller of a priority.
func (w *waiters) ahead(p Priority) int {
	interactive, background := w.queues[Interactive].n, w.queues[Background].n
	if p == Interactive {
		return interactive
	}
	return background + min(interactive, (w.every-1)*(background+1)-w.turn)
}

// A queue is a doubly linked list of waiters, so that any of them can leave at
// no cost.
type queue struct {
	first, last *waiter
	n           int
}

func (q *queue) push(w *waiter) {
	w.in, w.prev, w.next = q, q.last, nil
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
	q.n++
}

func (q *queue) remove(w *waiter) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
	q.n--
}

// prepend moves all waiters of other before those of q, in their order.
func (q *queue) prepend(other *queue) {
	if other.n == 0 {
		return
	}
	for w := other.first; w != nil; w = w.next {
		w.in = q
	}
	other.last.next = q.first
	if q.first == nil {
		q.last = other.last
	} else {
		q.first.prev = other.last
	}
	q.first = other.first
	q.n += other.n
	*other = queue{}
}
