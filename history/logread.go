package history

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// How single entries of the log are found: by their number, as the chain of an object needs them, and
// the first one of a time.

// record returns the entry with a sequence number, ErrTrimmed if it is gone, or an error that
// matches ErrNotFound if it was not made yet. Its ID is the one that it was recorded under; see
// identity.go.
func (h *History) record(ctx context.Context, seq uint64) (r record, err error) {
	e, id, err := h.frameTextOf(ctx, seq)
	if err != nil || e.Key == "" {
		return r, cmp.Or(err, h.checkMade(ctx, seq), ErrTrimmed)
	}
	f, err := splitFrame(e)
	if err != nil {
		return r, err
	}
	for _, raw := range f.Entries { // of hundreds, one is decoded
		var n uint64
		if n, _, err = entryNames(raw); err == nil && n != seq {
			continue
		}
		if err == nil {
			err = r.decode(raw, id, f.After)
		}
		if err != nil {
			err = fmt.Errorf("history: %w", &storage.KeyError{Key: e.Key, Err: err})
		}
		return r, err
	}
	return r, cmp.Or(h.checkMade(ctx, seq), ErrTrimmed)
}

// checkMade returns an error that matches ErrNotFound if no change has a sequence number yet.
func (h *History) checkMade(ctx context.Context, seq uint64) error {
	last, err := h.Cursor(ctx)
	if err == nil && (seq == 0 || seq > last) {
		err = fmt.Errorf("no change has the number %d: the last is %d: %w", seq, last, ErrNotFound)
	}
	return err
}

// frameTextOf returns the frame, as it is stored, that holds the entry with a sequence number if any
// does: the last one that begins at it or before. There is none, with an empty key, before the first
// frame.
func (h *History) frameTextOf(ctx context.Context, seq uint64) (storage.Entry, frameID, error) {
	r := h.keys.frames(0, seq+1)
	r.Reverse = true
	for e, err := range h.store.Scan(ctx, r) {
		if err != nil {
			return storage.Entry{}, frameID{}, fmt.Errorf("history: %w", err)
		}
		id, err := h.keys.parseFrame(e.Key)
		return e, id, err
	}
	return storage.Entry{}, frameID{}, nil
}

// frameOf returns the frame that holds the entry with a sequence number, unless
// the entry is gone.
func (h *History) frameOf(ctx context.Context, seq uint64) (storedFrame, error) {
	e, id, err := h.frameTextOf(ctx, seq)
	if err != nil || e.Key == "" {
		return storedFrame{}, err
	}
	return decodeFrame(e, id)
}

// record returns the entry with a sequence number, or ErrTrimmed.
func (f *storedFrame) record(seq uint64) (record, error) {
	for _, r := range f.records {
		if r.Seq == seq {
			return r, nil
		}
	}
	return record{}, ErrTrimmed
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
	until time.Time         // the moment, unless seq says it; zero for none
	known map[uint64]record // by sequence number, without fields
	seq   uint64            // the moment as an entry, which may move on; 0 for none
}

// maxRecall is how many entries a recall remembers.
const maxRecall = 100_000

// record returns the entry with a sequence number, or ErrTrimmed; it is a finder.
func (c *recall) record(ctx context.Context, seq uint64) (record, error) {
	if r, ok := c.known[seq]; ok {
		return r, nil
	}
	f, err := c.h.frameOf(ctx, seq)
	if err != nil {
		return record{}, err
	}
	if n := len(f.records); !f.at.After(c.until) || n > 0 && f.records[n-1].Seq <= c.seq {
		if len(c.known) > maxRecall {
			clear(c.known)
		}
		for _, r := range f.records {
			r.Fields, r.Step, r.Before, r.Platform = nil, nil, nil, nil
			c.known[r.Seq] = r
		}
	}
	return f.record(seq)
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
