package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// Several processes may write one environment: two engines by mistake, a console, a person with a
// command line. No lock keeps them apart. Instead every commit is a compare-and-swap of the
// counters: it reads them, builds what it writes from heads that it reads afterwards, and requires
// that the counters are still those. If somebody else was faster, it is built again from what is
// there by then. A lease, where there is one, comes on top, by Options.Fence: it keeps two passes
// from doing the same work, and whoever has lost it from writing.

// counters is the value of the state key. A commit that writes heads or appends
// to the log requires the one that it has read and stores the next. So these
// commits of an environment are serial, whoever makes them, and what one has
// read in the meantime is what it changes.
type counters struct {
	Revision uint64    `json:"revision"` // commits so far
	Seq      uint64    `json:"seq"`      // the newest entry of the log
	At       time.Time `json:"at"`       // its time
	Deleting bool      `json:"deleting,omitempty"`
}

// A tx is one commit in the making.
type tx struct {
	batch  storage.Batch
	now    counters // as this commit leaves them
	origin origin
	frames frameWriter // entries that this commit appends
}

// An origin is what the entries of a frame have in common.
type origin struct {
	typeName string
	pass     uint64    // number of the pass, 0 for none
	after    time.Time // what they found happened after it
}

// append adds an entry to the log and returns its sequence number. The entry leaves out After where
// it is that of the frame, which is the usual case. An After that is not before the commit says
// nothing and counts as unknown.
func (t *tx) append(r record) (uint64, error) {
	t.now.Seq++
	r.Seq = t.now.Seq
	if !r.After.Before(t.now.At) { // the clock of After was ahead of that of now
		r.After = time.Time{}
	}
	r.NoSpan = r.After.IsZero() && !t.origin.after.IsZero()
	if r.After.Equal(t.origin.after) {
		r.After = time.Time{}
	}
	return r.Seq, t.frames.add(r)
}

// commit stores what build puts into a tx, and does so again, with build called
// anew, for as long as somebody else commits in between. A build that adds
// nothing commits nothing.
//
// So build may run several times for one commit. It reads what it needs inside of the call, and sets
// variables of the caller anew in each call instead of adding to them; the values that count are
// those of the last call, once commit has returned without an error.
func (h *History) commit(ctx context.Context, o origin, build func(*tx) error) error {
	return h.serially(ctx, func() error { return h.tryCommit(ctx, o, build) })
}

// serially calls try, which commits, until it does not fail because somebody
// else has changed the counters. It never gives up before ctx is done: a race is lost only to a
// commit that was made, so somebody always gets on. The random wait, of up to a second, keeps two
// losers from meeting again and again.
func (h *History) serially(ctx context.Context, try func() error) error {
	if h.readOnly {
		return fmt.Errorf("history: environment %d: %w", h.environment, ErrReadOnly)
	}
	select {
	case h.writing <- struct{}{}:
		defer func() { <-h.writing }()
	case <-ctx.Done():
		return fmt.Errorf("history: %w", context.Cause(ctx))
	}
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := try()
		if !lostRace(err, h.keys.state()) {
			return err
		}
		select {
		case <-time.After(rand.N(wait)):
		case <-ctx.Done():
			return fmt.Errorf("history: %w", context.Cause(ctx))
		}
	}
}

// lostRace reports whether err is a conflict over key. A conflict over another
// one is that of a fence.
func lostRace(err error, key string) bool {
	ke, ok := errors.AsType[*storage.KeyError](err)
	return ok && ke.Key == key && errors.Is(err, storage.ErrConflict)
}

// tryCommit makes one try of a commit. Its time is that of the clock, but never before that of the
// newest entry, so that times do not decrease along the log.
func (h *History) tryCommit(ctx context.Context, o origin, build func(*tx) error) error {
	t := tx{origin: o}
	if err := h.readCounters(ctx, &t); err != nil {
		return err
	}
	if t.now.Deleting {
		return fmt.Errorf("history: environment %d: %w", h.environment, ErrDeleted)
	}
	t.now.At = instant.Later(t.now.At, h.latest())
	requirements := t.batch.Len() // what is more after build was put there by it
	if err := build(&t); err != nil {
		return err
	}
	t.frames.flush()
	for _, f := range t.frames.done {
		t.batch.Put(h.keys.frame(f.first, t.now.At, o.typeName), f.encode(o))
	}
	if t.batch.Len() == requirements {
		return nil
	}
	return h.finish(ctx, &t)
}

// finish commits t with the counters that follow.
func (h *History) finish(ctx context.Context, t *tx) error {
	t.now.Revision++
	if err := t.batch.PutJSON(h.keys.state(), t.now); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	h.fence(&t.batch)
	if err := h.store.Commit(ctx, &t.batch); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// readCounters reads the counters and requires that they stay until the commit.
func (h *History) readCounters(ctx context.Context, t *tx) error {
	data, err := h.store.Get(ctx, h.keys.state())
	switch {
	case errors.Is(err, storage.ErrNotFound):
		t.batch.RequireAbsent(h.keys.state())
		return nil
	case err != nil:
		return fmt.Errorf("history: %w", err)
	}
	t.batch.Require(h.keys.state(), data)
	return decode(h.keys.state(), data, &t.now)
}

// Cursor returns the sequence number of the newest change, 0 if there is none:
// where to start to follow what comes with Query.AfterSeq.
func (h *History) Cursor(ctx context.Context) (uint64, error) {
	c, err := storage.GetJSON[counters](ctx, h.store, h.keys.state())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return 0, fmt.Errorf("history: %w", err)
	}
	return c.Seq, nil
}
