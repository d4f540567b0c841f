package ratelimit

// freezes are the times in which the server wants no requests, by route; those
// of the empty route concern all requests.
//
// A freeze lasts as long as the server asked for, but at most Options.MaxFreeze.
// One that was cut so is not simply over then: the first request that comes goes
// alone, as a probe, and the others wait for its answer.
type freezes map[string]*freeze

type freeze struct {
	until  int64
	why    string
	isCut  bool     // the server asked for longer
	probe  uint32   // the request that goes alone; 0: none
	parked [2]queue // its callers, out of the way of others
}

// add freezes a route because of an answer. It makes no freeze shorter.
func (f *freezes) add(route string, now, wait, most int64, why string) {
	if *f == nil {
		*f = make(freezes)
	}
	z := (*f)[route]
	if z == nil {
		z = new(freeze)
		(*f)[route] = z
	}
	if until := now + min(wait, most); until > z.until || z.probe != 0 {
		z.until, z.why, z.isCut, z.probe = until, why, wait > most, 0
	}
}

// endsAt returns when requests of a route may be sent again.
func (f freezes) endsAt(now int64, route string) int64 {
	if len(f) > 0 && f[route] != nil {
		return f[route].until
	}
	return now
}

// wakeAt returns when the next freeze ends whose callers are out of the way.
func (f freezes) wakeAt() int64 {
	at := int64(never)
	for _, z := range f {
		if z.parked[Background].n+z.parked[Interactive].n > 0 {
			at = min(at, z.until)
		}
	}
	return at
}

// thaw ends what is over. Its callers go first: they have waited longest.
func (f freezes) thaw(now int64, w *waiters) {
	for route, z := range f {
		if z.until > now {
			continue
		}
		for p := range z.parked {
			w.queues[p].prepend(&z.parked[p])
		}
		if !z.isCut || z.probe != 0 {
			delete(f, route)
		}
	}
}

// probe notes that a request starts: if it is the first one after a freeze that
// was cut, the freeze goes on until it is over.
func (f freezes) probe(now int64, route string, id uint32, most int64) {
	for _, z := range []*freeze{f[""], f[route]} {
		if z != nil && z.isCut && z.probe == 0 && z.until <= now {
			z.probe, z.until = id, now+most
		}
	}
}

// probed notes that a request is over. If it was a probe, nothing is frozen any
// more: an answer that asks to wait would have begun a new freeze.
func (f freezes) probed(id uint32) {
	for _, z := range f {
		if z.probe == id {
			z.until, z.isCut, z.probe = 0, false, 0
		}
	}
}

// Thaw forgets all that the server has asked to hold back, as [State] shows it:
// requests are sent again at once. It is for a person who knows better. The next
// answer may ask to wait anew.
func (l *Limiter) Thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, z := range l.freezes {
		z.until, z.isCut = 0, false
	}
	l.server = serverWindow{}
	l.pump(l.tick())
}
