package diff

import (
	"hash/maphash"
	"slices"
)

// To align two versions of a list is to say which element of the new one is which of the old one, so
// that an edit of one element reads as that, and not as a list that is replaced. It goes in three
// steps:
//
//  1. match: elements with the same identity are the same (identity.go).
//  2. stay: of the matched ones, the longest run that is in the same order on both sides stays where
//     it is; it is the longest increasing subsequence of the sources. Everything else moves, so the
//     moves are as few as possible.
//  3. pair: what is left without identity between two neighbours that stay is taken for the same
//     element, changed: the second of three strings was edited. A set has no neighbours, so there such
//     an element goes and another one comes.
//
// The invariant: source and target are inverse to each other, and the sources of the anchors ascend.

// alignment says where the elements of an array come from.
type alignment struct {
	old, new []element
	source   []int  // for each new element the old one that it is, or -1
	target   []int  // for each old element the new one that it is, or -1
	anchor   []bool // the new elements that stay: their sources ascend
}

// align matches elements with the same identity, the first with the first where an identity is
// repeated. Where elements between two that stay have no match on either side, and nothing says that
// they are different ones, they are paired.
func align(old, new []element, set bool) *alignment {
	m := &alignment{old, new, make([]int, len(new)), make([]int, len(old)), make([]bool, len(new))}
	for i := range m.target {
		m.target[i] = -1
	}
	if !m.sameOrder() {
		m.match()
	}
	for j, i := range m.source {
		if i >= 0 {
			m.target[i] = j
		}
	}
	m.stay()
	if !set {
		m.pair()
	}
	return m
}

// sameOrder matches the elements place by place if each has the identity of the one at its place. It
// is the usual case, and saves the table of match.
func (m *alignment) sameOrder() bool {
	if len(m.old) != len(m.new) {
		return false
	}
	for i := range m.old {
		a, b := &m.old[i], &m.new[i]
		if !a.same(a.raw, b.identity, b.raw) {
			return false
		}
		m.source[i] = i
	}
	return true
}

// match matches elements by a table of the old ones. That two identities have the same hash makes no
// wrong match; it may miss one. Old elements with one hash form a list through next, the first one
// first; indexes in the list are one higher, so that 0 ends it.
func (m *alignment) match() {
	seed := maphash.MakeSeed()
	hash := func(e *element) uint64 { return maphash.Bytes(seed, e.text(e.raw)) + uint64(e.kind) }
	free := make(map[uint64]int, len(m.old)) // the first old element with the hash that is not matched yet
	next := make([]int, len(m.old))          // for each old element, the one with the same hash that follows
	for i := len(m.old) - 1; i >= 0; i-- {
		h := hash(&m.old[i])
		next[i] = free[h]
		free[h] = i + 1
	}
	for j := range m.new {
		e := &m.new[j]
		h := hash(e)
		i := free[h] - 1
		m.source[j] = -1
		if i >= 0 && e.same(e.raw, m.old[i].identity, m.old[i].raw) {
			m.source[j] = i
			free[h] = next[i]
		}
	}
}

// stay marks the longest run of new elements whose sources ascend, by patience sorting: for each
// length it keeps the run that ends lowest, because that one is the easiest to go on.
func (m *alignment) stay() {
	var ends []int                    // for each length, less one, the last new element of that run
	before := make([]int, len(m.new)) // for each new element, the one before it in its run, or -1
	for j, i := range m.source {
		if i < 0 {
			continue
		}
		n, _ := slices.BinarySearchFunc(ends, i, func(end, i int) int { return m.source[end] - i })
		before[j] = -1
		if n > 0 {
			before[j] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, j)
		} else {
			ends[n] = j
		}
	}
	if len(ends) == 0 {
		return
	}
	for j := ends[len(ends)-1]; j >= 0; j = before[j] {
		m.anchor[j] = true
	}
}

// pair matches what is left in the gaps between the elements that stay: new elements without
// identity and match, in turn, with such old ones. In a gap, old elements are skipped that have an
// identity (they were removed) or that move away. What is paired stays, too.
func (m *alignment) pair() {
	i := 0
	for j := range m.new {
		if m.anchor[j] {
			i = m.source[j] + 1
			continue
		}
		if m.source[j] >= 0 || m.new[j].kind != byValue {
			continue
		}
		for i < len(m.old) && m.target[i] < 0 && m.old[i].kind != byValue || i < len(m.old) && m.target[i] >= 0 && !m.anchor[m.target[i]] {
			i++
		}
		if i < len(m.old) && m.target[i] < 0 {
			m.source[j], m.target[i], m.anchor[j] = i, j, true
			i++
		}
	}
}

// waiting counts the old elements that are yet to move, in a Fenwick tree over their indexes: both to
// take one away and to count those before an index take logarithmic time.
type waiting struct {
	tree    []int
	next    []int // for each old element: the new index of the next one that stays
	anchors []int // for each new index: how many new elements before it stay
}

func newWaiting(m *alignment) *waiting {
	w := &waiting{tree: make([]int, len(m.old)+1), next: make([]int, len(m.old)), anchors: make([]int, len(m.new)+1)}
	next := len(m.new)
	for i, j := range slices.Backward(m.target) {
		w.next[i] = next
		switch {
		case j >= 0 && m.anchor[j]:
			next = j
		case j >= 0:
			w.add(i, 1)
		}
	}
	for j, anchor := range m.anchor {
		w.anchors[j+1] = w.anchors[j]
		if anchor {
			w.anchors[j+1]++
		}
	}
	return w
}

// add changes the count of the old element i by n.
func (w *waiting) add(i, n int) {
	for i++; i < len(w.tree); i += i & -i {
		w.tree[i] += n
	}
}

func (w *waiting) remove(i int) { w.add(i, -1) }

// before returns how many of the first n old elements wait.
func (w *waiting) before(n int) int {
	sum := 0
	for ; n > 0; n -= n & -n {
		sum += w.tree[n]
	}
	return sum
}

// index returns where the waiting old element i is when the new elements before j are placed. In
// front of it are the new elements that are placed before the next one that stays, those that stay
// further on but still before it, and the old ones before it that wait as well.
func (w *waiting) index(i, j int) int {
	next := w.next[i]
	return min(j, next) + max(0, w.anchors[next]-w.anchors[j]) + w.before(i)
}
