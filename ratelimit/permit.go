package ratelimit

import "net/http"

// A Permit allows one request. It is a small value; copies stand for the same
// request. Of all calls of Done and Cancel only the first counts. The zero Permit
// allows nothing, and its methods do nothing.
type Permit struct {
	limiter *Limiter
	entry   uint32 // in the table of requests in flight
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
	if l.end(p.entry, p.id, now) && l.waiters.n > 0 {
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
	r, ok := l.inFlight.end(p.entry, p.id)
	if !ok {
		return
	}
	l.server.own--
	l.freezes.probed(p.id)
	if r.next&isSpread != 0 {
		l.spread.giveBack()
	}
	if l.share != nil && l.limit.N > 0 {
		l.share.undoStart()
	}
	l.pump(now)
}

// Observe takes in what the response to the request says about the server's
// quota. It can make requests wait, never let more of them through. The request
// is not over before Done. [Limiter.Transport] calls it by itself.
func (p Permit) Observe(resp *http.Response) {
	if resp == nil {
		return
	}
	route := ""
	if resp.Request != nil {
		route = routeOf(resp.Request)
	}
	p.observe(resp, route)
}

// observe is Observe for the response to a request of a route.
func (p Permit) observe(resp *http.Response, route string) {
	l := p.limiter
	if l == nil {
		return
	}
	t, isTold := l.opts.Headers.read(resp, l.opts.MaxFreeze)
	refusal, isRefusal := refusalOf(resp, t, isTold)
	if !refusal.isRoute {
		route = ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	if l.share != nil {
		if started, ok := l.inFlight.startOf(p.entry, p.id); ok {
			l.hearDate(resp.Header, started, now)
		}
	}
	if isRefusal {
		l.freezes.add(route, now, int64(refusal.wait), int64(l.opts.MaxFreeze), refusal.why)
	}
	if isTold {
		if started, first := l.inFlight.answer(p.entry, p.id); first {
			l.server.tell(started, now, l.inFlight.unanswered(), t)
		}
	}
	if isRefusal || isTold {
		l.pump(now)
	}
}
