package ratelimit

import "slices"

// inFlight are the requests between their permit and their end, by their number. The place of one
// that is over is kept while an older one is in flight, so for Options.HoldTimeout at most.
type inFlight struct {
	starts fifo   // when each of them started, from the oldest on; isOver if it is over
	first  uint64 // the number of the oldest; none has the number 0
	n      int
}

const isOver = -1

// start enters a request and returns its number.
func (f *inFlight) start(now int64) uint64 {
	f.n++
	f.starts.push(now)
	return f.first + uint64(f.starts.len()) - 1
}

// started returns when a request started, or isOver.
func (f *inFlight) started(id uint64) int64 {
	if i := id - f.first; i < uint64(f.starts.len()) {
		return f.starts.at(int(i))
	}
	return isOver
}

// end removes a request that is in flight.
func (f *inFlight) end(id uint64) {
	f.n--
	f.starts.buf[f.starts.head+int(id-f.first)] = isOver
	for f.starts.len() > 0 && f.starts.at(0) == isOver {
		f.starts.pop()
		f.first++
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
