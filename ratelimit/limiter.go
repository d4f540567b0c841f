package ratelimit

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const never = math.MaxInt64

// A Limiter admits requests under one quota so that in no rolling window more
// than N of them reach the server. It is safe for concurrent use. It has no
// goroutine of its own; while callers wait, and while a ledger has to be told
// something, it has a timer.
type Limiter struct {
	opts  Options
	base  time.Time // all instants inside are nanoseconds since then, monotonic
	every int       // background gets one slot in that many, if it must

	mu       sync.Mutex
	limit    Limit
	window   int64
	flights  flights
	cooling  fifo  // completions less than a window ago; unused with a ledger
	book     *book // nil without a ledger
	smoother *rate.Limiter
	unused   int // tokens of the smoother that were given back

	queues    [2]queue // by priority
	waiting   int      // callers in queues, and in those of frozen keys
	turn      int      // slots that went to interactive while background waited
	frozen    int64    // everything is, until then
	frozenWhy string
	keys      map[string]*frozenKey
	server    serverWindow

	timer   *time.Timer
	timerAt int64 // never: not set
}

// New returns a limiter for the effective limit of limits. nil options are the
// defaults. It uses neither the ledger nor any goroutine yet.
func New(limits Limits, opts *Options) (*Limiter, error) {
	limit, err := limits.Effective()
	if err != nil {
		return nil, err
	}
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	l := &Limiter{opts: o, base: time.Now(), every: int(1 / o.BackgroundShare), timerAt: never}
	if o.Ledger != nil {
		l.book = newBook(o.Ledger, l.base)
	}
	l.setLimit(limit)
	return l, nil
}

// SetLimits replaces the limits, for callers that wait too. No window that begins
// after SetLimits has returned holds more than the new limit allows. Requests of
// the past count in the new window as far as the old one has not forgotten them.
// On an error, which is that of [Limits.Effective], nothing changes.
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
	now := l.tick()
	if l.book != nil {
		l.book.void(now, l.window)
		l.book.epoch++
		l.book.claimAt = now
		l.flights.revoke()
	}
	l.setLimit(limit)
	l.pump(l.tick())
	return nil
}

func (l *Limiter) setLimit(limit Limit) {
	l.limit, l.window = limit, int64(limit.Window)
	l.smoother, l.unused = nil, 0
	if limit.N == 0 {
		l.cooling = fifo{}
		return
	}
	if burst := l.opts.burst(limit); burst > 0 {
		l.smoother = rate.NewLimiter(rate.Limit(float64(limit.N)/limit.Window.Seconds()), burst)
	}
}

// Acquire waits until a request may be sent and returns its permit. The caller
// sends the request and then calls [Permit.Done], or [Permit.Cancel] if it sent
// nothing.
//
// The priority is that of the context, see [WithPriority]; an unknown one is an
// error. Callers of equal priority are served in their order. When the context ends, the caller leaves
// the queue as if it had never been there, and the error is the context's. When
// it has a deadline that cannot be met as things stand, Acquire returns a
// [*DeadlineError] at once. A ledger that fails makes the callers that need it
// fail too.
func (l *Limiter) Acquire(ctx context.Context) (Permit, error) {
	if err := ctx.Err(); err != nil {
		return Permit{}, fmt.Errorf("ratelimit: %w", err)
	}
	c := classOf(ctx)
	if c.priority > Interactive {
		return Permit{}, fmt.Errorf("ratelimit: %s: want Background or Interactive", c.priority)
	}
	l.mu.Lock()
	now := l.tick()
	if l.waiting == 0 && l.opensAt(now) <= now && l.thawsAt(now, c.key) <= now &&
		(c.priority == Interactive || l.smooth(now)) {
		p := l.admit(now, c.priority == Background)
		l.mu.Unlock()
		return p, nil
	}
	w := &waiter{class: c, deadline: never, ready: make(chan struct{})}
	if d, ok := ctx.Deadline(); ok {
		w.deadline = int64(d.Sub(l.base))
		if err := l.refuse(w, now, l.ahead(c.priority), l.queues[c.priority].n); err != nil {
			l.mu.Unlock()
			return Permit{}, err
		}
	}
	l.queues[c.priority].push(w)
	l.waiting++
	l.pump(now)
	l.mu.Unlock()

	select {
	case <-w.ready:
		return w.permit, w.err
	case <-ctx.Done():
		l.abandon(w)
		return Permit{}, fmt.Errorf("ratelimit: waiting for a slot: %w", ctx.Err())
	}
}

// abandon removes a waiter whose context ended. If it was served at the same
// time, its slot goes to the next one.
func (l *Limiter) abandon(w *waiter) {
	l.mu.Lock()
	if w.in != nil {
		w.in.remove(w)
		l.waiting--
		l.pump(l.tick())
	}
	l.mu.Unlock()
	w.permit.Cancel()
}

// tick brings everything up to the present, and returns it.
func (l *Limiter) tick() int64 {
	var now int64
	if l.book == nil {
		now = int64(time.Since(l.base))
	} else {
		now = l.book.tick(l)
	}
	hold := int64(l.opts.HoldTimeout)
	l.flights.overdue(now-hold, func(slot uint32, e flight) { l.end(slot, e.id, e.started+hold, now) })
	for l.cooling.len() > 0 && l.cooling.at(0) <= now-l.window {
		l.cooling.pop()
	}
	l.server.roll(now, l.flights.unanswered())
	if len(l.keys) > 0 {
		l.thaw(now)
	}
	return now
}

// admit takes the slot that is open, and remembers whether it took a token of the
// smoother as well.
func (l *Limiter) admit(now int64, smoothed bool) Permit {
	var flags uint32
	if smoothed {
		flags = isSmoothed
	}
	slot, id := l.flights.start(now, flags)
	l.server.own++
	if l.book != nil && l.limit.N > 0 {
		l.book.use()
		l.supply(now)
	}
	return Permit{l, slot, id}
}

// end ends a request that completed at the given instant, now or before, and
// reports whether it was in flight.
func (l *Limiter) end(slot, id uint32, at, now int64) bool {
	e, ok := l.flights.end(slot, id)
	if !ok {
		return false
	}
	if e.next&isAnswered == 0 {
		l.server.missed(at)
	}
	switch {
	case l.limit.N == 0: // nothing to count
	case l.book == nil:
		l.cooling.push(at, l.limit.N)
	default:
		l.book.spend(l, at, now)
	}
	return true
}

// opensAt returns when the next request may be sent, of whatever class. It is
// now if one may be sent now.
func (l *Limiter) opensAt(now int64) int64 {
	at := max(now, l.frozen)
	if !l.server.room(l.flights.unanswered()) {
		at = max(at, l.server.end)
	}
	return max(at, l.slotAt(now, 0))
}

// slotAt returns when the slot after the next k ones is free, as things stand.
func (l *Limiter) slotAt(now int64, k int) int64 {
	n := l.limit.N
	if n == 0 {
		return now
	}
	if l.book != nil {
		return l.book.slotAt(k)
	}
	rounds := int64(k / n)
	at := now
	if i := l.flights.count + l.cooling.len() - n + k%n; i >= l.cooling.len() {
		at = now + l.window // a request in flight must end first
	} else if i >= 0 {
		at = l.cooling.at(i) + l.window
	}
	return at + rounds*l.window
}

// smooth takes a token for a background request, if there is one.
func (l *Limiter) smooth(now int64) bool {
	if l.smoother == nil {
		return true
	}
	if l.unused > 0 {
		l.unused--
		return true
	}
	return l.smoother.AllowN(l.base.Add(time.Duration(now)), 1)
}

// smoothAt returns when the smoother has a token for the background request after
// the next k ones.
func (l *Limiter) smoothAt(now int64, k int) int64 {
	if l.smoother == nil {
		return now
	}
	missing := float64(k+1-l.unused) - l.smoother.TokensAt(l.base.Add(time.Duration(now)))
	if missing <= 0 {
		return now
	}
	wait := missing / float64(l.smoother.Limit()) * float64(time.Second)
	return now + int64(wait) + int64(time.Microsecond) // the smoother's float64 may round down
}
