package history

import (
	"fmt"
	"unicode/utf8"

	"github.com/cxsync/cxsync/internal/jsonscan"
	"github.com/cxsync/cxsync/storage"
)

// What a pass accepts is bounded here, at the door, so that nothing that is derived from it is too
// large later: a commit that a store refuses would be tried again by every pass, and take the rest
// of its type with it. The largest value is the frame of one record. It holds a change, which is no
// larger than the canonical forms before and after it (see diff.Comparer.Diff), and, when the rules
// changed, the form under the former rules: three times maxCanonical, which leaves room below
// storage.MaxValueSize for names and the like.
const (
	maxBody      = 8 << 20  // of a body, as it comes
	maxCanonical = 10 << 20 // of its canonical form, in which a number can be four times as long
	maxNesting   = 1_000    // levels of arrays and objects
	maxText      = 512      // of a name; more of it is cut off
	keyReserve   = 96       // of a key with an id, for callers who make keys with it of their own
)

// check refuses an object that cannot be recorded, whatever is known of it, and cuts its texts.
func (p *Pass) check(o *Object) error {
	switch {
	case o.ID == "" || p.isLong(o.ID):
		return fmt.Errorf("history: %s: %w: id of %d bytes, want 1 to about 850", p.typeName, ErrBody, len(o.ID))
	case !utf8.ValidString(o.ID): // the log could not tell it from another
		return fmt.Errorf("history: %s %q: %w: its id is not UTF-8", p.typeName, o.ID, ErrBody)
	case p.isLong(o.Parent) || !utf8.ValidString(o.Parent):
		return fmt.Errorf("history: %s %q: %w: its parent's id has %d bytes or is not UTF-8, want up to about 850", p.typeName, o.ID, ErrBody, len(o.Parent))
	case len(o.Body) > maxBody:
		return fmt.Errorf("history: %s %q: %w: %d bytes, more than %d", p.typeName, o.ID, ErrBody, len(o.Body), maxBody)
	}
	o.Name = clip(o.Name)
	if len(o.Marker) > maxText {
		o.Marker = "" // a part of it may stay when the whole moves
	}
	return nil
}

// checkBody refuses a body, known to be JSON, whose changes the log could not hold.
func (p *Pass) checkBody(o *Object) error {
	// ScanValue takes the body to stand inside of so many containers, which leaves maxNesting levels.
	if jsonscan.ScanValue(o.Body, jsonscan.Space(o.Body, 0), jsonscan.MaxDepth-maxNesting) < 0 {
		return fmt.Errorf("history: %s %q: %w: nested deeper than %d levels", p.typeName, o.ID, ErrBody, maxNesting)
	}
	// A short body needs no look: numbers are all that grows in canonical form, and most by this factor.
	const growth = 5 // 1e20, and a comma, become 21 digits and a comma
	if len(o.Body) <= maxCanonical/growth {
		return nil
	}
	form, err := p.h.plain.Canonical(nil, o.Body)
	if err == nil && len(form) > maxCanonical {
		err = fmt.Errorf("%d bytes with its numbers written out, more than %d", len(form), maxCanonical)
	}
	if err != nil {
		return fmt.Errorf("history: %s %q: %w: %w", p.typeName, o.ID, ErrBody, err)
	}
	return nil
}

// isLong reports whether an id does not fit into the longest key that has it.
func (p *Pass) isLong(id string) bool {
	const most = storage.MaxKeySize - keyReserve
	escaped := 3*(len(p.typeName)+len(id)) + 64 // at most: an escaped byte takes three
	return escaped > most && len(p.h.keys.missing(p.typeName, id)) > most
}

// clip returns the start of a long text.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	const dots = "…"
	end := maxText - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}
