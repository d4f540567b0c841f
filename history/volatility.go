package history

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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
}

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
		t := types[frame.origin.typ]
		if t == nil {
			t = &flips{first: frame.pass, fields: map[string]map[string]int{}}
			types[frame.origin.typ] = t
		}
		for i := range frame.records {
			t.count(&frame.records[i])
		}
	}
	var out []Volatile
	for typ, t := range types {
		last, _, err := h.LastPass(ctx, typ)
		if err != nil {
			return nil, err
		}
		out = append(out, t.volatile(typ, int(last.Number-t.first)+1, o.Share)...)
	}
	slices.SortFunc(out, func(a, b Volatile) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(b.Objects, a.Objects),
			strings.Compare(a.Type, b.Type), strings.Compare(a.Field, b.Field))
	})
	return out, nil
}

// flips counts how often fields of a type changed.
type flips struct {
	first  uint64                    // number of the first pass counted
	fields map[string]map[string]int // by field and object
}

func (t *flips) count(r *record) {
	if r.Kind != KindUpdated {
		return
	}
	fields := map[string]bool{}
	for _, c := range r.Fields {
		fields[c.Field()] = true
	}
	delete(fields, "")
	for field := range fields {
		if t.fields[field] == nil {
			t.fields[field] = map[string]int{}
		}
		t.fields[field][r.ID]++
	}
}

func (t *flips) volatile(typ string, passes int, share float64) []Volatile {
	var out []Volatile
	for field, objects := range t.fields {
		v := Volatile{Type: typ, Field: field, Passes: passes}
		for n := range maps.Values(objects) {
			v.Flips += n
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
