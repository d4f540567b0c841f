package ratelimit

import (
	"slices"
)

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
