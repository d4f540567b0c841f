package ratelimit

import "math"

// inFlight are the requests between their permit and their end: a table that
// grows to the greatest concurrency seen, 16 bytes each.
type inFlight struct {
	table    []pending
	free     uint32 // the first free entry, plus 1
	count    int
	answered int    // of them, those whose response has arrived
	lastID   uint32 // of the newest request
	oldest   int64  // no request in flight started before
}

type pending struct {
	started int64
	id      uint32 // 0: the entry is free
	next    uint32 // free: the next free entry, plus 1; in flight: flags
}

const (
	isAnswered = 1 << iota // its response has arrived
	isSpread               // it took a token of spread
)

// start enters a request and returns where, and its id.
func (f *inFlight) start(now int64, flags uint32) (entry, id uint32) {
	if f.count == 0 {
		f.oldest = now
	}
	f.count++
	f.lastID++
	if f.lastID == 0 {
		f.lastID = 1
	}
	if f.free == 0 {
		f.table = append(f.table, pending{})
		entry = uint32(len(f.table) - 1)
	} else {
		entry = f.free - 1
		f.free = f.table[entry].next
	}
	f.table[entry] = pending{started: now, id: f.lastID, next: flags}
	return entry, f.lastID
}

// end removes a request and returns it. ok is false if it has ended before.
func (f *inFlight) end(entry, id uint32) (r pending, ok bool) {
	if !f.has(entry, id) {
		return pending{}, false
	}
	r = f.table[entry]
	if r.next&isAnswered != 0 {
		f.answered--
	}
	f.table[entry] = pending{next: f.free}
	f.free = entry + 1
	f.count--
	return r, true
}

// answer marks a request as answered and returns when it started. ok is false
// if it was answered before, or has ended.
func (f *inFlight) answer(entry, id uint32) (started int64, ok bool) {
	if !f.has(entry, id) || f.table[entry].next&isAnswered != 0 {
		return 0, false
	}
	f.table[entry].next |= isAnswered
	f.answered++
	return f.table[entry].started, true
}

// startOf returns when a request in flight started.
func (f *inFlight) startOf(entry, id uint32) (started int64, ok bool) {
	if !f.has(entry, id) {
		return 0, false
	}
	return f.table[entry].started, true
}

func (f *inFlight) has(entry, id uint32) bool {
	return int(entry) < len(f.table) && f.table[entry].id == id && id != 0
}

// unanswered is how many requests the server may not have counted yet, as far
// as its answers tell.
func (f *inFlight) unanswered() int { return f.count - f.answered }

// overdue calls fn for each request that started at or before the instant given.
// It looks at the table only when the oldest one may be among them.
func (f *inFlight) overdue(before int64, fn func(entry uint32, r pending)) {
	if f.count == 0 || f.oldest > before {
		return
	}
	f.oldest = math.MaxInt64
	for i, r := range f.table {
		switch {
		case r.id == 0:
		case r.started <= before:
			fn(uint32(i), r)
		default:
			f.oldest = min(f.oldest, r.started)
		}
	}
}
