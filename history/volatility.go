package history

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// VolatilityOptions are the settings of a Volatility report.
type VolatilityOptions struct {
	Types []string  // of these object types; empty for all
	Since time.Time // over the passes since then; zero for all that the log holds
	Share float64   // a field is volatile that changes in more than this share of the passes. Defaults to 0.5.
}

// A Volatile is a field that changes so often in one and the same object that
// it may be better ignored.
type Volatile struct {
	Type    string  `json:"type"`
	Field   string  `json:"field"`   // a path for diff.Rules.Ignore
	Objects int     `json:"objects"` // in which it is volatile
	Flips   int     `json:"flips"`   // changes of it, in all objects
	Passes  int     `json:"passes"`  // over the type
	Share   float64 `json:"share"`   // of the passes that saw it changed, in the object where it changes most

	// Moves says what all the changes have in common, if anything.
	Moves Movement `json:"moves,omitempty"`
}

// A Movement says how a volatile field moves.
type Movement string

// The movements. What moves in another way, or in several, has none.
const (
	MovesOrder Movement = "order" // an array whose elements only change places: Field is a path for diff.Rules.Sets, too
	MovesURL   Movement = "url"   // a URL that stays on its host while its path moves
)

// minFlips is how often a field must have changed in one object to be called
// volatile: fewer times may be chance.
const minFlips = 3

// Volatility reports the volatile fields, the worst first. It suggests; only a
// person can tell whether a field that changes all the time matters.
func (h *History) Volatility(ctx context.Context, opts *VolatilityOptions) ([]Volatile, error) {
	var o VolatilityOptions
	if opts != nil {
		o = *opts
	}
	o.Share = cmp.Or(o.Share, 0.5)
	if o.Share < 0 || o.Share > 1 {
		return nil, fmt.Errorf("history: volatility: share is %g, want a number from 0 to 1", o.Share)
	}
	var err error
	if o.Types, err = h.knownTypes(ctx, o.Types, time.Time{}); err != nil {
		return nil, err
	}
	r, err := h.frameRange(ctx, Query{Since: o.Since})
	if err != nil {
		return nil, err
	}
	f := filter{Query: Query{Types: o.Types}}
	types := map[string]*flips{}
	for frame, err := range h.frames(ctx, r, f.wantsType) {
		if err != nil {
			return nil, err
		}
		if frame.pass == 0 {
			continue
		}
		t := types[frame.origin.typeName]
		if t == nil {
			t = &flips{first: frame.pass, fields: map[string]*fieldFlips{}}
			types[frame.origin.typeName] = t
		}
		for i := range frame.records {
			t.count(&frame.records[i])
		}
	}
	var out []Volatile
	for typeName, t := range types {
		last, err := h.passRecord(ctx, typeName)
		if err != nil {
			return nil, err
		}
		out = append(out, t.volatile(typeName, int(last.Number-t.first)+1, o.Share)...)
	}
	slices.SortFunc(out, func(a, b Volatile) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(b.Objects, a.Objects),
			strings.Compare(a.Type, b.Type), strings.Compare(a.Field, b.Field))
	})
	return out, nil
}

// flips counts how often fields of a type changed.
type flips struct {
	first  uint64 // number of the first pass counted
	fields map[string]*fieldFlips
}

// fieldFlips counts how often one field changed.
type fieldFlips struct {
	objects map[string]int // by the object's id
	moves   Movement       // of all changes so far
}

// count counts the fields of one change, each once, however many elements of a list it changed in.
func (t *flips) count(r *record) {
	if r.Kind != KindUpdated {
		return
	}
	seen := map[string]bool{}
	for i := range r.Fields {
		field, moves := r.Fields[i].Field(), movementOf(&r.Fields[i])
		if field == "" {
			continue
		}
		f := t.fields[field]
		if f == nil {
			f = &fieldFlips{map[string]int{}, moves}
			t.fields[field] = f
		}
		if f.moves != moves {
			f.moves = ""
		}
		if !seen[field] {
			seen[field] = true
			f.objects[r.ID]++
		}
	}
}

// volatile returns the fields that changed in more than that share of the passes in some object.
func (t *flips) volatile(typeName string, passes int, share float64) []Volatile {
	var out []Volatile
	for field, f := range t.fields {
		v := Volatile{Type: typeName, Field: field, Passes: passes, Moves: f.moves}
		for n := range maps.Values(f.objects) {
			v.Flips += n
			// What is read beside the passes may show more changes of an object than there were
			// passes. The share is never more than 1.
			s := float64(n) / float64(max(passes, n))
			if n >= minFlips && s > share {
				v.Objects++
				v.Share = max(v.Share, s)
			}
		}
		if v.Objects > 0 {
			out = append(out, v)
		}
	}
	return out
}

// movementOf says how a field moves in one change. Of an array that was permuted there are moves,
// or the whole array is replaced where they would be longer.
func movementOf(c *diff.FieldChange) Movement {
	switch {
	case c.Op == diff.OpMove, c.Op == diff.OpReplace && isPermuted(c.Old, c.New):
		return MovesOrder
	case c.Op == diff.OpReplace && isSameHost(c.Old, c.New):
		return MovesURL
	}
	return ""
}

// isPermuted reports whether two JSON values are arrays of the same elements.
func isPermuted(a, b []byte) bool {
	old, err := jsonscan.Split(a, nil)
	if err != nil {
		return false
	}
	now, err := jsonscan.Split(b, old)
	if err != nil || len(now) != len(old) {
		return false
	}
	slices.SortFunc(old, bytes.Compare)
	slices.SortFunc(now, bytes.Compare)
	return slices.EqualFunc(old, now, bytes.Equal)
}

// isSameHost reports whether two JSON values are URLs of the same host.
func isSameHost(a, b []byte) bool {
	old, now := urlIn(a), urlIn(b)
	return old != nil && now != nil && old.Scheme == now.Scheme && old.Host == now.Host
}

func urlIn(value []byte) *url.URL {
	text, ok := jsonscan.String(value)
	if !ok {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil
	}
	return u
}
