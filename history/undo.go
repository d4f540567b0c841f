package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cxsync/cxsync/history/diff"
)

// To undo a change is a three-way merge: the base is the body after the change, "theirs" is the one
// before it, and "ours" is the body of now. What was changed later stays, and where a later change
// met the same field there is a conflict, which keeps what is there now. The merge is made of
// canonical forms; overlay brings its result back into the body as it came, with the fields that
// are not compared.

// An UndoPlan is what would undo one change. Nothing is sent: whoever carries it out does.
type UndoPlan struct {
	Change Change `json:"change"`

	// Body is the body that the object should have: as it is now, without the change. Fields that are
	// not compared are as they are now. It is empty if Delete is set.
	Body json.RawMessage `json:"body,omitempty"`

	Create bool `json:"create,omitempty"` // the object was deleted: it has to be made anew from Body
	Delete bool `json:"delete,omitempty"` // the object was created: it has to be deleted

	// Conflicts are the fields that changed again since: Body has them as they are now.
	Conflicts []diff.Conflict `json:"conflicts,omitempty"`

	// Referrers are the references to an object that has to be deleted, or that will have another id
	// when it is made anew: they break, or stay broken, until they are changed too.
	Referrers []Reference `json:"referrers,omitempty"`

	// Lost are the fields, as paths in diff.Rules, that Body cannot have, because they are never
	// stored: secrets.
	Lost []string `json:"lost,omitempty"`
}

// ErrUndone reports that there is nothing to undo: the object is as if the change had not been made,
// or the change is nobody's act, such as the first sight of what was there before.
var ErrUndone = errors.New("nothing to undo")

// Undo plans how to undo the change with a sequence number, while what was changed later stays. It
// returns ErrUndone if there is nothing to do, ErrTrimmed if retention has removed the change, and
// ErrNotFound if the object was forgotten.
func (h *History) Undo(ctx context.Context, seq uint64) (UndoPlan, error) {
	r, err := h.record(ctx, seq)
	if err == nil && r.hidden() {
		err = ErrNotFound
	}
	if err != nil {
		return UndoPlan{}, fmt.Errorf("history: change %d: %w", seq, err)
	}
	former, err := h.formerIDs(ctx, r.typeName)
	if err != nil {
		return UndoPlan{}, err
	}
	if now, ok := former[r.ID]; ok {
		r.ID = now
	}
	undone := fmt.Errorf("history: change %d, %s: %w", seq, r.Kind, ErrUndone)
	if !isAct(r.Kind) {
		return UndoPlan{}, undone
	}
	plan := UndoPlan{Change: h.change(&r), Lost: h.opts.Models[r.typeName].Secrets}
	o, err := h.load(ctx, r.typeName, r.ID)
	if err != nil {
		return plan, err
	}
	switch r.Kind {
	case KindUpdated:
		if !o.live() {
			return plan, fmt.Errorf("history: change %d: %s %q was deleted since: undo its deletion first: %w", seq, r.typeName, r.ID, ErrNotFound)
		}
		return plan, h.undoUpdate(ctx, &plan, o)
	case KindDeleted:
		if o.live() {
			return plan, undone
		}
		plan.Create, plan.Body = true, o.body
	default: // it came with this change
		if !o.live() {
			return plan, undone
		}
		plan.Delete, plan.Lost = true, nil
	}
	for ref, err := range h.Referrers(ctx, r.typeName, r.ID, nil) {
		if err != nil {
			return plan, err
		}
		plan.Referrers = append(plan.Referrers, ref)
	}
	return plan, nil
}

// undoUpdate merges the live body with the one before the change, on the base of the one after it.
func (h *History) undoUpdate(ctx context.Context, plan *UndoPlan, o storedObject) error {
	before, after, err := h.around(ctx, o, plan.Change.Seq)
	if err != nil {
		return err
	}
	comparer, err := h.unionOf(ctx, o.Rules, before.rules, after.rules)
	if err != nil {
		return err
	}
	var bodies [3][]byte
	for i, made := range []func() ([]byte, error){after.body, func() ([]byte, error) { return o.body, nil }, before.body} {
		body, err := made()
		if err != nil {
			return err
		}
		if bodies[i], err = comparer.Canonical(nil, body); err != nil {
			return fmt.Errorf("history: body of %s %q: %w", o.typeName, o.id, err)
		}
	}
	merged, conflicts, err := comparer.Merge(bodies[0], bodies[1], bodies[2])
	if err != nil {
		return fmt.Errorf("history: change %d: %w", plan.Change.Seq, err)
	}
	if plan.Conflicts = conflicts; len(conflicts) == 0 && bytes.Equal(merged, bodies[1]) {
		return fmt.Errorf("history: change %d: %w", plan.Change.Seq, ErrUndone)
	}
	plan.Body, err = overlay(o.body, bodies[1], merged)
	return err
}

// around returns the states of an object right before and right after a change.
func (h *History) around(ctx context.Context, o storedObject, seq uint64) (before, after state, err error) {
	for s, err := range h.states(ctx, o, h.record) {
		if err != nil {
			return before, after, err
		}
		if s.Seq != seq {
			continue
		}
		// The body is made before the state is copied. So both copies start from the same form and
		// with no steps; with steps they would share the slice that body turns round.
		if _, err := s.body(); err != nil {
			return before, after, err
		}
		after, before = *s, *s
		before.undo()
		return before, after, nil
	}
	return before, after, fmt.Errorf("history: change %d of %s %q: %w", seq, o.typeName, o.id, ErrTrimmed)
}
