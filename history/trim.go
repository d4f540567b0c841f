package history

import (
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
)

// Retention says how much of the history of each object is kept. Its zero value
// keeps all. The newest change of an object always stays, that of a deleted one
// too. If both bounds are set, either one removes.
type Retention struct {
	// MaxAge removes a change so long after it was superseded by the next one
	// of its object. So every question about a time within MaxAge can be
	// answered.
	MaxAge time.Duration `json:"max_age"`
	// MaxChanges keeps the newest so many changes of each object.
	MaxChanges int `json:"max_changes"`
}

// Validate returns an error that says what is wrong with r.
func (r Retention) Validate() error {
	switch {
	case r.MaxAge < 0:
		return fmt.Errorf("history: retention: MaxAge is %s, want a positive duration or 0 to keep all", r.MaxAge)
	case r.MaxChanges < 0:
		return fmt.Errorf("history: retention: MaxChanges is %d, want a positive number or 0 to keep all", r.MaxChanges)
	}
	return nil
}

// TrimOptions are the settings of a Trim.
type TrimOptions struct {
	DryRun bool // count what would go, and remove nothing
}

// A TrimResult is what a Trim removed, or would.
type TrimResult struct {
	Changes int `json:"changes"`
}

// Trim removes the changes that r does not keep, with what is known of who made them. It works in
// small commits, may be stopped at any moment and called again, and never makes a pass wait. Age is
// by Options.Clock, and by that of this machine where it is younger; while it is not confirmed,
// MaxAge ends Trim with ErrNoTime. If somebody else removes from the same log meanwhile, the error
// matches storage.ErrConflict.
func (h *History) Trim(ctx context.Context, r Retention, opts *TrimOptions) (TrimResult, error) {
	if err := r.Validate(); err != nil || r == (Retention{}) {
		return TrimResult{}, err
	}
	t := trimmer{MaxChanges: r.MaxChanges, newer: map[[2]string]newer{}}
	if r.MaxAge > 0 {
		// The earliest time that it may be: what is too old by that is too old in any case.
		now, _, confirmed := h.opts.Clock()
		if !confirmed {
			return TrimResult{}, fmt.Errorf("history: trim: %w", ErrNoTime)
		}
		// A removal is for ever, so one clock that is ahead does not suffice for it.
		t.cut = instant.Earlier(plain(now), plain(time.Now())).Add(-r.MaxAge)
	}
	frames := h.keys.log()
	if r.MaxChanges == 0 {
		// What something newer than the cut has superseded stays, so only the
		// frames before the cut matter.
		end, err := h.seek(ctx, t.cut)
		if err != nil {
			return TrimResult{}, err
		}
		frames = h.keys.frames(0, end)
	}
	dry := opts != nil && opts.DryRun
	n, err := h.rewrite(ctx, frames, t.expired, dry)
	if err == nil && !dry && !t.cut.IsZero() {
		err = h.trimUndetected(ctx, t.cut)
	}
	return TrimResult{Changes: n}, err
}

// A trimmer says what expires, asked about each entry of the log, newest first. What it has met of an
// object so far is what supersedes the entry that it is asked about.
type trimmer struct {
	cut        time.Time           // what was superseded before it goes; zero for no age
	MaxChanges int                 // that stay of each object; 0 for no bound
	newer      map[[2]string]newer // by type and id
}

// newer is about the changes of an object that the trimmer has met.
type newer struct {
	changes int
	at      int64 // time of the last one met, in nanoseconds since 1970
}

// expired reports whether e goes: the next change of its object is older than
// the cut, or there are enough newer ones. A hidden entry supersedes nothing; it
// goes with the changes before it, as only they need it.
func (t *trimmer) expired(e *record) bool {
	if e.Kind == KindForgotten || e.Kind == KindShape {
		return false
	}
	key := [2]string{e.typeName, e.ID}
	n := t.newer[key]
	expired := n.changes > 0 && !t.cut.IsZero() && n.at < t.cut.UnixNano() ||
		t.MaxChanges > 0 && n.changes >= t.MaxChanges
	if !e.hidden() {
		t.newer[key] = newer{n.changes + 1, e.at.UnixNano()}
	}
	return expired
}
