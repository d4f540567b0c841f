package history

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A parentRecord is the value of a parent key: what a type knows of one object
// that it is listed under. There is one for each parent whose list was ever read whole.
type parentRecord struct {
	// Marker is the parent's own when what is below it was read whole. While it
	// stays, that need not be read.
	Marker string `json:"marker,omitempty"`
	reread

	// Unproven says that the newest pass could not tell what is below the parent;
	// After is then when it was last known.
	Unproven bool      `json:"unproven,omitempty"`
	Asked    time.Time `json:"asked,omitzero"`     // when its list was last refused
	Refusals int       `json:"refusals,omitempty"` // in a row
	Lasting  bool      `json:"lasting,omitempty"`  // the last one is not expected to end soon
}

const (
	// refuseAll is how many parents, the first ones of a pass, have to refuse for
	// the type to count as one that cannot be had.
	refuseAll = 20
	// askAgain is when a parent that refused is asked again.
	askAgain = 24 * time.Hour
)

// rests reports whether a parent that refused is left alone for now. A failure is
// tried once more at the next pass, and so is a parent that was changed since.
func (r parentRecord) rests(head Head, now time.Time) bool {
	if r.Refusals == 0 || !r.Lasting && r.Refusals < 2 || head.Changed.After(r.Asked) {
		return false
	}
	since := now.Sub(r.Asked)
	return since >= 0 && since < askAgain
}

// parentsAtOnce is how many parents are remembered in one commit.
const parentsAtOnce = 5000

// rememberParents stores what the pass learnt about the parents, but for the last of
// them, which it returns. A parent that is remembered as read is skipped while its
// marker stays, also if the pass never ends: so what was found below it is stored before.
func (r *reader) rememberParents(ctx context.Context) (last []string, err error) {
	if r.below == nil {
		return nil, nil
	}
	for id := range r.below.before {
		if _, changed := r.parentRecord(id); changed {
			last = append(last, id)
		}
	}
	for id := range r.below.after {
		if _, isKnown := r.below.before[id]; !isKnown {
			last = append(last, id)
		}
	}
	slices.Sort(last)
	p := r.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := parentsAtOnce; len(last) > n; last = last[n:] {
		if p.over == nil {
			p.over = p.flush(ctx)
		}
		if p.over != nil {
			return nil, p.over
		}
		if err := p.commit(ctx, func(t *tx) error { return r.putParents(&t.batch, last[:n]) }); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// putParents adds to b what is remembered of some parents.
func (r *reader) putParents(b *storage.Batch, ids []string) error {
	for _, id := range ids {
		key := r.p.h.keys.parent(r.p.typeName, id)
		if r.below.deleted[id] {
			b.Delete(key)
			continue
		}
		now, _ := r.parentRecord(id)
		if err := b.PutJSON(key, now); err != nil {
			return err
		}
	}
	return nil
}

// parentRecord returns what is to be remembered of a parent, and whether that is
// something else than before. There are three cases: what is below it was read whole, or is as it was,
// and all of it is accounted for; that is not so, but was once, and the old marker stays with the
// note since when it proves nothing; or nobody has ever read it whole.
func (r *reader) parentRecord(id string) (now parentRecord, changed bool) {
	before, isKnown := r.below.before[id]
	now, learnt := r.below.after[id]
	if !learnt {
		now = before
	}
	proven := r.below.state[id] == proven || isKnown && r.below.state[id] == skipped
	switch {
	case proven && !r.below.open[id]:
	case isKnown:
		now = before.unproven(now, r.span(id, true))
	default:
		now = parentRecord{Marker: now.Marker}.unproven(now, r.span(id, false))
	}
	return now, r.below.deleted[id] || !isKnown || !before.equal(now)
}

// unproven returns the record of a parent about which a pass could tell nothing: it keeps since
// when that is so, and takes over from now how it was refused.
func (r parentRecord) unproven(now parentRecord, since time.Time) parentRecord {
	r.Asked, r.Refusals, r.Lasting = now.Asked, now.Refusals, now.Lasting
	if !r.Unproven {
		r.Unproven, r.After = true, since
	}
	return r
}

// equal reports whether two records say the same, so that nothing need be written.
func (r parentRecord) equal(o parentRecord) bool {
	return r.Marker == o.Marker && r.reread.equal(o.reread) && r.Unproven == o.Unproven &&
		r.Refusals == o.Refusals && r.Lasting == o.Lasting && r.Asked.Equal(o.Asked)
}

// parentRecords iterates over what a type knows of its parents. An error ends it and is in *failed.
func (h *History) parentRecords(ctx context.Context, typeName string, failed *error) iter.Seq2[string, parentRecord] {
	return func(yield func(string, parentRecord) bool) {
		for e, err := range h.store.Scan(ctx, h.keys.below("parent", typeName)) {
			var id string
			var record parentRecord
			if err == nil {
				id, err = h.keys.last(e.Key)
			}
			if err == nil {
				err = decode(e.Key, e.Value, &record)
			}
			if err != nil {
				*failed = fmt.Errorf("history: parents of %s: %w", typeName, err)
				return
			}
			if !yield(id, record) {
				return
			}
		}
	}
}
