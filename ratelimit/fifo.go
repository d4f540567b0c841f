package ratelimit

import "sort"

// A fifo is a ring of instants in ascending order. Its memory follows its
// length and never exceeds 8 bytes for each of the most elements it is told of.
type fifo struct {
	buf  []int64
	head int
	n    int
}

func (f *fifo) len() int { return f.n }

func (f *fifo) at(i int) int64 { return f.buf[f.index(i)] }

func (f *fifo) index(i int) int {
	i += f.head
	if i >= len(f.buf) {
		i -= len(f.buf)
	}
	return i
}

// before returns how many elements are at or before t.
func (f *fifo) before(t int64) int {
	return sort.Search(f.n, func(i int) bool { return f.at(i) > t })
}

// push appends t. An instant before the last one counts as the last one: later
// is the safe side, and the order holds.
func (f *fifo) push(t int64, most int) {
	f.grow(most)
	if f.n > 0 {
		t = max(t, f.at(f.n-1))
	}
	f.n++
	f.buf[f.index(f.n-1)] = t
}

func (f *fifo) pop() int64 {
	t := f.at(0)
	f.head = f.index(1)
	f.n--
	return t
}

func (f *fifo) grow(most int) {
	if f.n < len(f.buf) {
		return
	}
	size := max(16, 2*f.n)
	if f.n < most {
		size = min(size, most)
	}
	buf := make([]int64, size)
	k := copy(buf, f.buf[f.head:])
	copy(buf[k:], f.buf[:f.head])
	f.buf, f.head = buf, 0
}
