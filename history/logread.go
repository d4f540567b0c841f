package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// How single entries of the log are found: by their number, as the chain of an object needs them, and
// the first one of a time.

// record returns the entry with a sequence number, ErrTrimmed if it is gone, or an error that
// matches ErrNotFound if it was not made yet. Its ID is the one that it was recorded under; see
// identity.go.
func (h *History) record(ctx context.Context, seq uint64) (record, error) {
	f, err := h.frameOf(ctx, seq)
	if err != nil {
		return record{}, err
	}
	r, err := f.record(seq)
	if errors.Is(err, ErrTrimmed) {
		err = cmp.Or(h.checkMade(ctx, seq), err)
	}
	return r, err
}

// checkMade returns an error that matches ErrNotFound if no change has a sequence number yet.
func (h *History) checkMade(ctx context.Context, seq uint64) error {
	last, err := h.Cursor(ctx)
	if err == nil && (seq == 0 || seq > last) {
		err = fmt.Errorf("no change has the number %d: the last is %d: %w", seq, last, ErrNotFound)
	}
	return err
}

// frameOf returns the frame that holds the entry with a sequence number if any does: the last one
// that begins at it or before. Before the first frame it has no entries.
func (h *History) frameOf(ctx context.Context, seq uint64) (frameText, error) {
	r := h.keys.frames(0, seq+1)
	r.Reverse = true
	for e, err := range h.store.Scan(ctx, r) {
		if err != nil {
			return frameText{}, fmt.Errorf("history: %w", err)
		}
		id, err := h.keys.parseFrame(e.Key)
		if err != nil {
			return frameText{}, err
		}
		return splitFrame(e, id)
	}
	return frameText{}, nil
}

// A recall finds entries and remembers others of the same frames, because a query over many objects
// meets the same frames again and again.
//
// It serves questions about one moment of the past, given as a time or as an entry. What came
// behind it is taken back, for which its fields are needed, once: such frames are not remembered.
// Of what came at that moment or before, only kind, name and predecessor are of interest, so it is
// remembered without what it changed.
type recall struct {
	h     *History
	mu    sync.Mutex         // held while a frame is read too, so that it is read once
	until time.Time          // the moment, unless seq says it; zero for none
	known map[uint64]*record // by sequence number, without fields
	seq   uint64             // the moment as an entry, which may move on; 0 for none
}

// maxRecall is how many entries a recall remembers.
const maxRecall = 100_000

// record returns the entry with a sequence number, or ErrTrimmed; it is a finder.
func (c *recall) record(ctx context.Context, seq uint64) (record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.known[seq]; r != nil {
		return *r, nil
	}
	f, err := c.h.frameOf(ctx, seq)
	if err != nil {
		return record{}, err
	}
	if before, err := c.before(&f); err != nil || !before {
		return f.record(seq)
	}
	if len(c.known) > maxRecall {
		clear(c.known)
	}
	records := make([]record, len(f.Entries))
	for i, raw := range f.Entries {
		if err := f.brief(&records[i], raw); err != nil {
			return record{}, err
		}
		c.known[records[i].Seq] = &records[i]
	}
	if r := c.known[seq]; r != nil {
		return *r, nil
	}
	return record{}, ErrTrimmed
}

// before reports whether all entries of a frame came at the moment or before.
func (c *recall) before(f *frameText) (bool, error) {
	if len(f.Entries) == 0 || !f.at.After(c.until) {
		return len(f.Entries) > 0, nil
	}
	last, _, err := entryNames(f.Entries[len(f.Entries)-1])
	return last <= c.seq, err
}

// seek returns the first sequence number that a frame at t or later can have, by bisection of the
// numbers: times do not decrease along the log, and numbers may be missing. Each step is one short
// scan.
func (h *History) seek(ctx context.Context, t time.Time) (uint64, error) {
	newest, err := h.Cursor(ctx)
	if err != nil {
		return 0, err
	}
	lo, hi := uint64(0), newest+1 // all frames from hi on are at t or later
	for lo < hi {
		mid := lo + (hi-lo)/2
		id, found, err := h.firstFrame(ctx, h.keys.frames(mid, hi))
		switch {
		case err != nil:
			return 0, err
		case !found || !id.at.Before(t):
			hi = mid
		default:
			lo = id.first + 1
		}
	}
	return hi, nil
}

// firstFrame returns the first frame of a range.
func (h *History) firstFrame(ctx context.Context, r storage.Range) (frameID, bool, error) {
	for e, err := range h.store.Scan(ctx, r) {
		if err != nil {
			return frameID{}, false, fmt.Errorf("history: %w", err)
		}
		id, err := h.keys.parseFrame(e.Key)
		return id, err == nil, err
	}
	return frameID{}, false, nil
}
