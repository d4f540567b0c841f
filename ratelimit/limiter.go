package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// never is an instant that does not come, in 146 years; time can be added to it.
const never = math.MaxInt64 / 2

// A Limiter admits requests under one quota so that in no rolling window more than N of them
// reach the server. It is safe for concurrent use. It has no goroutine of its own; while
// callers wait, and while a ledger has to be told something, it has a timer.
//
// All instants inside are nanoseconds since base by the monotonic clock.
type Limiter struct {
	opts Options
	base time.Time

	mu       sync.Mutex
	limit    Limit
	inFlight inFlight
	cooling  fifo // completions less than a window ago
	share    share
	spread   *rate.Limiter // spreads background requests over the window; nil: unlimited
	waiters  waiters
	freezes  freezes
	server   serverWindow
	alarm    *time.Timer // rings when callers can be served, or the ledger is to be told something
}

// New returns a limiter for the effective limit of limits. nil options are the defaults. It
// uses neither the ledger nor any goroutine yet.
func New(limits Limits, opts *Options) (*Limiter, error) {
	limit, err := limits.Effective()
	o := opts.withDefaults()
	if err := errors.Join(err, o.validate()); err != nil {
		return nil, err
	}
	now := time.Now()
	l := &Limiter{
		opts:     o,
		base:     now,
		inFlight: inFlight{first: 1},
		share:    share{id: fmt.Sprintf("%016x", rand.Uint64()), wall: now.UnixNano()},
		waiters:  waiters{lastInteractive: -never},
		freezes:  freezes{},
	}
	l.alarm = time.AfterFunc(never, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pump(l.tick())
	})
	l.alarm.Stop()
	l.setLimit(limit)
	return l, nil
}

// SetLimits replaces the limits, for callers that wait too. No window that begins after
// SetLimits has returned holds more than the new limit allows. Requests of the past count in
// the new window as far as the old one has not forgotten them. On an error, which is that of
// [Limits.Effective], nothing changes.
func (l *Limiter) SetLimits(limits Limits) error {
	limit, err := limits.Effective()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit == l.limit {
		return nil
	}
	l.tick()
	l.setLimit(limit)
	l.pump(l.tick())
	return nil
}

func (l *Limiter) setLimit(limit Limit) {
	l.limit = limit
	l.revoke()
	if limit.N == 0 {
		l.spread, l.cooling = nil, fifo{}
		return
	}
	perSecond := rate.Limit(float64(limit.N) / limit.Window.Seconds())
	l.spread = rate.NewLimiter(perSecond, max(1, limit.N/10))
}

// Acquire waits until a request may be sent and returns its permit. The caller sends the
// request and then calls [Permit.Done], or [Permit.Cancel] if it sent nothing.
//
// The priority is that of the context, see [WithPriority]; an unknown one is an error. Callers
// of equal priority are served in their order. When the context ends, the caller leaves the
// queue as if it had never been there, and the error is the context's. When it has a deadline
// that cannot be met as things stand, Acquire returns a [*DeadlineError] at once. A ledger
// that fails makes the callers that need it fail too.
func (l *Limiter) Acquire(ctx context.Context) (Permit, error) {
	return l.acquire(ctx, "")
}

// acquire is Acquire for a request of a route, which may be frozen by itself.
func (l *Limiter) acquire(ctx context.Context, route string) (Permit, error) {
	if err := ctx.Err(); err != nil {
		return Permit{}, fmt.Errorf("ratelimit: %w", err)
	}
	priority, _ := ctx.Value(priorityKey{}).(Priority)
	if priority > Interactive {
		return Permit{}, fmt.Errorf("ratelimit: priority %d: want Background or Interactive", priority)
	}
	l.mu.Lock()
	now := l.tick()
	if priority == Interactive {
		l.waiters.lastInteractive = now
	}
	if l.waiters.n() == 0 && l.freezes.endsAt(route) <= now &&
		l.opensAt(now, l.reserve(now, priority)) <= now && l.takeTurn(now, priority) {
		p := l.admit(now, route)
		l.mu.Unlock()
		return p, nil
	}
	w := &waiter{priority: priority, route: route, deadline: never, ready: make(chan struct{})}
	if d, ok := ctx.Deadline(); ok {
		w.deadline = int64(d.Sub(l.base))
		if err := l.refuse(w, now, l.waiters.queues[priority].Len()); err != nil {
			l.mu.Unlock()
			return Permit{}, err
		}
	}
	w.place = l.waiters.queues[priority].PushBack(w)
	l.pump(now)
	l.mu.Unlock()

	select {
	case <-w.ready:
		return w.permit, w.err
	case <-ctx.Done():
		l.abandon(w, ctx.Err())
		return Permit{}, fmt.Errorf("ratelimit: waiting for a slot: %w", ctx.Err())
	}
}

// abandon removes a waiter whose context ended. If it was served at the same time, its slot
// goes to the next one.
func (l *Limiter) abandon(w *waiter, err error) {
	l.mu.Lock()
	if w.place != nil {
		l.waiters.leave(w, Permit{}, err)
		l.pump(l.tick())
	}
	l.mu.Unlock()
	w.permit.Cancel()
}

// tick brings everything up to the present, and returns it.
func (l *Limiter) tick() int64 {
	now := int64(time.Since(l.base)) // reads the monotonic clock alone
	if l.opts.Ledger != nil {
		l.noticeLeap(now, time.Now().UnixNano())
	}
	hold := int64(l.opts.HoldTimeout)
	for l.inFlight.n > 0 && l.inFlight.starts.at(0) <= now-hold {
		l.end(l.inFlight.first, l.inFlight.starts.at(0)+hold, true)
	}
	for l.cooling.n > 0 && l.cooling.at(0) <= now-int64(l.limit.Window) {
		l.cooling.pop()
	}
	if l.server.roll(now, l.inFlight.n) {
		l.freezes.add("", now, now, "the first answer of a window tells how much of it is left")
	}
	return now
}

// time turns an instant of the limiter into one for people.
func (l *Limiter) time(at int64) time.Time { return l.base.Add(time.Duration(at)) }

// admit takes the slot that is open.
func (l *Limiter) admit(now int64, route string) Permit {
	id := l.inFlight.start(now)
	l.share.starts++
	l.server.own++
	if len(l.freezes) > 0 {
		l.freezes.start(route, id, now+int64(l.opts.MaxFreeze))
	}
	if l.opts.Ledger != nil {
		l.supply(now)
	}
	return Permit{l, id}
}

// end ends a request, unless it is over already: it completed at the given instant, now or
// before, or was never sent.
func (l *Limiter) end(id uint64, at int64, isSent bool) {
	if !l.inFlight.end(id) {
		return
	}
	l.freezes.pass(id)
	switch {
	case !isSent:
		l.server.own--
		l.share.starts--
	case l.limit.N > 0:
		l.cooling.push(at, l.limit.N)
	}
}

// taken is how many slots are in use: in flight, or less than a window ago.
func (l *Limiter) taken() int { return l.inFlight.n + l.cooling.n }

// opensAt returns when the next request may be sent that leaves so many slots in reserve, unless
// all are frozen. It is now if one may be sent now.
func (l *Limiter) opensAt(now int64, reserve int) int64 {
	if l.share.startsLeft(now) == 0 {
		return never // until the ledger has been asked
	}
	at := l.slotAt(now, reserve, l.share.grant.slots)
	if !l.server.hasRoom(l.inFlight.n) {
		at = max(at, l.server.end)
	}
	return at
}

// slotAt returns when the slot after the next k ones is free, out of n.
func (l *Limiter) slotAt(now int64, k, n int) int64 {
	if l.taken()+k < n {
		return now
	}
	return l.slotAfter(now, k, n)
}

// slotAfter is slotAt when that slot is taken. It is apart so that the compiler puts slotAt where
// it is called, which makes a free slot cheaper by one part in a hundred.
func (l *Limiter) slotAfter(now int64, k, n int) int64 {
	if n <= 0 {
		return never
	}
	window := int64(l.limit.Window)
	at := now
	if i := l.taken() - n + k%n; i >= l.cooling.n {
		at = now + window // a request in flight must end first
	} else if i >= 0 {
		at = l.cooling.at(i) + window
	}
	return at + int64(k/n)*window
}

const (
	reservePart = 20               // one slot in so many is kept for interactive callers,
	reserveFor  = 10 * time.Minute // for so long after the last of them came
)

// reserve is how many free slots a caller has to leave: background callers keep some for
// interactive ones, as long as there are any.
func (l *Limiter) reserve(now int64, p Priority) int {
	if p == Interactive || now-l.waiters.lastInteractive > int64(reserveFor) {
		return 0
	}
	n := l.share.grant.slots
	return min(max(n/reservePart, 1), n/4)
}
