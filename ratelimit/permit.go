package ratelimit

import (
	"fmt"
	"net/http"
	"time"
)

// A Permit allows one request. It is a small value; copies stand for the same
// request. Of all calls of Done and Cancel only the first counts. The zero Permit
// allows nothing, and its methods do nothing.
type Permit struct {
	limiter *Limiter
	slot    uint32
	id      uint32
}

// Done says that the request is over: it failed, or its response is consumed. Its
// slot is free again one window from now. A request whose end nobody reports is
// taken for done after Options.HoldTimeout.
func (p Permit) Done() {
	l := p.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	now := l.tick()
	if l.end(p.slot, p.id, now, now) && l.waiting > 0 {
		l.pump(now)
	}
	l.mu.Unlock()
}

// Cancel says that the request was never sent. Its slot is free again at once.
func (p Permit) Cancel() {
	l := p.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	e, ok := l.flights.end(p.slot, p.id)
	if !ok {
		return
	}
	l.server.own--
	if e.next&isSmoothed != 0 && l.smoother != nil {
		l.unused++
	}
	if l.book != nil && l.limit.N > 0 {
		l.book.restock(l, now, e.next&isRevoked != 0)
	}
	l.pump(now)
}

// Observe takes in what the response to the request says about the server's
// quota. It can make requests wait, never let more of them through. The request
// is not over before Done.
func (p Permit) Observe(resp *http.Response) {
	if resp == nil {
		return
	}
	var key string
	if resp.Request != nil {
		key = classOf(resp.Request.Context()).key
	}
	p.observe(resp, key)
}

func (p Permit) observe(resp *http.Response, key string) {
	l := p.limiter
	if l == nil {
		return
	}
	t, ok := l.opts.Headers.read(resp)
	wait := retryAfter(resp, time.Now())
	if !ok && wait == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	if wait > 0 {
		l.freeze(key, now+int64(wait), fmt.Sprintf("the server answered %d and asked to wait %s", resp.StatusCode, wait))
	}
	if ok {
		if started, first := l.flights.answer(p.slot, p.id); first {
			l.server.tell(started, now, l.flights.unanswered(), t)
		}
	}
	l.pump(now)
}
