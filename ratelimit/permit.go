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
	id      uint64
}

// Done says that the request is over: it failed, or its response is consumed. Its slot is
// free again one window from now. A request whose end nobody reports is taken for done after
// Options.HoldTimeout.
func (p Permit) Done() { p.end(true) }

// Cancel says that the request was never sent. Its slot is free again at once.
func (p Permit) Cancel() { p.end(false) }

func (p Permit) end(isSent bool) {
	l := p.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	now := l.tick()
	l.end(p.id, now, isSent)
	if l.waiters.n() > 0 || l.opts.Ledger != nil {
		l.pump(now)
	}
	l.mu.Unlock()
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
		l.freezes.add(route, now, now+int64(min(refusal.wait, l.opts.MaxFreeze)), refusal.why)
	} else {
		l.freezes.pass(p.id)
	}
	if started := l.inFlight.started(p.id); started != isOver {
		l.hearDate(resp.Header, started, now)
		if isTold {
			l.server.tell(started, now, l.inFlight.n, t)
		}
		if isTold && t.count >= t.allowed {
			why := fmt.Sprintf("the server has counted %d requests of %d", t.count, t.allowed)
			l.freezes.add("", now, l.server.end, why)
		}
	}
	l.pump(now)
}
