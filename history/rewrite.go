package history

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cxsync/cxsync/storage"
)

// Bounds of a commit that rewrites frames, so that a large removal never holds much in memory.
const (
	rewriteFrames = 64
	rewriteBytes  = 4 << 20
)

// rewrite removes entries from the frames of a range and returns how many changes they were; hidden
// entries do not count. It asks about the newest entry first, once about each; a dry run only counts.
//
// It needs no counters and makes no commit of a pass wait: others only ever add frames, under keys
// of their own. Each frame is required to be what was read, so that two who rewrite the same one
// cannot undo each other's work; the second one fails with storage.ErrConflict. What is left of a
// frame keeps its key, so entries are found as before.
func (h *History) rewrite(ctx context.Context, r storage.Range, remove func(*record) bool, dry bool) (removed int, err error) {
	if h.readOnly && !dry {
		return 0, fmt.Errorf("history: environment %d: %w", h.environment, ErrReadOnly)
	}
	r.Reverse = true
	var b storage.Batch
	frames, changes := 0, 0
	commit := func() error {
		if frames == 0 {
			return nil
		}
		h.fence(&b)
		if err := h.store.Commit(ctx, &b); err != nil {
			return fmt.Errorf("history: removing from the log: %w", err)
		}
		removed += changes
		b.Reset()
		frames, changes = 0, 0
		return nil
	}
	_, isAttributed, err := h.auditState(ctx)
	if err != nil {
		return 0, err
	}
	for f, err := range h.frames(ctx, r, anyType) {
		if err != nil {
			return removed, err
		}
		keep := make([]bool, len(f.records))
		kept := 0
		for i := len(f.records) - 1; i >= 0; i-- {
			e := &f.records[i]
			switch {
			case !remove(e):
				keep[i] = true
				kept++
			case !e.hidden():
				changes++
			}
		}
		if kept == len(f.records) {
			continue
		}
		if dry { // nothing is committed, which is where the others are counted
			removed, changes = removed+changes, 0
			continue
		}
		frames++
		if err := f.without(&b, keep); err != nil {
			return removed, err
		}
		for i := range f.records {
			if e := &f.records[i]; isAttributed && !keep[i] && isAct(e.Kind) {
				b.Delete(h.keys.who(e.Seq)) // its fact stays: the records that it explains are explained
			}
		}
		if frames >= rewriteFrames || b.Size() >= rewriteBytes {
			if err := commit(); err != nil {
				return removed, err
			}
		}
	}
	return removed, commit()
}

// without adds to b what leaves in the frame only the entries to keep, as they were written. A frame
// with nothing left is deleted.
func (f *storedFrame) without(b *storage.Batch, keep []bool) error {
	var stored struct {
		Entries []json.RawMessage `json:"entries"`
	}
	if err := decode(f.Key, f.Value, &stored); err != nil {
		return err
	}
	var left encodedFrame
	for i, e := range stored.Entries {
		if keep[i] {
			left.entries = append(left.entries, e)
		}
	}
	b.Require(f.Key, f.Value)
	if len(left.entries) == 0 {
		b.Delete(f.Key)
	} else {
		b.Put(f.Key, left.encode(f.origin))
	}
	return nil
}
