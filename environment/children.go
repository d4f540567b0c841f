package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// children walks the type under every known parent.
func (w *walker) children(ctx context.Context) error {
	parent, ok := w.client.Catalogue().Lookup(w.t.Parent)
	if !ok {
		return fmt.Errorf("its parent type %s is unknown", w.t.Parent)
	}
	if err := w.parentState(ctx, parent); err != nil {
		return err
	}
	before, err := w.walkedBefore(ctx)
	if err != nil {
		return err
	}
	w.walked, w.skipped = map[string]string{}, map[string]bool{}
	live := map[string]bool{}
	absent, err := w.absentParents(ctx, parent)
	if err != nil {
		return err
	}
	for head, err := range w.history.Heads(ctx, parent.Name) {
		if err != nil {
			return err
		}
		live[head.ID] = true
		if absent[head.ID] {
			w.cut(fmt.Errorf("%s %s was missed by its own pass", head.Type, head.ID))
			continue
		}
		if marker := before[head.ID]; len(w.t.Marker) > 0 && marker != "" && marker == head.Marker {
			w.walked[head.ID], w.skipped[head.ID] = marker, true
			continue
		}
		if err := w.childrenOf(ctx, head); err != nil {
			return err
		}
	}
	return w.unseen(ctx, live)
}

// absentParents returns the parents that their own pass missed, and that are not
// known to be deleted: nothing can be said of their children.
func (w *walker) absentParents(ctx context.Context, parent genesys.ObjectType) (map[string]bool, error) {
	absent := map[string]bool{}
	for o, err := range w.history.Withheld(ctx, parent.Name) {
		if err != nil {
			return nil, err
		}
		absent[o.ID] = true
	}
	return absent, nil
}

// parentState looks at the parents' own last pass: without one there is
// nothing to walk, and after an incomplete one a parent may be unknown.
func (w *walker) parentState(ctx context.Context, parent genesys.ObjectType) error {
	state, err := w.typeState(ctx, parent.Name)
	if err != nil {
		return err
	}
	if state.Unavailable != "" {
		return parentUnavailable(parent, state.Unavailable)
	}
	last, ok, err := w.history.LastPass(ctx, parent.Name)
	if err == nil && !ok {
		last, err = w.firstPass(ctx, parent)
	}
	if err == nil && !last.Complete {
		w.cut(fmt.Errorf("%s was not read whole", parent.Name))
	}
	w.since = last.AsOf
	return err
}

// firstPass reads a parent type that was never read, unless somebody else just did.
func (s *session) firstPass(ctx context.Context, t genesys.ObjectType) (history.Summary, error) {
	result, err := s.pass(ctx, t, occasion{first: true})
	if err == nil && result.Unavailable != "" {
		err = parentUnavailable(t, result.Unavailable)
	}
	if err != nil {
		return history.Summary{}, err
	}
	last, _, err := s.history.LastPass(ctx, t.Name)
	return last, err
}

func parentUnavailable(parent genesys.ObjectType, reason string) error {
	return &unavailableError{fmt.Sprintf("%s is not available: %s", parent.Name, reason)}
}

func (w *walker) childrenOf(ctx context.Context, head history.Head) error {
	parent := genesys.Object{Type: head.Type, ID: head.ID, Name: head.Name, Parent: head.Parent, Marker: head.Marker}
	if w.t.NeedsParentBody() {
		body, err := w.history.Body(ctx, head.Type, head.ID)
		if err != nil {
			return err
		}
		parent.Body = body
	}
	cuts, before := w.cuts, w.requests.Load()
	err := w.objects(ctx, w.client.Children(ctx, w.t, parent))
	if len(w.t.Marker) > 0 && head.Marker != "" {
		w.once += w.requests.Load() - before
	}
	if errors.Is(err, genesys.ErrNotFound) {
		// The parent was deleted since its own pass, or is not visible yet.
		w.cut(fmt.Errorf("%s %s: %w", head.Type, head.ID, err))
		return nil
	}
	if err == nil && w.cuts == cuts {
		w.walked[head.ID] = head.Marker
	}
	return err
}

// unseen settles what the absence of a parent's walk explains: children whose
// parent's marker did not move are unchanged, children of a deleted parent are gone.
func (w *walker) unseen(ctx context.Context, live map[string]bool) error {
	var gone, kept []string
	for head, err := range w.pass.Unseen(ctx) {
		if err != nil {
			return err
		}
		switch {
		case !live[head.Parent]:
			gone = append(gone, head.ID)
		case w.skipped[head.Parent]:
			kept = append(kept, head.ID)
		}
	}
	for _, id := range kept {
		if err := w.pass.Keep(id); err != nil {
			return err
		}
	}
	for _, id := range gone {
		if err := w.pass.Remove(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// doubt counts no parent as walked that has a child which is neither seen nor gone:
// the next pass looks for it, and for what was lost with it, whatever the parent's marker says.
func (w *walker) doubt(ctx context.Context) error {
	if len(w.walked) == 0 {
		return nil
	}
	for head, err := range w.pass.Unseen(ctx) {
		if err != nil {
			return err
		}
		delete(w.walked, head.Parent)
	}
	return nil
}

// walkedBefore returns the parents whose children were all read, with the
// marker that the parent had then.
func (w *walker) walkedBefore(ctx context.Context) (map[string]string, error) {
	walked := map[string]string{}
	if len(w.t.Marker) == 0 {
		return walked, nil
	}
	for entry, err := range w.engine.store.Scan(ctx, storage.Prefix(w.walkedKey("")+"/")) {
		if err != nil {
			return nil, err
		}
		parts, err := storage.SplitKey(entry.Key)
		if err != nil {
			return nil, err
		}
		var marker string
		if err := json.Unmarshal(entry.Value, &marker); err != nil {
			return nil, err
		}
		walked[parts[len(parts)-1]] = marker
	}
	return walked, nil
}

// remember adds to b the parents whose children are all known once the pass is
// recorded, so that a pass that was cut short is walked again.
func (w *walker) remember(ctx context.Context, b *storage.Batch) error {
	if len(w.t.Marker) == 0 || w.t.Parent == "" {
		return nil
	}
	before, err := w.walkedBefore(ctx)
	if err != nil {
		return err
	}
	for parent, marker := range w.walked {
		if before[parent] != marker {
			if err := b.PutJSON(w.walkedKey(parent), marker); err != nil {
				return err
			}
		}
		delete(before, parent)
	}
	for parent := range before {
		b.Delete(w.walkedKey(parent))
	}
	return nil
}

func (w *walker) walkedKey(parent string) string {
	if parent == "" {
		return ownKey(w.record.ID, "walked", w.t.Name)
	}
	return ownKey(w.record.ID, "walked", w.t.Name, parent)
}
