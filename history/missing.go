package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// How missing objects are stored, shown and accepted. Whether one is deleted, removal.go decides.

// missing is the value of a missing key: a live object that complete walks did
// not list.
type missing struct {
	Since  time.Time `json:"since"`          // start of the first walk that missed it
	After  time.Time `json:"after,omitzero"` // start of the last one that did not
	Walks  int       `json:"walks"`          // that missed it
	Reason string    `json:"reason"`         // why it is not recorded as deleted
}

type idMissing struct {
	id string
	missing
}

// missingRecord returns what is known of a missing object, or false if no complete walk has missed it.
func (h *History) missingRecord(ctx context.Context, typeName, id string) (missing, bool, error) {
	m, err := storage.GetJSON[missing](ctx, h.store, h.keys.missing(typeName, id))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return missing{}, false, nil
	case err != nil:
		return missing{}, false, fmt.Errorf("history: %w", err)
	}
	return m, true, nil
}

// missing iterates over the missing objects of a type in the order of their ids.
func (h *History) missing(ctx context.Context, typeName string) iter.Seq2[idMissing, error] {
	return func(yield func(idMissing, error) bool) {
		for e, err := range h.store.Scan(ctx, h.keys.below("missing", typeName)) {
			var m idMissing
			if err == nil {
				m.id, err = h.keys.last(e.Key)
			}
			if err == nil {
				err = decode(e.Key, e.Value, &m.missing)
			}
			if err != nil {
				yield(idMissing{}, fmt.Errorf("history: missing of %s: %w", typeName, err))
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// A Withheld is an object that is absent and not recorded as deleted.
type Withheld struct {
	Head
	Since  time.Time `json:"since"`  // start of the first complete walk that missed it
	Missed int       `json:"missed"` // complete walks that missed it
	Reason string    `json:"reason"` // why it is not recorded as deleted
}

// Withheld iterates over the objects of a type that complete walks missed and
// that still count as live, in the order of their ids. What only walks that
// were not complete missed is not among them. A type that was never read is ErrUnknown.
func (h *History) Withheld(ctx context.Context, typeName string) iter.Seq2[Withheld, error] {
	return func(yield func(Withheld, error) bool) {
		typeName, err := h.knownType(ctx, typeName)
		if err != nil {
			yield(Withheld{}, err)
			return
		}
		for m, err := range h.missing(ctx, typeName) {
			var hd head
			var found bool
			if err == nil {
				hd, found, err = h.head(ctx, typeName, m.id)
			}
			if err != nil {
				yield(Withheld{}, err)
				return
			}
			w := Withheld{Head: hd.export(typeName, m.id), Since: m.Since, Missed: m.Walks, Reason: m.Reason}
			if found && hd.live() && !yield(w, nil) {
				return
			}
		}
	}
}

// AcceptRemovals records withheld objects as deleted, because a person says
// that they are gone. It is one commit: if one of the ids is not withheld, nothing is recorded
// and the error matches ErrNotFound. To name none is an error, and so is a type that
// was never read: ErrUnknown.
func (h *History) AcceptRemovals(ctx context.Context, typeName string, ids ...string) error {
	return h.commit(ctx, origin{typeName: typeName}, func(t *tx) error {
		if err := h.checkKnown(ctx, typeName, time.Time{}); err != nil {
			return err
		}
		if len(ids) == 0 {
			return fmt.Errorf("history: which removals of %s are accepted? Withheld lists the objects", typeName)
		}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			_, withheld, err := h.missingRecord(ctx, typeName, id)
			if err != nil {
				return err
			}
			hd, found, err := h.head(ctx, typeName, id)
			if err != nil {
				return err
			}
			if !withheld || !found || !hd.live() {
				return fmt.Errorf("history: %s %q is not withheld: %w", typeName, id, ErrNotFound)
			}
			if _, err := h.writeRemoval(ctx, t, id, hd, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
}
