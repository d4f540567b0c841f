package history

import (
	"time"
)

// A field came or went in an object, nothing says that somebody edited it, and the pass has compared too
// few others to tell an edit from a release: the list ended early, or what it would have to read cannot
// be read. Then the object waits. Its body and the log stay as they are, so that the next pass finds the
// same difference, whatever the marker of the object or of its parent says, and decides by what it can
// read. An outage may take many passes. In the end it is decided by what there is: reads that always
// fail must not keep an edit from being recorded.
//
// What waits is a part of the head, so it goes with the object: a change that is recorded, a deletion, or
// a body that is again what it was end it.

// A wait says since when no pass could decide about an object.
type wait struct {
	Since time.Time `json:"since,omitzero"` // zero while no pass has known the time
	After time.Time `json:"after,omitzero"` // when it was known to be what is on record
}

// decideAfter is for how long an object may wait. Parents that refuse are asked again daily, so those
// that an outage of two days made refuse have been asked by then.
const decideAfter = 72 * time.Hour

// mayWait reports whether another pass may read more, and more is needed to tell a release from an edit.
func (p *Pass) mayWait() bool {
	mayReadMore := p.reason != "" || p.unsampled || p.short
	edited := p.compared - p.unedited()
	return mayReadMore && p.tooFew() && p.live >= releaseObjects && p.live-edited >= releaseUnedited
}

// letWait makes an object wait, unless it was edited, is in releases that are known alone, or has waited
// long enough. It reports whether it waits.
func (p *Pass) letWait(o *pending) bool {
	w, isOver := p.goOn(o.waited)
	if o.edited || o.late || isOver || !p.isOpen(o) {
		return false
	}
	w.After = o.after
	o.waits, o.Body = &w, nil
	return true
}

// goOn returns a wait as it is after this pass, and whether it has taken long enough. A clock that was
// set back begins it anew.
func (p *Pass) goOn(w wait) (next wait, isOver bool) {
	switch {
	case !p.isTimed:
		return w, false
	case w.Since.IsZero() || w.Since.After(p.sum.Started):
		w.Since = p.sum.Started
	}
	return w, p.sum.Started.Sub(w.Since) >= decideAfter
}

// isOpen reports whether an object has a field that may be part of a release that is not known.
func (p *Pass) isOpen(o *pending) bool {
	for _, c := range o.fields {
		key, ok := releaseOf(c)
		if _, known := p.releases[key]; ok && !known {
			return true
		}
	}
	return false
}

// writeWait notes that an object waits, with the labels that it has now, unless somebody else has
// recorded meanwhile what it is like.
func (p *Pass) writeWait(t *tx, o *pending, old knownObject) error {
	if !old.found || !old.live() || p.same(o, old.head) {
		return nil
	}
	w := *o.waits
	w.After = old.earliest(w.After)
	hd := old.head
	hd.label(o)
	hd.Size, hd.Waits = 0, &w // the labels are not those of the stored body
	return t.batch.PutJSON(p.h.keys.head(p.typeName, o.ID), hd)
}
