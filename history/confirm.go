package history

import (
	"context"
	"errors"
	"fmt"
)

// absences ends the walk and returns what is to be confirmed: absences that a whole list proves, and,
// if the walk was not complete, up to 19 others, which only a read of the object itself can prove. Of
// a type below parents, the former are below parents whose list was whole, the latter below parents
// whose list was cut; below a parent that refused, nothing is asked for.
//
// If the coverage moved, nothing is asked for: an object that is out of sight now may answer as one
// that does not exist.
func (r *reader) absences(ctx context.Context) ([]Absence, error) {
	var provable, cut []string
	var err error
	if r.below != nil {
		if provable, cut, err = r.missingBelow(ctx); err != nil {
			return nil, err
		}
		if r.p.unoffered, err = r.unoffered(ctx, provable); err != nil {
			return nil, err
		}
	}
	absences, err := r.p.settle(ctx, Walk{Complete: true, Coverage: r.coverage.Name, Since: r.since}, provable)
	if err != nil || r.p.sum.Complete || r.p.coverageMoved(r.coverage.Name) {
		return absences, err
	}
	if r.below == nil {
		cut = r.p.missingIDs()
	}
	asked, err := r.p.absencesOf(ctx, someOf(cut, r.p.sum.Number))
	return append(absences, asked...), err
}

// A list that is never whole, for weeks perhaps, must not keep deleted objects alive for ever. So after
// such a walk a few of the absent objects are asked for one by one, others in each pass: that an object
// does not exist is proof without any list.

// askedAfterCut is how many absent objects are asked for after a walk that was not
// complete; one more request is left for reader.getWorks.
const askedAfterCut = 19

// someOf returns some of the ids, others from pass to pass: passes that follow each other ask for
// blocks that follow each other, so each id has its turn.
func someOf(ids []string, pass uint64) []string {
	if len(ids) <= askedAfterCut {
		return ids
	}
	start := int(pass * askedAfterCut % uint64(len(ids)))
	return append(append([]string{}, ids[start:]...), ids[:start]...)[:askedAfterCut]
}

// confirm finds out about what is absent, unless the source sees less, or more,
// than when the pass began: then an absence proves nothing. The coverage is asked for after the walk,
// and no older answer than the start of the pass counts, because a permission or a division that is
// taken away in mid-walk may make the list short without an error.
//
// What is not confirmed here stays missing, which End notes. To return early is therefore always
// safe: it costs a pass, never an object.
func (r *reader) confirm(ctx context.Context, absences []Absence) error {
	if len(absences) == 0 {
		return nil
	}
	now, err := r.src.Coverage(ctx, r.began)
	if unclear := new(UnclearError); errors.As(err, &unclear) {
		return nil
	} else if err != nil {
		return err
	}
	if now.Name != r.coverage.Name {
		r.coverage = now // what is remembered, so that what comes back into sight is not created then
		return nil
	}
	works := false
	for _, a := range absences {
		deleted, err := r.isGone(ctx, a)
		if err != nil {
			return err
		}
		if deleted && a.Missed == unproven && !works {
			if works, err = r.getWorks(ctx); err != nil || !works {
				return err
			}
		}
		if deleted {
			if err := r.p.remove(ctx, a.ID, a.Parent); err != nil {
				return err
			}
		}
	}
	return nil
}

// getWorks reports whether the call that reads one object works, by one that the
// walk has seen. Where no complete list agrees, an API that is withdrawn in
// mid-walk would otherwise look like the end of every object that is asked for.
func (r *reader) getWorks(ctx context.Context) (bool, error) {
	id := r.p.anySeen()
	if id == "" {
		return false, nil
	}
	item, err := r.src.Get(ctx, id)
	if unclear := new(UnclearError); errors.As(err, &unclear) || errors.Is(err, ErrGone) || errors.Is(err, ErrNoGet) {
		return false, nil
	}
	return err == nil && !item.Deleted, err
}

// isGone reports whether one absence is proven: by reading the object where that
// can be done, else by an earlier complete walk that missed it too. An object
// that was last seen where it would be out of sight now is not.
func (r *reader) isGone(ctx context.Context, a Absence) (bool, error) {
	if r.coverage.Hides != nil {
		body, err := r.p.h.Body(ctx, r.p.typeName, a.ID)
		if err != nil {
			return false, fmt.Errorf("history: an absent object: %w", err)
		}
		if r.coverage.Hides(body) {
			return false, nil
		}
	}
	item, err := r.src.Get(ctx, a.ID)
	switch {
	case errors.Is(err, ErrNoGet):
		return a.Confirmed, nil
	case errors.Is(err, ErrGone):
		return true, nil
	case err == nil:
		// If it is there it stays missing: it may have been recreated since the
		// list, and what Get tells of it is not what a list tells.
		return item.Deleted, nil
	}
	if unclear := new(UnclearError); errors.As(err, &unclear) {
		return false, nil
	}
	return false, err
}
