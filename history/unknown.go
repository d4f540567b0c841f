package history

import (
	"context"
	"fmt"
	"time"
)

// "Nothing" is a wrong answer to a question about a time at which nobody looked. So every question
// about the past first asks since when the type is known, and answers ErrUnknown for a time before
// that.

// firstSeen returns since when a type is known: when its first objects were recorded, or its first
// pass that found none. The error matches ErrUnknown if it never was.
func (h *History) firstSeen(ctx context.Context, typeName string) (time.Time, error) {
	r, err := h.passRecord(ctx, typeName)
	if err != nil || !r.First.IsZero() {
		return r.First, err
	}
	first := r.Ended
	for hd, err := range h.heads(ctx, typeName) { // of a pass that has not ended, or one of before First was kept
		if err != nil {
			return time.Time{}, err
		}
		if at := hd.export(typeName, hd.id).FirstSeen; first.IsZero() || at.Before(first) {
			first = at
		}
	}
	switch {
	case !first.IsZero():
		return first, nil
	case h.opts.Resolve != nil: // which knows the name
		return time.Time{}, fmt.Errorf("history: %q: %w: no pass over the type was made yet; it may not be among those that are read", typeName, ErrUnknown)
	}
	return time.Time{}, fmt.Errorf("history: %q: %w: no pass over a type of that name was ever made; names are like %q", typeName, ErrUnknown, "routing.queues")
}

// checkKnown returns an error that matches ErrUnknown if nothing is known of a type, or was at a
// time, unless that is zero.
func (h *History) checkKnown(ctx context.Context, typeName string, at time.Time) error {
	first, err := h.firstSeen(ctx, typeName)
	if err == nil && !at.IsZero() && at.Before(first) {
		err = fmt.Errorf("history: %s at %s: %w: first seen at %s", typeName, at.Format(time.RFC3339), ErrUnknown, first.Format(time.RFC3339))
	}
	return err
}

// checkAllKnown is checkKnown for some types, or, for none, for all of which at least one must have
// been known. A history in which no pass has ended has no types, and passes: "all" is nothing then.
func (h *History) checkAllKnown(ctx context.Context, types []string, at time.Time) error {
	for _, typeName := range types {
		if err := h.checkKnown(ctx, typeName, at); err != nil {
			return err
		}
	}
	if len(types) > 0 {
		return nil
	}
	var first error
	for sum, err := range h.Passes(ctx) {
		if err != nil {
			return err
		}
		if err = h.checkKnown(ctx, sum.Type, at); err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}
