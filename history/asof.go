package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A question about all objects of a type at a time could ask for each of them in turn, but their
// chains meet the same frames of the log in another order each time. So it goes the other way
// round: the log behind t is read once, from its end, and held (behind.go); then heads and bodies
// are read side by side in the order of ids, and each object takes its entries from what is held.
// An object that did not change since t needs no entry at all, which is true of most.
//
// The invariant: the objects at t are those whose chain is alive at t. Heads of deleted objects
// stay, so all that ever lived are met; those that have not changed since t are as their heads say.

// AsOf iterates over the objects of a type that existed at t, in the order of
// their ids, with the fields that were compared at t. An empty type stands for
// all, in the order of their names. Fields, After and Who of the versions'
// changes are left out.
//
// For an object of which retention has removed what t needs, it yields an error
// that matches ErrTrimmed, with a Version that names the object, and goes on.
// Any other error ends the iteration: one that matches ErrUnknown if the type was
// not known at t.
func (h *History) AsOf(ctx context.Context, typeName string, t time.Time) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		var types []string
		var err error
		if typeName != "" {
			types, err = h.knownTypes(ctx, []string{typeName}, t)
		} else if err = h.checkAllKnown(ctx, nil, t); err == nil {
			types, err = h.types(ctx)
		}
		if err != nil {
			yield(Version{}, err)
			return
		}
		for _, typeName := range types {
			for s, err := range h.asOf(ctx, typeName, t, withBody) {
				var v Version
				if err == nil {
					v, err = h.version(&s.state, s.until)
				} else {
					v.Change = h.change(&s.record)
				}
				if !yield(v, err) || err != nil && !errors.Is(err, ErrTrimmed) {
					return
				}
			}
		}
	}
}

// A pastState is what an object was at a time, and when the next change came.
type pastState struct {
	state
	until time.Time
}

// withBody makes the body of a state, so that who asks for it later has it at once.
func withBody(s *pastState) error {
	_, err := s.body()
	return err
}

// asOf iterates over the objects of a type that existed at t. Of each, complete is called from one
// of several goroutines, to make what the caller needs; what it makes not live is left out.
func (h *History) asOf(
	ctx context.Context, typeName string, t time.Time, complete func(*pastState) error,
) iter.Seq2[pastState, error] {
	return func(yield func(pastState, error) bool) {
		for s, err := range h.allAsOf(ctx, typeName, t, complete) {
			if (err != nil || s.live) && !yield(s, err) {
				return
			}
		}
	}
}

// allAsOf is asOf that also has objects which did not exist at t: those that were recorded later,
// and have no ID here if they had not been recorded before. It goes through the ids in as many
// turns as the log behind t takes to be held: each turn asks for all ids that are left, behind lowers
// r.End to what fits into memory, and the next turn begins there.
func (h *History) allAsOf(
	ctx context.Context, typeName string, t time.Time, complete func(*pastState) error,
) iter.Seq2[pastState, error] {
	return func(yield func(pastState, error) bool) {
		r := h.keys.below("head", typeName)
		earlier := &recall{h: h, until: t, known: map[uint64]*record{}}
		for end := r.End; ; r.Start, r.End = r.End, end {
			behind, err := h.behind(ctx, typeName, t, &r, maxBehind)
			if err != nil {
				yield(pastState{}, err)
				return
			}
			find := behind.before(earlier.record)
			// What is deleted now and has not changed since t was deleted at t too.
			there := func(hd *idHead) bool { return hd.live() || hd.tipAt().After(t) }
			size := func(o storedObject) int { return len(o.body) }
			past := func(o storedObject) (pastState, error) {
				s, err := h.pastOf(ctx, o, find, t)
				if err == nil && s.live {
					err = complete(&s)
				}
				return s, err
			}
			for s, err := range inOrder(h.stored(ctx, typeName, r, there), size, past) {
				if !yield(s, err) || err != nil && !errors.Is(err, ErrTrimmed) {
					return
				}
			}
			if r.End == end {
				return
			}
		}
	}
}

// pastOf returns what an object was at t. With an error it names the object.
func (h *History) pastOf(ctx context.Context, o storedObject, find finder, t time.Time) (pastState, error) {
	if o.tipAt().After(t) {
		s, until, err := h.stateAt(ctx, o, find, t)
		if err != nil {
			s = state{record: record{ID: o.id, Name: o.Name, frameID: frameID{typeName: o.typeName}}}
		}
		s.Fields, s.After = nil, time.Time{}
		return pastState{s, until}, err
	}
	s, err := h.newest(ctx, o)
	s.record = record{Seq: o.Seq, ID: o.id, Name: o.Name, Kind: o.Kind, frameID: frameID{at: o.Changed, typeName: o.typeName}}
	return pastState{state: s}, err
}

// types returns the types that objects were seen of, by one short scan for each: from the first
// head of a type it goes on behind the last one.
func (h *History) types(ctx context.Context) ([]string, error) {
	var types []string
	r := h.keys.below("head")
	for {
		typeName := ""
		for e, err := range h.store.Scan(ctx, r) {
			if err != nil {
				return nil, fmt.Errorf("history: %w", err)
			}
			parts, err := storage.SplitKey(e.Key[len(h.keys.root):])
			if err != nil || len(parts) != 3 {
				return nil, fmt.Errorf("history: %q is not the key of a head", e.Key)
			}
			typeName = parts[1]
			break
		}
		if typeName == "" {
			return types, nil
		}
		types = append(types, typeName)
		r.Start = h.keys.below("head", typeName).End
	}
}
