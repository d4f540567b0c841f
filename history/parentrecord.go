package history

import (
	"context"
	"fmt"
	"iter"
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

// rememberParents adds to b what the pass learnt about the parents.
func (r *reader) rememberParents(b *storage.Batch) error {
	if r.below == nil {
		return nil
	}
	put := func(id string, now parentRecord) error {
		if before, ok := r.below.before[id]; ok && before.equal(now) {
			return nil
		}
		return b.PutJSON(r.p.h.keys.parent(r.p.typ, id), now)
	}
	for id, known := range r.below.before {
		if r.below.gone[id] {
			b.Delete(r.p.h.keys.parent(r.p.typ, id))
			continue
		}
		now, learnt := r.below.after[id]
		if !learnt {
			now = known
		}
		if state := r.below.state[id]; state != proven && state != skipped || r.below.open[id] {
			now = known.unproven(now, r.span(id, true))
		}
		if err := put(id, now); err != nil {
			return err
		}
	}
	for id, now := range r.below.after {
		if _, ok := r.below.before[id]; ok {
			continue
		}
		if r.below.state[id] != proven || r.below.open[id] {
			now = parentRecord{Marker: now.Marker}.unproven(now, r.span(id, false))
		}
		if err := put(id, now); err != nil {
			return err
		}
	}
	return nil
}

// unproven returns the record of a parent about which a pass could tell nothing.
func (r parentRecord) unproven(now parentRecord, since time.Time) parentRecord {
	r.Asked, r.Refusals, r.Lasting = now.Asked, now.Refusals, now.Lasting
	if !r.Unproven {
		r.Unproven, r.After = true, since
	}
	r.Left = 0
	return r
}

func (r parentRecord) equal(o parentRecord) bool {
	return r.Marker == o.Marker && r.reread.equal(o.reread) && r.Unproven == o.Unproven &&
		r.Refusals == o.Refusals && r.Lasting == o.Lasting && r.Asked.Equal(o.Asked)
}

// parentRecords iterates over what a type knows of its parents. An error ends it and is in *failed.
func (h *History) parentRecords(ctx context.Context, typ string, failed *error) iter.Seq2[string, parentRecord] {
	return func(yield func(string, parentRecord) bool) {
		for e, err := range h.store.Scan(ctx, h.keys.below("parent", typ)) {
			var id string
			var record parentRecord
			if err == nil {
				id, err = h.keys.last(e.Key)
			}
			if err == nil {
				err = decode(e.Key, e.Value, &record)
			}
			if err != nil {
				*failed = fmt.Errorf("history: parents of %s: %w", typ, err)
				return
			}
			if !yield(id, record) {
				return
			}
		}
	}
}
