package ratelimit

import (
	"fmt"
	"net/http"
)

// A Permit allows one request. It is a small value; copies stand for the same request. Of all
// calls of Done and Cancel only the first counts. The zero Permit allows nothing, and its
// methods do nothing.
type Permit struct {
	limiter *Limiter
	request *pending
	id      uint64
}

// Done says that the request is over: it failed, or its response is consumed. Its slot is
// free again one window from now. A request whose end nobody reports is taken for done after
// Options.HoldTimeout.
func (p Permit) Done() {
	l := p.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	now := l.tick()
	if p.request.id == p.id {
		l.end(p.request, now)
		if l.waiters.n() > 0 || l.share != nil {
			l.pump(now)
		}
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
	if p.request.id != p.id {
		return
	}
	l.inFlight.end(p.request)
	l.server.own--
	l.freezes.pass(p.id)
	if l.share != nil && l.limit.N > 0 {
		l.share.started(-1)
	}
	l.pump(now)
}

// observe takes in what the response to the request says about the server's quota and time.
// It can make requests wait, never let more of them through than the limit allows. The
// request is not over before Done.
func (p Permit) observe(resp *http.Response, route string) {
	l := p.limiter
	if l == nil {
		return
	}
	t, isTold := readWindow(resp.Header, l.opts.MaxFreeze)
	refusal, isRefusal := refusalOf(resp, isTold && t.count < t.allowed)
	if !refusal.isRoute {
		route = ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	if isRefusal {
		l.freezes.add(route, now+int64(min(refusal.wait, l.opts.MaxFreeze)), refusal.why)
	} else {
		l.freezes.pass(p.id)
	}
	if p.request.id == p.id && l.share != nil {
		l.hearDate(resp.Header, p.request.started, now)
	}
	if p.request.id == p.id && isTold {
		l.server.tell(p.request.started, now, l.inFlight.count(), t)
		if t.count >= t.allowed {
			why := fmt.Sprintf("the server has counted %d requests of %d", t.count, t.allowed)
			l.freezes.add("", l.server.end, why)
		}
	}
	l.pump(now)
}
