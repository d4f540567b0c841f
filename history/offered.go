package history

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// Of some types there is one object below a parent, or none. That there is none the service says by
// 404, and it says the same below every parent once it offers the type no more. So an absence counts
// only if there is an object below another parent in the same walk. What was absent in a walk without
// one is withheld, and that walk is not the first of the two that make a deletion.
//
// Where few objects lived, all may have gone. But once a type of 20 or more has been in question, it is
// until an object is seen, however few live by then.

// unoffered reports whether the org may no longer offer the type of the missing objects.
func (r *reader) unoffered(ctx context.Context, missing []string) (bool, error) {
	switch {
	case !r.opts.Optional || r.below.nonEmpty > 0:
		return false, nil
	case len(missing) == 0:
		return r.p.last.Unoffered, nil
	}
	has, err := r.keptHas(ctx)
	return !has && (r.p.last.Unoffered || r.p.live >= refuseAll), err
}

// keptHas reports whether below one of two parents that were skipped, of those that have an object on
// record, there is one. They are others from pass to pass. What it sees is not recorded.
func (r *reader) keptHas(ctx context.Context) (bool, error) {
	b := r.below
	before := r.opts.Requests()
	defer func() { r.once += r.opts.Requests() - before }()
	for i := range min(2, len(b.kept)) {
		id := b.kept[(2*int(r.p.sum.Number)+i)%len(b.kept)].Parent
		at, found := slices.BinarySearchFunc(b.live, id, func(h Head, id string) int { return cmp.Compare(h.ID, id) })
		if !found {
			continue
		}
		for item, err := range r.src.List(ctx, &b.live[at]) {
			if unclear := new(UnclearError); err != nil && !errors.As(err, &unclear) {
				return false, err
			}
			if err == nil && !item.Deleted {
				return true, nil
			}
		}
	}
	return false, nil
}
