package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/cxsync/cxsync/history/diff"
)

// A portrait is what one side has under one natural key. It has a digest instead of the body, so that
// all objects of a type fit into memory on both sides; the bodies of the few that differ are read a
// second time. Both sides' digests are keyed with the secret of the first one, so that they compare.
type portrait struct {
	refs   []Ref       // more than one if the key is ambiguous, when nothing else here counts
	digest diff.Digest // of what is compared: see comparison.body
	bad    error       // why it cannot be compared
}

// portray reads the objects of a side and returns what it has under each natural key.
func (c *comparison) portray(ctx context.Context, side int, typeName string, comparer *diff.Comparer) (map[string]*portrait, error) {
	s := c.sides[side]
	found := map[string]*portrait{}
	for o, err := range s.History.snapshots(ctx, []string{typeName}, s.At, nil) {
		if err != nil && !errors.Is(err, ErrTrimmed) {
			return nil, err
		}
		p := &portrait{bad: err}
		if err == nil {
			body, err := c.body(side, o, comparer)
			if err != nil {
				return nil, err
			}
			p.digest = diff.RawDigest(c.sides[0].History.secret, body)
		}
		key := c.key(side, o.Ref)
		if known := found[key]; known != nil {
			p.refs = known.refs
		}
		p.refs = append(p.refs, o.Ref)
		found[key] = p
	}
	return found, nil
}

// key returns what an object is matched by.
func (c *comparison) key(side int, r Ref) string {
	if c.own {
		return r.ID
	}
	if side == 0 {
		if other, ok := c.opts.Match[Ref{Type: r.Type, ID: r.ID}]; ok {
			return c.rings[1].key(other)
		}
	}
	return c.rings[side].key(r)
}

// body returns what of an object is compared.
func (c *comparison) body(side int, o snapshot, comparer *diff.Comparer) ([]byte, error) {
	body, err := o.body, error(nil)
	if !c.own {
		body, err = c.rings[side].portable(body)
	}
	if err == nil {
		body, err = comparer.Canonical(nil, body)
	}
	if err != nil {
		return nil, fmt.Errorf("history: body of %s: %w", o.Ref, err)
	}
	return body, nil
}

// judge compares what both sides have under one key, of which each may be nil.
func (c *comparison) judge(ctx context.Context, comparer *diff.Comparer, a, b *portrait) (d Difference, err error) {
	for _, p := range []*portrait{a, b} {
		switch {
		case p == nil:
		case len(p.refs) > 1:
			d.Kind = DifferenceAmbiguous
			d.Reason = "several objects have this natural key"
		case p.bad != nil && d.Kind == "":
			d.Kind, d.Reason = DifferenceUnreadable, p.bad.Error()
		}
	}
	if a != nil {
		d.A = a.refs
	}
	if b != nil {
		d.B = b.refs
	}
	switch {
	case d.Kind != "":
	case b == nil:
		d.Kind = DifferenceOnlyA
	case a == nil:
		d.Kind = DifferenceOnlyB
	// The digests stand for what is compared, and a part of it may have changed since they were made;
	// so an empty difference is none.
	case a.digest != b.digest:
		if d.Fields, err = c.fields(ctx, comparer, a.refs[0], b.refs[0]); len(d.Fields) > 0 {
			d.Kind = DifferenceFields
		}
	}
	return d, err
}

// fields returns what leads from an object of the first side to one of the second.
func (c *comparison) fields(ctx context.Context, comparer *diff.Comparer, refs ...Ref) ([]diff.FieldChange, error) {
	var bodies [2][]byte
	for i, r := range refs {
		o, err := c.sides[i].History.snapshotOf(ctx, r.Type, r.ID, c.sides[i].At)
		if errors.Is(err, ErrNotFound) {
			return nil, nil // it went since it was portrayed
		}
		if err != nil {
			return nil, err
		}
		if bodies[i], err = c.body(i, o, comparer); err != nil {
			return nil, err
		}
	}
	return comparer.Diff(bodies[0], bodies[1])
}
