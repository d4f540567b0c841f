package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

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

	// Lost are the fields, as paths in diff.Rules, that Body cannot have, because they are never stored: secrets.
	Lost []string `json:"lost,omitempty"`
}

// ErrUndone reports that there is nothing to undo: the object is as if the change had not been made.
var ErrUndone = errors.New("undone already")

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
	plan := UndoPlan{Change: h.change(&r), Lost: h.opts.Models[r.typeName].Secrets}
	o, err := h.load(ctx, r.typeName, r.ID)
	if err != nil {
		return plan, err
	}
	undone := fmt.Errorf("history: change %d: %w", seq, ErrUndone)
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
	comparer, err := h.unionOf(ctx, o.Shape, before.shape, after.shape)
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
		if _, err := s.body(); err != nil {
			return before, after, err
		}
		after, before = *s, *s
		before.undo()
		return before, after, nil
	}
	return before, after, fmt.Errorf("history: change %d of %s %q: %w", seq, o.typeName, o.id, ErrTrimmed)
}

// unionOf returns a comparer that ignores what any of several rules ignore.
func (h *History) unionOf(ctx context.Context, fingerprints ...string) (*diff.Comparer, error) {
	var rules diff.Rules
	slices.Sort(fingerprints)
	for _, fingerprint := range slices.Compact(fingerprints) {
		known, err := h.shape(ctx, fingerprint)
		if err != nil {
			return nil, err
		}
		rules.Ignore = append(rules.Ignore, known.Ignore...)
		rules.Sets = append(rules.Sets, known.Sets...)
	}
	comparer, err := diff.Compile(rules)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return comparer, nil
}

// overlay returns body, whose canonical form is from, changed to have the canonical form to. What
// from does not have, because it is not compared, stays as it is.
func overlay(body, from, to []byte) ([]byte, error) {
	body = bytes.TrimSpace(body)
	switch {
	case bytes.Equal(from, to):
		return body, nil
	case body[0] == '{' && from[0] == '{' && to[0] == '{':
		return overlayObject(body, from, to)
	case body[0] == '[' && from[0] == '[' && to[0] == '[':
		return overlayArray(body, from, to)
	}
	return to, nil
}

func overlayObject(body, from, to []byte) ([]byte, error) {
	old, err := decodedMembers(from)
	if err != nil {
		return nil, err
	}
	want, err := decodedMembers(to)
	if err != nil {
		return nil, err
	}
	out := []byte{'{'}
	add := func(key, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	it := jsonscan.Members(body)
	for it.Next() {
		name := string(jsonscan.AppendString(nil, it.Key()))
		value := it.Value()
		if was, wanted := old[name], want[name]; was != nil || wanted != nil {
			delete(want, name)
			if wanted == nil {
				continue
			}
			if was == nil {
				was = []byte("null")
			}
			if value, err = overlay(value, was, wanted); err != nil {
				return nil, err
			}
		}
		add(it.Key(), value)
	}
	if it.Err() != nil {
		return nil, it.Err()
	}
	it = jsonscan.Members(to)
	for it.Next() {
		if want[string(jsonscan.AppendString(nil, it.Key()))] != nil {
			add(it.Key(), it.Value())
		}
	}
	return append(out, '}'), it.Err()
}

func decodedMembers(object []byte) (map[string][]byte, error) {
	members := map[string][]byte{}
	it := jsonscan.Members(object)
	for it.Next() {
		members[string(jsonscan.AppendString(nil, it.Key()))] = it.Value()
	}
	return members, it.Err()
}

// overlayArray finds the element of body for each element of to by what it is known by, so that what is not compared
// inside of it stays. Elements that nothing tells apart are taken from to as they are.
func overlayArray(body, from, to []byte) ([]byte, error) {
	now, err := elementsByName(body)
	if err != nil {
		return nil, err
	}
	old, err := elementsByName(from)
	if err != nil {
		return nil, err
	}
	out := []byte{'['}
	it := jsonscan.Elements(to)
	for n := 0; it.Next(); n++ {
		value := it.Value()
		if name := elementName(value); now[name] != nil && old[name] != nil {
			if value, err = overlay(now[name], old[name], value); err != nil {
				return nil, err
			}
		}
		if n > 0 {
			out = append(out, ',')
		}
		out = append(out, value...)
	}
	return append(out, ']'), it.Err()
}

// elementsByName returns the elements that have a name of their own.
func elementsByName(array []byte) (map[string][]byte, error) {
	named := map[string][]byte{}
	twice := map[string]bool{}
	it := jsonscan.Elements(array)
	for it.Next() {
		name := elementName(it.Value())
		twice[name] = name == "" || named[name] != nil
		named[name] = it.Value()
	}
	for name, is := range twice {
		if is {
			delete(named, name)
		}
	}
	return named, it.Err()
}

// elementName returns what an element is known by, as in diff.Rules; "" for nothing.
func elementName(element []byte) string {
	if element[0] != '{' {
		return ""
	}
	for _, member := range []string{"id", "key", "name"} {
		if raw, ok := jsonscan.Lookup(element, member); ok && len(raw) > 2 && raw[0] == '"' {
			text, _ := jsonscan.String(raw)
			return member + "=" + text
		}
	}
	return ""
}
