package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// Questions over many objects (search, references, comparison, export) are the same for now and for
// a time in the past, but for where bodies come from: the store, or heads and log. Snapshots hide
// that difference. Only one thing shows: a body of now is as it came, with the fields that are not
// compared, and one of the past has only those that were compared then.

// A snapshot is an object as it is now or was at a time.
type snapshot struct {
	Ref
	Parent string
	body   []byte // now: as it came; at a time: in the canonical form of that time
	rules  string // now: fingerprint of the rules that it compares by; else ""
}

// snapshots iterates over the objects of some types, all for none, that exist at a time, or now for
// the zero time: by type and id. What AsOf cannot know is yielded as AsOf does, as an error that
// matches ErrTrimmed beside the object's name. Objects in whose bodies a part cannot stand are left
// out, where that saves making the body of a time; nil is in every body.
func (h *History) snapshots(ctx context.Context, types []string, at time.Time, part []byte) iter.Seq2[snapshot, error] {
	return func(yield func(snapshot, error) bool) {
		all := len(types) == 0
		if all {
			var err error
			if types, err = h.types(ctx); err != nil {
				yield(snapshot{}, err)
				return
			}
		}
		for _, typeName := range types {
			one := h.live(ctx, typeName)
			if !at.IsZero() {
				one = h.past(ctx, typeName, at, part)
			}
			for o, err := range one {
				if all && errors.Is(err, ErrUnknown) {
					continue // the type came later
				}
				if !yield(o, err) || err != nil && !errors.Is(err, ErrTrimmed) {
					return
				}
			}
		}
	}
}

// past iterates over the objects of a type that existed at a time. It leaves out those in whose
// bodies part cannot stand.
func (h *History) past(ctx context.Context, typeName string, at time.Time, part []byte) iter.Seq2[snapshot, error] {
	return func(yield func(snapshot, error) bool) {
		if err := h.checkKnown(ctx, typeName, at); err != nil {
			yield(snapshot{}, err)
			return
		}
		complete := func(s *pastState) (err error) {
			if s.live, err = s.mayHold(part); err == nil && s.live {
				err = withBody(s)
			}
			return err
		}
		for s, err := range h.asOf(ctx, typeName, at, complete) {
			o := snapshot{Ref: Ref{typeName, s.ID, s.Name}}
			if err == nil {
				o.body, err = s.body()
			}
			if !yield(o, err) || err != nil && !errors.Is(err, ErrTrimmed) {
				return
			}
		}
	}
}

// live iterates over the live objects of a type.
func (h *History) live(ctx context.Context, typeName string) iter.Seq2[snapshot, error] {
	return func(yield func(snapshot, error) bool) {
		live := func(hd *idHead) bool { return hd.live() }
		for o, err := range h.stored(ctx, typeName, h.keys.below("head", typeName), live) {
			if err == nil && !o.live() {
				continue // it went meanwhile
			}
			if !yield(o.snapshot(), err) || err != nil {
				return
			}
		}
	}
}

// stored iterates over the objects of a type whose heads are in a range and are wanted. It reads
// heads and bodies side by side, each in one scan. The two scans are snapshots of two moments;
// where an object changed in between, the digest in the head is not that of the body, and both are
// read again.
func (h *History) stored(ctx context.Context, typeName string, r storage.Range, wanted func(*idHead) bool) iter.Seq2[storedObject, error] {
	return func(yield func(storedObject, error) bool) {
		// Keys of heads and of bodies end alike, with the id, so both scans are in one order and the
		// bodies can begin where the heads do. A deleted object keeps its last body.
		bodies := h.keys.below("body", typeName)
		bodies.Start += strings.TrimPrefix(r.Start, h.keys.below("head", typeName).Start)
		next, stop := iter.Pull2(h.store.Scan(ctx, bodies))
		defer stop()
		body, err, more := next()
		for hd, headErr := range h.headsIn(ctx, typeName, r, nil) {
			key := h.keys.body(typeName, hd.id)
			for more && err == nil && body.Key < key {
				body, err, more = next()
			}
			if err = errors.Join(err, headErr); err != nil {
				yield(storedObject{}, fmt.Errorf("history: %s: %w", typeName, err))
				return
			}
			if !wanted(&hd) {
				continue
			}
			o := storedObject{hd, typeName, body.Value}
			if body.Key != key || diff.RawDigest(h.secret, body.Value) != hd.Raw {
				if o, err = h.load(ctx, typeName, hd.id); errors.Is(err, ErrNotFound) {
					err = nil
					continue // it was forgotten meanwhile
				}
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// snapshotOf returns one object at a time, or now for the zero time; ErrNotFound if it does not
// exist then.
func (h *History) snapshotOf(ctx context.Context, typeName, id string, at time.Time) (snapshot, error) {
	if !at.IsZero() {
		v, err := h.objectAsOf(ctx, typeName, id, at)
		return snapshot{Ref: Ref{typeName, id, v.Name}, body: v.Body}, err
	}
	o, err := h.load(ctx, typeName, id)
	if err == nil && !o.live() {
		err = fmt.Errorf("history: %s %q is deleted: %w", typeName, id, ErrNotFound)
	}
	return o.snapshot(), err
}

func (o storedObject) snapshot() snapshot {
	return snapshot{Ref{o.typeName, o.id, o.Name}, o.Parent, slices.Clip(o.body), o.Rules}
}

// A lens brings bodies into canonical form and leaves out more than their rules ask for: what does
// not count for the question at hand, such as who made an object.
type lens struct {
	h         *History
	drop      func(typeName string) []string // paths that are left out as well
	comparers map[[2]string]*diff.Comparer
}

// lens returns one that also leaves out the paths that drop names for a type.
func (h *History) lens(drop func(typeName string) []string) *lens {
	return &lens{h, drop, map[[2]string]*diff.Comparer{}}
}

// comparer returns that of the bodies of a type that compare by the rules with a fingerprint, or that
// are in canonical form if it is "".
func (l *lens) comparer(ctx context.Context, typeName, fingerprint string) (*diff.Comparer, error) {
	key := [2]string{typeName, fingerprint}
	if c := l.comparers[key]; c != nil {
		return c, nil
	}
	rules := diff.Rules{}
	if fingerprint != "" {
		stored, err := l.h.ruleSet(ctx, fingerprint)
		if err != nil {
			return nil, err
		}
		rules = stored.Rules
	}
	rules.Ignore = append(slices.Clone(rules.Ignore), l.drop(typeName)...)
	c, err := diff.Compile(rules)
	if err != nil {
		return nil, fmt.Errorf("history: model of %s: %w", typeName, err)
	}
	l.comparers[key] = c
	return c, nil
}

// canonical returns the body of a snapshot as the lens shows it.
func (l *lens) canonical(ctx context.Context, o snapshot) ([]byte, error) {
	c, err := l.comparer(ctx, o.Type, o.rules)
	if err != nil {
		return nil, err
	}
	body, err := c.Canonical(nil, o.body)
	if err != nil {
		return nil, fmt.Errorf("history: body of %s: %w", o.Ref, err)
	}
	return body, nil
}
