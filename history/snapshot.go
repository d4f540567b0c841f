package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// A snapshot is an object as it is now or was at a time.
type snapshot struct {
	Ref
	Parent string
	body   []byte // now: as it came; at a time: in the canonical form of that time
	rules  string // now: fingerprint of the rules that it compares by; else ""
}

// snapshots iterates over the objects of some types, all for none, that exist at a time, or now
// for the zero time: by type and id. What AsOf cannot know is yielded as AsOf does, as an error
// that matches ErrTrimmed beside the object's name.
func (h *History) snapshots(ctx context.Context, types []string, at time.Time) iter.Seq2[snapshot, error] {
	return func(yield func(snapshot, error) bool) {
		all := len(types) == 0
		if all {
			var err error
			if types, err = h.types(ctx); err != nil {
				yield(snapshot{}, err)
				return
			}
		}
		for _, typ := range types {
			one := h.live(ctx, typ)
			if !at.IsZero() {
				one = h.past(ctx, typ, at)
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

func (h *History) past(ctx context.Context, typ string, at time.Time) iter.Seq2[snapshot, error] {
	return func(yield func(snapshot, error) bool) {
		for v, err := range h.AsOf(ctx, typ, at) {
			o := snapshot{Ref: Ref{typ, v.ID, v.Name}, body: v.Body}
			if err != nil && !errors.Is(err, ErrTrimmed) {
				o = snapshot{}
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// live iterates over the live objects of a type with their bodies. It reads heads and bodies side by
// side, each in one scan, and those one by one that changed in between.
func (h *History) live(ctx context.Context, typ string) iter.Seq2[snapshot, error] {
	return func(yield func(snapshot, error) bool) {
		next, stop := iter.Pull2(h.store.Scan(ctx, h.keys.below("body", typ)))
		defer stop()
		body, err, more := next()
		for hd, headErr := range h.heads(ctx, typ) {
			key := h.keys.body(typ, hd.id)
			for more && err == nil && body.Key < key {
				body, err, more = next()
			}
			if err = errors.Join(err, headErr); err != nil {
				yield(snapshot{}, fmt.Errorf("history: %s: %w", typ, err))
				return
			}
			if !hd.live() {
				continue
			}
			o, ok := h.joined(typ, hd, body, key)
			if !ok {
				stored, err := h.load(ctx, typ, hd.id)
				if errors.Is(err, ErrNotFound) || err == nil && !stored.live() {
					continue // it went meanwhile
				}
				if err != nil {
					yield(snapshot{}, err)
					return
				}
				o = stored.snapshot()
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// snapshotOf returns one object at a time, or now for the zero time; ErrNotFound if it does not exist then.
func (h *History) snapshotOf(ctx context.Context, typ, id string, at time.Time) (snapshot, error) {
	if !at.IsZero() {
		v, err := h.ObjectAsOf(ctx, typ, id, at)
		return snapshot{Ref: Ref{typ, id, v.Name}, body: v.Body}, err
	}
	o, err := h.load(ctx, typ, id)
	if err == nil && !o.live() {
		err = fmt.Errorf("history: %s %q is deleted: %w", typ, id, ErrNotFound)
	}
	return o.snapshot(), err
}

// joined puts a head and a body together, or reports false if they do not belong together.
func (h *History) joined(typ string, hd idHead, body storage.Entry, key string) (snapshot, bool) {
	if body.Key != key || diff.RawDigest(h.secret, body.Value) != hd.Raw {
		return snapshot{}, false
	}
	return storedObject{hd, typ, body.Value}.snapshot(), true
}

func (o storedObject) snapshot() snapshot {
	return snapshot{Ref{o.typ, o.id, o.Name}, o.Parent, slices.Clip(o.body), o.Shape}
}

// A lens brings bodies into canonical form and leaves out more than their rules ask for.
type lens struct {
	h         *History
	drop      func(typ string) []string // paths that are left out as well
	comparers map[[2]string]*diff.Comparer
}

func (h *History) lens(drop func(typ string) []string) *lens {
	return &lens{h, drop, map[[2]string]*diff.Comparer{}}
}

// comparer returns that of the bodies of a type that compare by the rules with a fingerprint, or that
// are in canonical form if it is "".
func (l *lens) comparer(ctx context.Context, typ, fingerprint string) (*diff.Comparer, error) {
	key := [2]string{typ, fingerprint}
	if c := l.comparers[key]; c != nil {
		return c, nil
	}
	rules := diff.Rules{}
	if fingerprint != "" {
		stored, err := l.h.shape(ctx, fingerprint)
		if err != nil {
			return nil, err
		}
		rules = stored.Rules
	}
	rules.Ignore = append(slices.Clone(rules.Ignore), l.drop(typ)...)
	c, err := diff.Compile(rules)
	if err != nil {
		return nil, fmt.Errorf("history: model of %s: %w", typ, err)
	}
	l.comparers[key] = c
	return c, nil
}

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
