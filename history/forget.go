package history

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/storage"
)

// Where an object may be named: its head, body and missing record, the entries of the log, the
// releases that reached it, its former ids, the records of passes and of parents, and audits. The
// first commit erases what makes it known; then the log is rewritten, in steps, up to the entry
// that was the newest at that moment, so that an object which comes back meanwhile keeps its new
// history.

// Forget erases an object with its whole history, on a person's request. What
// stays is one change of KindForgotten that names the type, and what other
// objects and their changes say about it. An object that still exists in the org
// comes back with the next pass that sees it. Its bytes may stay in the files of
// the store, where nothing reads them; with storage/file they are gone after Compact. A user is
// erased from attributions too: somebody is known to have acted, and not who.
//
// A Forget that was interrupted has erased the object already; calling it again
// erases what the log says about it. ErrNotFound reports that nothing is known
// about the object.
func (h *History) Forget(ctx context.Context, typeName, id string) error {
	id, err := h.today(ctx, typeName, id)
	if err != nil {
		return err
	}
	var until uint64 // what came later is no part of it
	known, inAudits := false, false
	err = h.commit(ctx, origin{typeName: typeName}, func(t *tx) error {
		var err error
		until = t.now.Seq
		if inAudits, err = h.forgetInAudits(ctx, t, typeName, id); err != nil {
			return err
		}
		if _, known, err = h.head(ctx, typeName, id); err != nil || !known {
			return err
		}
		t.batch.Delete(h.keys.head(typeName, id))
		t.batch.Delete(h.keys.body(typeName, id))
		t.batch.Delete(h.keys.missing(typeName, id))
		if err := h.forgetInPasses(ctx, t, typeName, id); err != nil {
			return err
		}
		if err := h.forgetReleases(ctx, &t.batch, typeName, id); err != nil {
			return err
		}
		_, err = t.append(record{Kind: KindForgotten})
		return err
	})
	if err != nil {
		return err
	}
	removed, err := h.rewrite(ctx, h.keys.frames(0, until+1), func(e *record) bool {
		return e.typeName == typeName && e.ID == id
	}, false)
	if err == nil {
		err = h.forgetFormer(ctx, typeName, id)
	}
	if err == nil {
		var acted bool
		acted, err = h.forgetActor(ctx, id)
		inAudits = inAudits || acted
	}
	if err == nil && !known && !inAudits && removed == 0 {
		return fmt.Errorf("history: forgetting %s %q: %w", typeName, id, ErrNotFound)
	}
	return err
}

// forgetInPasses erases what passes say about an object: that they name it, and
// what the types below it know of it. What is seen next below it, or of its own
// type, may be what was forgotten, so that it does not count as created.
func (h *History) forgetInPasses(ctx context.Context, t *tx, typeName, id string) error {
	quoted := strconv.Quote(id)
	for e, err := range h.store.Scan(ctx, h.keys.below("pass")) {
		var r passRecord
		if err == nil {
			err = decode(e.Key, e.Value, &r)
		}
		if err != nil {
			return fmt.Errorf("history: passes: %w", err)
		}
		below := h.keys.parent(r.Type, id)
		_, err = h.store.Get(ctx, below)
		isParent := err == nil
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("history: %w", err)
		}
		isNamed := strings.Contains(r.Reason, id) || strings.Contains(r.Reason, quoted[1:len(quoted)-1])
		if !isParent && !isNamed && r.Type != typeName && r.Cycle.Last != id {
			continue
		}
		if isNamed {
			r.Reason = "it named an object that is forgotten"
		}
		if r.Cycle.Last == id {
			r.Cycle.Last = ""
		}
		if isParent {
			t.batch.Delete(below)
		}
		r.Forgot = r.Forgot || isParent || r.Type == typeName
		if err := t.batch.PutJSON(e.Key, r); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes all that is kept of the environment. It works in small steps:
// from the first one on nothing can be recorded any more, and after an
// interruption Delete goes on where it was.
func (h *History) Delete(ctx context.Context) error {
	if err := h.markDeleting(ctx); err != nil {
		return err
	}
	// The counters, which have the mark, go last: as long as anything else is left, nobody records.
	all, state := h.keys.all(), h.keys.state()
	for _, r := range []storage.Range{{Start: all.Start, End: state}, {Start: storage.After(state), End: all.End}, all} {
		if err := h.deleteRange(ctx, r); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.passes)
	for _, sh := range h.ruleSets {
		sh.stored.Store(false)
	}
	return nil
}

// deleteRange removes the entries of a range, some at a time.
func (h *History) deleteRange(ctx context.Context, r storage.Range) error {
	const step = 1000
	for {
		last, n := "", 0
		for e, err := range h.store.Scan(ctx, r) {
			if err != nil {
				return fmt.Errorf("history: deleting: %w", err)
			}
			last = e.Key
			if n++; n == step {
				break
			}
		}
		if n == 0 {
			return nil
		}
		var b storage.Batch
		b.DeleteRange(storage.Range{Start: r.Start, End: storage.After(last)})
		h.fence(&b)
		if err := h.store.Commit(ctx, &b); err != nil {
			return fmt.Errorf("history: deleting: %w", err)
		}
	}
}

// markDeleting makes all commits fail from now on.
func (h *History) markDeleting(ctx context.Context) error {
	return h.serially(ctx, func() error {
		var t tx
		if err := h.readCounters(ctx, &t); err != nil {
			return err
		}
		t.now.Deleting = true
		return h.finish(ctx, &t)
	})
}
