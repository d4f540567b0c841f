package ratelimit

import "math"

// flights are the requests between their permit and their end: a table that
// grows to the greatest concurrency seen, 16 bytes each.
type flights struct {
	table    []flight
	free     uint32 // the first free entry, plus 1
	count    int
	answered int    // those in flight whose response has arrived
	lastID   uint32 // of the newest request
	oldest   int64  // no request in flight started before
}

type flight struct {
	started int64
	id      uint32 // 0: free
	next    uint32 // free: the next free entry, plus 1; in flight: flags
}

const (
	isAnswered = 1 << iota // its response has arrived
	isSmoothed             // it took a token of the smoother
	isRevoked              // its slot may be another's by now, so it serves no other request
)

// start enters a request and returns where, and its id.
func (f *flights) start(now int64, flags uint32) (slot, id uint32) {
	if f.count == 0 {
		f.oldest = now
	}
	f.count++
	f.lastID++
	if f.lastID == 0 {
		f.lastID = 1
	}
	if f.free == 0 {
		f.table = append(f.table, flight{})
		slot = uint32(len(f.table) - 1)
	} else {
		slot = f.free - 1
		f.free = f.table[slot].next
	}
	f.table[slot] = flight{started: now, id: f.lastID, next: flags}
	return slot, f.lastID
}

// end removes a request and returns it. ok is false if it has ended before.
func (f *flights) end(slot, id uint32) (e flight, ok bool) {
	if !f.has(slot, id) {
		return flight{}, false
	}
	e = f.table[slot]
	if e.next&isAnswered != 0 {
		f.answered--
	}
	f.table[slot] = flight{next: f.free}
	f.free = slot + 1
	f.count--
	return e, true
}

// answer marks a request as answered and returns when it started. ok is false
// if it was answered before, or has ended.
func (f *flights) answer(slot, id uint32) (started int64, ok bool) {
	if !f.has(slot, id) || f.table[slot].next&isAnswered != 0 {
		return 0, false
	}
	f.table[slot].next |= isAnswered
	f.answered++
	return f.table[slot].started, true
}

// revoke marks the slots of all requests in flight.
func (f *flights) revoke() {
	for i := range f.table {
		if f.table[i].id != 0 {
			f.table[i].next |= isRevoked
		}
	}
}

func (f *flights) has(slot, id uint32) bool {
	return int(slot) < len(f.table) && f.table[slot].id == id && id != 0
}

// unanswered is how many requests the server may not have counted yet, as far
// as its answers tell.
func (f *flights) unanswered() int { return f.count - f.answered }

// overdue calls fn for each request that started at or before the instant given.
// It looks at the table only when the oldest one may be among them.
func (f *flights) overdue(before int64, fn func(slot uint32, e flight)) {
	if f.count == 0 || f.oldest > before {
		return
	}
	f.oldest = math.MaxInt64
	for i, e := range f.table {
		switch {
		case e.id == 0:
		case e.started <= before:
			fn(uint32(i), e)
		default:
			f.oldest = min(f.oldest, e.started)
		}
	}
}
