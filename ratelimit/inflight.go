package ratelimit

// A pending is a place for one request at a time, from its permit until its end.
type pending struct {
	id      uint64 // of the request; 0: none
	started int64
}

// inFlight are the requests between their permit and their end. Their places are used again,
// so that a request allocates nothing; the id tells the second end of a request from the
// first one of its successor.
type inFlight struct {
	places []*pending // as many as the greatest concurrency seen
	free   []*pending
	lastID uint64 // of the newest request
	oldest int64  // none of them started before
}

func (f *inFlight) count() int { return len(f.places) - len(f.free) }

// start enters a request.
func (f *inFlight) start(now int64) *pending {
	if f.count() == 0 {
		f.oldest = now
	}
	if len(f.free) == 0 {
		place := new(pending)
		f.places, f.free = append(f.places, place), append(f.free, place)
	}
	last := len(f.free) - 1
	r := f.free[last]
	f.free = f.free[:last]
	f.lastID++
	*r = pending{id: f.lastID, started: now}
	return r
}

// end removes a request.
func (f *inFlight) end(r *pending) {
	r.id = 0
	f.free = append(f.free, r)
}

// overdue calls fn for each request that started at or before the instant given. It looks at
// them only when the oldest one may be among them.
func (f *inFlight) overdue(before int64, fn func(r *pending)) {
	if f.count() == 0 || f.oldest > before {
		return
	}
	f.oldest = never
	for _, r := range f.places {
		switch {
		case r.id == 0:
		case r.started <= before:
			fn(r)
		default:
			f.oldest = min(f.oldest, r.started)
		}
	}
}
