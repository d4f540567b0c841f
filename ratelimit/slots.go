package ratelimit

import "slices"

// inFlight are the requests between their permit and their end, by their number.
type inFlight struct {
	started map[uint64]int64 // when each of them started
	last    uint64           // the number of the newest
	oldest  int64            // none of them started before
}

func (f *inFlight) count() int { return len(f.started) }

// start enters a request and returns its number.
func (f *inFlight) start(now int64) uint64 {
	if len(f.started) == 0 {
		f.oldest = now
	}
	f.last++
	f.started[f.last] = now
	return f.last
}

// overdue calls fn, which may end it, for each request that started at or before the instant
// given. It looks at them only when the oldest one may be among them.
func (f *inFlight) overdue(before int64, fn func(id uint64, started int64)) {
	if len(f.started) == 0 || f.oldest > before {
		return
	}
	f.oldest = never
	for id, started := range f.started {
		if started <= before {
			fn(id, started)
		} else {
			f.oldest = min(f.oldest, started)
		}
	}
}

// A fifo is a queue of instants in ascending order. It takes 8 bytes for each instant and
// keeps a quarter of its memory free at most.
type fifo struct {
	buf  []int64
	head int // the instants before it are gone
}

func (f *fifo) len() int { return len(f.buf) - f.head }

func (f *fifo) at(i int) int64 { return f.buf[f.head+i] }

// before returns how many instants are at or before t.
func (f *fifo) before(t int64) int {
	i, _ := slices.BinarySearch(f.buf[f.head:], t+1)
	return i
}

// push appends t. An instant before the last one counts as the last one: later is the safe
// side, and the order holds.
func (f *fifo) push(t int64) {
	if f.len() > 0 {
		t = max(t, f.buf[len(f.buf)-1])
	}
	if len(f.buf) == cap(f.buf) && f.head > len(f.buf)/4 {
		f.buf = f.buf[:copy(f.buf, f.buf[f.head:])]
		f.head = 0
	}
	f.buf = append(f.buf, t)
}

func (f *fifo) pop() { f.head++ }
