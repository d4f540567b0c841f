package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// A Version is the state of an object from one change to the next.
type Version struct {
	Change                 // what made it; Change.At is when it begins
	Body   json.RawMessage `json:"body,omitempty"` // canonical JSON of the fields that were compared; none if it was deleted
	Until  time.Time       `json:"until,omitzero"` // when the next change ended it; zero if none has
}

// A state is an object right after an entry of the log.
type state struct {
	record
	live  bool
	doc   []byte // canonical form
	shape string // fingerprint of the shape that doc is canonical under
}

// A finder returns the entry with a sequence number, or ErrTrimmed.
type finder func(ctx context.Context, seq uint64) (record, error)

// states iterates over the states of an object, newest first. later are entries
// of the object that are at hand already, newest first; find finds the others.
// If retention has removed what came before the last state, it ends with
// ErrTrimmed.
func (h *History) states(ctx context.Context, o storedObject, later []record, find finder) iter.Seq2[state, error] {
	return func(yield func(state, error) bool) {
		s := state{live: o.live(), shape: o.Shape}
		comparer, err := h.comparerOf(ctx, o.Shape)
		if err == nil {
			s.doc, err = comparer.Canonical(nil, o.body)
		}
		if err != nil {
			yield(state{}, fmt.Errorf("history: stored body of %s %q: %w", o.typ, o.id, err))
			return
		}
		for seq := o.tip(); seq != 0; seq = s.Prev {
			if len(later) > 0 && later[0].Seq == seq {
				s.record, later = later[0], later[1:]
			} else if s.record, err = find(ctx, seq); err != nil {
				yield(state{}, fmt.Errorf("history: %s %q: %w", o.typ, o.id, err))
				return
			}
			if !yield(s, nil) {
				return
			}
			if err := s.undo(); err != nil {
				yield(state{}, fmt.Errorf("history: change %d of %s %q: %w", s.Seq, o.typ, o.id, err))
				return
			}
		}
	}
}

// undo makes s the state before its entry.
func (s *state) undo() error {
	if s.Before != nil {
		s.doc = s.Before
	} else if step := s.step(); len(step) > 0 {
		doc, err := diff.Revert(s.doc, step)
		if err != nil {
			return err
		}
		s.doc = doc
	}
	switch s.Kind {
	case KindDeleted:
		s.live = true
	case KindRestored:
		s.live = false
	}
	if s.Was != "" {
		s.shape = s.Was
	}
	return nil
}

func (h *History) version(s *state, until time.Time) Version {
	v := Version{Change: h.change(&s.record), Until: until}
	if s.live {
		v.Body = s.doc
	}
	return v
}

// Versions iterates over the versions of an object, newest first, as far back
// as the history of it goes. It yields nothing for an object that was never
// seen.
func (h *History) Versions(ctx context.Context, objectType, id string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		objectType, err := h.resolveType(objectType)
		if err != nil {
			yield(Version{}, err)
			return
		}
		o, err := h.load(ctx, objectType, id)
		if err != nil {
			if errors.Is(err, ErrNotFound) {
				err = h.checkKnown(ctx, objectType, time.Time{})
			}
			if err != nil {
				yield(Version{}, err)
			}
			return
		}
		var until time.Time
		for s, err := range h.states(ctx, o, nil, h.record) {
			switch {
			case errors.Is(err, ErrTrimmed):
				return
			case err != nil:
				yield(Version{}, err)
				return
			case s.hidden():
				continue
			case !yield(h.version(&s, until), nil):
				return
			}
			until = s.at
		}
	}
}

// ObjectAsOf returns the version of an object that held at t, with the fields
// that were compared at t. It returns ErrNotFound if the object did not exist
// then, as far as known, ErrUnknown if the type was not known, and ErrTrimmed if retention has removed what t needs.
func (h *History) ObjectAsOf(ctx context.Context, objectType, id string, t time.Time) (Version, error) {
	objectType, err := h.resolveType(objectType)
	if err == nil {
		err = h.checkKnown(ctx, objectType, t)
	}
	if err != nil {
		return Version{}, err
	}
	o, err := h.load(ctx, objectType, id)
	if err != nil {
		return Version{}, err
	}
	s, until, err := h.stateAt(ctx, o, nil, h.record, t)
	if err != nil {
		return Version{}, err
	}
	if !s.live {
		return Version{}, fmt.Errorf("history: %s %q at %s: %w", objectType, id, t.Format(time.RFC3339Nano), ErrNotFound)
	}
	return h.version(&s, until), nil
}

// stateAt returns the state of an object at t, with the change that had led to
// it as its record, and when the next change came. An object that did not exist
// yet is not live and has no record.
func (h *History) stateAt(ctx context.Context, o storedObject, later []record, find finder, t time.Time) (at state, until time.Time, err error) {
	for s, err := range h.states(ctx, o, later, find) {
		if err != nil {
			return state{}, time.Time{}, err
		}
		if s.at.After(t) {
			if !s.hidden() {
				until = s.at
			}
			continue
		}
		for s.hidden() {
			if s.record, err = find(ctx, s.Prev); err != nil {
				return state{}, time.Time{}, fmt.Errorf("history: %s %q: %w", o.typ, o.id, err)
			}
		}
		return s, until, nil
	}
	return state{}, until, nil
}
