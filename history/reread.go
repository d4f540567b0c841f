package history

import (
	"slices"
	"time"
)

// A marker says that an object has not been edited since its body was read, so
// that the body need not be read again. But the list that has the marker and the
// call that has the body may be answered by different replicas, one of which
// lags: the old body comes with the new marker, and no later marker moves for it.
// Three things keep that from being wrong for good.
//
//   - A body says its own marker. If that is not the one in the list, the body is
//     in doubt.
//   - A body that did not change although the marker moved is in doubt.
//   - What is in doubt is read again in the next two passes, and then believed.
//     And a slow rotation reads again what no marker moves at all.
//
// While an object is in doubt, its change counts from before the doubt began.

// rereads is in how many passes an object in doubt is read again.
const rereads = 2

// A reread says that an object, or what is below a parent, is in doubt.
type reread struct {
	Left  int       `json:"left"`           // passes in which it is read again
	After time.Time `json:"after,omitzero"` // when it was known to be what it was
}

func (a reread) equal(b reread) bool { return a.Left == b.Left && a.After.Equal(b.After) }

// A finding is what was read of a marked thing.
type finding struct {
	moved     bool // its marker is another one than when it was read last
	unchanged bool // what was read is what was known
	lags      bool // what was read says that it belongs to another marker
}

// next returns the doubt that is left after a finding. Since is when the thing was
// known to be what it was, should the doubt begin now.
func (a reread) next(f finding, since time.Time) reread {
	if a.Left > 0 {
		since = a.After
	}
	switch {
	case f.moved && (f.unchanged || f.lags), f.lags && !f.unchanged:
		return reread{rereads, since}
	case f.moved || !f.unchanged || a.Left <= 1:
		return reread{}
	}
	return reread{a.Left - 1, since}
}

// A cycle is how far the rotation is that reads again what no marker moves.
type cycle struct {
	Last  string    `json:"last,omitempty"` // id of what was read last
	Began time.Time `json:"began,omitzero"` // when it went on with the first id
	After time.Time `json:"after,omitzero"` // when the round before did: all that was there then has been read since
}

// share returns how many of n are read again in each of so many passes.
func share(n, passes int) int {
	if passes <= 0 || n == 0 {
		return 0
	}
	return (n + passes - 1) / passes
}

// turn returns which of the ids have their turn in this pass, and the cycle after
// it. The ids are sorted in place.
func (c cycle) turn(ids []string, passes int, now time.Time) (map[string]bool, cycle) {
	n := share(len(ids), passes)
	if n == 0 {
		return nil, c
	}
	slices.Sort(ids)
	at, found := slices.BinarySearch(ids, c.Last)
	if found {
		at++
	}
	if c.Began.IsZero() {
		c.Began = now
	}
	due := make(map[string]bool, n)
	for range n {
		if at == len(ids) {
			at, c.After, c.Began = 0, c.Began, now
		}
		due[ids[at]] = true
		c.Last = ids[at]
		at++
	}
	return due, c
}
