package ratelimit

import "maps"

// freezes are the times in which the server wants no requests, by route; those of the empty
// route concern all requests.
//
// A freeze is not simply over when its time is: the first request that comes goes alone, and
// the others wait for its answer, for Options.MaxFreeze at most. So a server that is asked too
// early refuses one request, not all that wait.
type freezes map[string]*freeze

type freeze struct {
	until int64
	why   string
	probe uint64 // the request that goes alone; 0: none yet
}

// maxRoutes bounds the freezes, which every request looks at: a server that has refused so many
// routes at a time is taken to refuse all.
const maxRoutes = 200

// add freezes a route because of an answer. It makes no freeze shorter.
func (f freezes) add(route string, now, until int64, why string) {
	if f[route] == nil && len(f) >= maxRoutes {
		maps.DeleteFunc(f, func(_ string, z *freeze) bool { return z.until <= now })
		if len(f) >= maxRoutes {
			route = ""
		}
	}
	if z := f[route]; z == nil || until > z.until || z.probe != 0 {
		f[route] = &freeze{until: until, why: why}
	}
}

// endsAt returns when requests of a route may be sent again, an instant of the past if now.
func (f freezes) endsAt(route string) int64 {
	if len(f) == 0 { // as nearly always
		return 0
	}
	at := int64(0)
	for _, r := range []string{"", route} {
		if z := f[r]; z != nil {
			at = max(at, z.until)
		}
	}
	return at
}

// thaw returns when the next freeze ends.
func (f freezes) thaw(now int64) int64 {
	at := int64(never)
	for _, z := range f {
		if z.until > now {
			at = min(at, z.until)
		}
	}
	return at
}

// start notes that a request starts: after a freeze it is the one that goes alone.
func (f freezes) start(route string, id uint64, until int64) {
	for _, z := range []*freeze{f[""], f[route]} {
		if z != nil {
			z.probe, z.until = id, until
		}
	}
}

// pass notes that a request was answered without being refused, or is over. If it went alone,
// the others follow.
func (f freezes) pass(id uint64) {
	if len(f) == 0 {
		return
	}
	for route, z := range f {
		if z.probe == id {
			delete(f, route)
		}
	}
}

// Thaw forgets all that the server has asked to hold back, as [State] shows it: requests are sent
// again at once. It is for a person who knows better. The next answer may ask to wait anew.
func (l *Limiter) Thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.freezes)
	l.server = serverWindow{}
	l.pump(l.tick())
}
