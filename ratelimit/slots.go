package ratelimit

import (
	"math"
	"sort"
)

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
	f.starts.push(now, math.MaxInt)
	return f.first + uint64(f.starts.n) - 1
}

// started returns when a request started, or isOver.
func (f *inFlight) started(id uint64) int64 {
	if i := id - f.first; i < uint64(f.starts.n) {
		return f.starts.at(int(i))
	}
	return isOver
}

// end removes a request and reports whether it was in flight.
func (f *inFlight) end(id uint64) bool {
	i := id - f.first
	if i >= uint64(f.starts.n) {
		return false
	}
	started := f.starts.place(int(i))
	if *started == isOver {
		return false
	}
	*started = isOver
	f.n--
	for f.starts.n > 0 && f.starts.at(0) == isOver {
		f.starts.pop()
		f.first++
	}
	return true
}

// A fifo is a queue of instants in ascending order, in a ring of 8 bytes each. The ring doubles
// when it is full, up to the most instants that are to be expected, and keeps its size.
type fifo struct {
	ring []int64
	head int // where the first is in the ring
	n    int
	last int64 // that was pushed
}

// place returns where the instant after the first i is.
func (f *fifo) place(i int) *int64 {
	if i += f.head; i >= len(f.ring) {
		i -= len(f.ring)
	}
	return &f.ring[i]
}

func (f *fifo) at(i int) int64 { return *f.place(i) }

// before returns how many instants are at or before t.
func (f *fifo) before(t int64) int {
	return sort.Search(f.n, func(i int) bool { return f.at(i) > t })
}

// push appends t, where so many instants at most are to be expected. An instant before the last
// one counts as the last one: later is the safe side, and the order holds.
func (f *fifo) push(t int64, most int) {
	if f.n == len(f.ring) {
		f.grow(most)
	}
	f.last = max(f.last, t)
	*f.place(f.n) = f.last
	f.n++
}

// grow makes room for one more instant at least.
func (f *fifo) grow(most int) {
	ring := make([]int64, max(f.n+1, min(max(16, 2*f.n), most)))
	copy(ring[copy(ring, f.ring[f.head:]):], f.ring[:f.head])
	f.ring, f.head = ring, 0
}

func (f *fifo) pop() {
	if f.head++; f.head == len(f.ring) {
		f.head = 0
	}
	f.n--
}
