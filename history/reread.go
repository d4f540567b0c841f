package history

import (
	"context"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// A marker says that an object has not been edited since its body was read, so
// that the body need not be read again. But the list that has the marker and the
// call that has the body may be answered by different replicas, one of which
// lags: an old body comes with the new marker, and no later marker moves for it.
// These rules bound the error.
//
//   - A body says its own marker. If that is not the one in the list, the body is
//     in doubt.
//   - A body that came because the marker moved is in doubt if it did not change,
//     or does not say its own marker.
//   - What is in doubt is read again in the next two passes, and until replicas
//     have had the time to agree, however soon those passes come. Then it is believed.
//   - While the marker stays, a body is ignored as an old one if it says another marker, or if it
//     says none and is what it was before the doubt. If it still comes when the doubt ends, it counts.
//   - A slow rotation reads again what no marker moves at all.
//
// While an object is in doubt, its change counts from before the doubt began.
//
// The invariant: what is on record is either what the newest body said, or it is read again in a
// later pass without waiting for a marker. Nothing stays wrong for longer than one round of the
// rotation.

const (
	// rereads is in how many passes an object in doubt is read again at least.
	rereads = 2
	// replicasAgree is how long an object is in doubt at least.
	replicasAgree = 10 * time.Minute
)

// A reread says that an object, or what is below a parent, is in doubt. Where no pass
// is left, it could not be read when its turn in the rotation came: it waits for
// its next turn.
type reread struct {
	Left  int       `json:"left"`           // passes in which it is read again at least
	After time.Time `json:"after,omitzero"` // when it was known to be what it was
	Since time.Time `json:"since,omitzero"` // when its marker was last seen to move

	Late bool        `json:"late,omitempty"` // its marker has moved, and no body of that marker has come
	Was  diff.Digest `json:"was,omitzero"`   // canonical digest before the change that is in doubt
}

func (a reread) equal(b reread) bool {
	return a.Left == b.Left && a.After.Equal(b.After) && a.Since.Equal(b.Since) && a.Late == b.Late && a.Was == b.Was
}

// A finding is what was read of a marked thing: an object, or the list below a parent.
type finding struct {
	moved     bool // its marker is another one than when it was read last
	unchanged bool // what was read is what was known
	lags      bool // what was read says that it belongs to another marker
	silent    bool // what was read does not say to which marker it belongs
}

// next returns the doubt that is left after a finding in a pass that began at now.
// After is when the thing was known to be what it was, should the doubt begin in it.
func (a reread) next(f finding, after, now time.Time) reread {
	if a.Left > 0 {
		after = a.After
	}
	// The cases, in their order: the marker moved and the body does not bear that out, so the doubt
	// begins, or begins anew. Then those in which there is none: the marker moved and the body says
	// so too; there was none; the body changed and says its marker; the doubt has lasted long enough.
	// Otherwise one pass less is left, but the last one stays until replicas have had their time.
	switch {
	case f.moved && (f.unchanged || f.lags || f.silent):
		return reread{Left: rereads, After: after, Since: now, Late: f.lags || f.unchanged && f.silent}
	case f.moved, a.Left == 0, !f.unchanged && !f.silent, a.isLast(now):
		return reread{}
	}
	a.Left, a.After, a.Late = max(1, a.Left-1), after, a.Late && (f.unchanged || f.lags)
	return a
}

// isLast reports whether what a pass reads that began at now is believed.
func (a reread) isLast(now time.Time) bool {
	return a.Left == 1 && now.Sub(a.Since).Abs() >= replicasAgree
}

// A cycle is how far the rotation is that reads again what no marker moves. It goes round through
// the ids in their order and remembers the last one, so that ids which come and go change nobody
// else's turn by much.
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

// next returns which of the ids have their turn in this pass, and the cycle after
// it. The ids are sorted in place.
func (c cycle) next(ids []string, passes int, now time.Time) (map[string]bool, cycle) {
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

// judgeMarker returns the doubt that is left about an object that was read, and since when it was
// known to be what it was, which is what its change counts from.
func (p *Pass) judgeMarker(o Object, own string, s *sighting, known, same bool) (again reread, after time.Time) {
	isLive := known && s.live
	after = p.spans(o.Parent, isLive)
	before := p.doubts[o.ID]
	moved := s.marker != o.Marker
	f := finding{moved: moved, unchanged: same || s.stale, lags: own != "" && own != o.Marker, silent: own == ""}
	switch {
	case o.Marker == "":
	case isLive:
		again = before.next(f, after, p.sum.Started)
	case f.lags || f.silent && !p.isImport(o.Parent):
		again = reread{Left: rereads, After: after, Since: p.sum.Started}
	}
	if isLive && !f.unchanged && again.Left > 0 {
		again.Was = s.canonical
	}
	switch {
	case before.Left > 0:
		after = before.After
	case p.due[o.ID] && !moved:
		after = p.turnAfter(o.ID)
	}
	return again, after
}

// keepIfOld reports whether a body is one of a replica that lags: a newer body is on
// record, and the marker has not moved. It is then kept as it is, in doubt.
func (p *Pass) keepIfOld(ctx context.Context, o Object, own string, canonical diff.Digest, s *sighting) (bool, error) {
	before := p.doubts[o.ID]
	lags := own != "" && own != o.Marker
	// First what makes the question meaningless or answers it with no: nothing on record to compare
	// with, a marker that moved, the same content, or the end of the doubt. Then it takes a reason to
	// call the body old: it says another marker, or, where it says none, it is what was there before
	// the change that is in doubt.
	switch {
	case !s.live || s.stale || o.Marker == "" || s.marker != o.Marker || canonical == s.canonical || before.isLast(p.sum.Started):
		return false, nil
	case !lags && (own != "" || before.Left == 0 || canonical != before.Was):
		return false, nil
	}
	again := before
	if again.Left = max(1, before.Left-1); before.Left == 0 {
		again = reread{Left: rereads, After: p.spans(o.Parent, true), Since: p.sum.Started}
		if p.due[o.ID] {
			again.After = p.turnAfter(o.ID)
		}
	}
	p.doubts[o.ID] = again
	delete(p.due, o.ID)
	p.see(o.ID, s)
	return true, p.enqueue(ctx, &pending{Object: Object{ID: o.ID}, unread: true, again: again})
}

// isImport reports whether what is new below a parent may always have been there.
func (p *Pass) isImport(parent string) bool {
	return p.widened || p.last.Forgot || p.spans(parent, false).IsZero()
}

// turnAfter returns since when an object may have been edited without a move of its
// marker: since the rotation read it.
func (p *Pass) turnAfter(id string) time.Time {
	if unread, ok := p.doubts[id]; ok {
		return unread.After
	}
	return p.last.Cycle.After
}

// keepUnread is Keep for an object whose turn in the rotation it was and that could
// not be read. Nothing else spoke for reading it, so it counts as unchanged; but a
// change that its next turn finds may be older than this round.
func (p *Pass) keepUnread(ctx context.Context, id string) error {
	if err := p.Keep(id); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, noted := p.doubts[id]; noted {
		return nil
	}
	if err := p.enqueue(ctx, &pending{Object: Object{ID: id}, unread: true, again: reread{After: p.last.Cycle.After, Since: p.sum.Started}}); err != nil {
		return err
	}
	return p.commitIfDue(ctx)
}

// turnTo returns whose turn in the rotation it is.
func (p *Pass) turnTo(ids []string) (due map[string]bool) {
	due, p.cycle = p.last.Cycle.next(ids, p.h.opts.Rotation, p.sum.Started)
	return due
}

// isTurn reports whether an object is read again only because it is its turn.
func (p *Pass) isTurn(id, marker string) bool {
	s, ok := p.seen[id]
	return ok && p.due[id] && s.marker == marker
}

// marked counts the live objects that have a marker.
func (p *Pass) marked() int {
	n := 0
	for _, s := range p.seen {
		if s.live && s.marker != "" {
			n++
		}
	}
	return n
}
