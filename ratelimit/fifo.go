package ratelimit

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

// insert puts t where it belongs.
func (f *fifo) insert(t int64, most int) {
	f.grow(most)
	f.n++
	i := f.n - 1
	for ; i > 0 && f.at(i-1) > t; i-- {
		f.buf[f.index(i)] = f.at(i - 1)
	}
	f.buf[f.index(i)] = t
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
