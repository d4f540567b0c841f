package history

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// The past of one object is its newest body with the entries of its chain taken back, newest first:
// each entry has the old values, and names the entry before it. To take a step back costs little, but
// to read and write a body costs much. So a state only collects the steps that lead back to it, and
// makes its body when somebody asks, all steps at once.

// A Version is the state of an object from one change to the next.
type Version struct {
	Change                 // what made it; Change.At is when it begins
	Body   json.RawMessage `json:"body,omitempty"` // canonical JSON of the fields that were compared; none if it was deleted
	Until  time.Time       `json:"until,omitzero"` // when the next change ended it; zero if none has
}

// A state is an object right after an entry of the log. Its body is made when it is asked for: the
// newest one, and from it all steps back at once, because reading and writing a body costs more
// than a step.
type state struct {
	record
	live  bool
	rules string // fingerprint of the rules that the body is canonical under

	stored   []byte         // the newest body, as it came
	comparer *diff.Comparer // that brings it into canonical form
	doc      []byte         // a newer canonical form, from which undone leads back; nil while it has to be made from stored
	undone   [][]diff.FieldChange
}

// body returns the canonical form. It reverts all steps that were collected, which are newest first,
// in one call, which wants them oldest first; then the result is what later steps lead back from.
func (s *state) body() ([]byte, error) {
	if len(s.undone) == 0 {
		return s.newer()
	}
	// What is only reverted and never kept takes no new memory.
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	doc, err := s.newerInto((*scratch)[:0])
	if err != nil {
		return nil, err
	}
	if s.doc == nil {
		*scratch = doc
	}
	slices.Reverse(s.undone)
	if s.doc, err = diff.Revert(doc, slices.Concat(s.undone...)); err != nil {
		return nil, fmt.Errorf("history: %s %q before what came after change %d: %w", s.typeName, s.ID, s.Seq, err)
	}
	s.undone = nil
	return s.doc, nil
}

// newer returns the canonical form from which undone leads back to the body: that of the newest
// body, or one that was made on the way.
func (s *state) newer() (doc []byte, err error) {
	if s.doc == nil {
		s.doc, err = s.newerInto(make([]byte, 0, len(s.stored)))
	}
	return s.doc, err
}

// newerInto is newer that keeps what it makes in dst only.
func (s *state) newerInto(dst []byte) (doc []byte, err error) {
	if s.doc != nil {
		return s.doc, nil
	}
	if doc, err = s.comparer.Canonical(dst, s.stored); err != nil {
		return nil, fmt.Errorf("history: stored body of %s %q: %w", s.typeName, s.ID, err)
	}
	return doc, nil
}

// scratches holds buffers for canonical forms.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// mayHold reports whether a text may stand in the body, without making it. What does is in a newer
// one or in a step back from it, but for an escape that may stand for a part of it.
func (s *state) mayHold(text []byte) (bool, error) {
	doc, err := s.newer()
	may := func(raw []byte) bool { return bytes.Contains(raw, text) || bytes.IndexByte(raw, '\\') >= 0 }
	if err != nil || may(doc) {
		return true, err
	}
	for _, step := range s.undone {
		for _, c := range step {
			if may(c.Old) || strings.Contains(c.Path, string(text)) || strings.IndexByte(c.Path, '~') >= 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// A finder returns the entry with a sequence number, or ErrTrimmed.
type finder func(ctx context.Context, seq uint64) (record, error)

// newest returns the state of an object now, without its record.
func (h *History) newest(ctx context.Context, o storedObject) (state, error) {
	comparer, err := h.comparerOf(ctx, o.Rules)
	return state{live: o.live(), rules: o.Rules, stored: o.body, comparer: comparer}, err
}

// states iterates over the states of an object, newest first, those of hidden entries too; each is
// valid until the next. If retention has removed what came before the last one, it ends with
// ErrTrimmed.
func (h *History) states(ctx context.Context, o storedObject, find finder) iter.Seq2[*state, error] {
	return func(yield func(*state, error) bool) {
		s, err := h.newest(ctx, o)
		if err != nil {
			yield(nil, err)
			return
		}
		for seq := o.tip(); seq != 0; seq = s.Prev {
			if s.record, err = find(ctx, seq); err != nil {
				yield(nil, fmt.Errorf("history: %s %q: %w", o.typeName, o.id, err))
				return
			}
			s.ID = o.id
			if !yield(&s, nil) {
				return
			}
			s.undo()
		}
	}
}

// undo makes s the state before its entry. An entry that keeps the whole form before it (Before)
// makes all steps behind it needless.
func (s *state) undo() {
	if s.Before != nil {
		s.doc, s.undone = s.Before, nil
	} else if step := s.step(); len(step) > 0 {
		s.undone = append(s.undone, step)
	}
	switch s.Kind {
	case KindDeleted, kindSuperseded:
		s.live = true
	case KindRestored:
		s.live = false
	}
	if s.Was != "" {
		s.rules = s.Was
	}
}

// version makes the version of a state, with its body unless the object is deleted.
func (h *History) version(s *state, until time.Time) (Version, error) {
	v := Version{Change: h.change(&s.record), Until: until}
	var err error
	if s.live {
		v.Body, err = s.body()
	}
	return v, err
}

// Versions iterates over the versions of an object, newest first, as far back
// as the history of it goes. An object that was never seen, or is forgotten, is ErrNotFound, and a
// type that was never read ErrUnknown.
func (h *History) Versions(ctx context.Context, typeName, id string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		typeName, err := h.resolveType(typeName)
		if err != nil {
			yield(Version{}, err)
			return
		}
		o, err := h.load(ctx, typeName, id)
		if err != nil {
			if errors.Is(err, ErrNotFound) {
				err = cmp.Or(h.checkKnown(ctx, typeName, time.Time{}), err)
			}
			yield(Version{}, err)
			return
		}
		who, err := h.whoReader(ctx)
		if err != nil {
			yield(Version{}, err)
			return
		}
		var until time.Time
		for s, err := range h.states(ctx, o, h.record) {
			if errors.Is(err, ErrTrimmed) {
				return
			}
			var v Version
			if err == nil {
				if s.hidden() {
					continue
				}
				v, err = h.version(s, until)
			}
			if err == nil {
				err = who.fill(ctx, &v.Change)
			}
			if err != nil {
				yield(Version{}, err)
				return
			}
			if !yield(v, nil) {
				return
			}
			until = s.at
		}
	}
}

// ObjectAsOf returns the version of an object that held at t, with the fields that were compared at
// t. It returns ErrNotFound if the object did not exist then, as far as known, ErrUnknown if the
// type was not known, and ErrTrimmed if retention has removed what t needs.
func (h *History) ObjectAsOf(ctx context.Context, typeName, id string, t time.Time) (Version, error) {
	typeName, err := h.resolveType(typeName)
	if err == nil {
		err = h.checkKnown(ctx, typeName, t)
	}
	if err != nil {
		return Version{}, err
	}
	return h.objectAsOf(ctx, typeName, id, t)
}

// objectAsOf is ObjectAsOf for the name of a type, known or not.
func (h *History) objectAsOf(ctx context.Context, typeName, id string, t time.Time) (Version, error) {
	o, err := h.load(ctx, typeName, id)
	if err != nil {
		return Version{}, err
	}
	s, until, err := h.stateAt(ctx, o, h.record, t)
	if err != nil {
		return Version{}, err
	}
	if !s.live {
		return Version{}, fmt.Errorf("history: %s %q at %s: %w", typeName, id, t.Format(time.RFC3339Nano), ErrNotFound)
	}
	who, err := h.whoReader(ctx)
	if err != nil {
		return Version{}, err
	}
	v, err := h.version(&s, until)
	if err == nil {
		err = who.fill(ctx, &v.Change)
	}
	return v, err
}

// stateAt returns the state of an object at t, with the change that had led to
// it as its record, and when the next change came. An object that did not exist
// yet is not live and has no record.
func (h *History) stateAt(ctx context.Context, o storedObject, find finder, t time.Time) (at state, until time.Time, err error) {
	for s, err := range h.states(ctx, o, find) {
		if err != nil {
			return state{}, time.Time{}, err
		}
		if s.at.After(t) {
			if !s.hidden() {
				until = s.at
			}
			continue
		}
		// A hidden entry made this state, but people know it by the change before. Only the record is
		// exchanged: body and rules stay those of the hidden entry, which were in force at t.
		for s.hidden() {
			if s.record, err = find(ctx, s.Prev); err != nil {
				return state{}, time.Time{}, fmt.Errorf("history: %s %q: %w", o.typeName, o.id, err)
			}
			s.ID = o.id
		}
		return *s, until, nil
	}
	return state{}, until, nil
}
