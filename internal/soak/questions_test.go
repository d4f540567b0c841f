package soak_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// checkQuestions asks what used what at an instant, and follows the log step by step with files.
func (c *monthCheck) checkQuestions() {
	if !c.full {
		return // a few seconds, for which a short form is too short
	}
	span := c.ends.Sub(c.imported)
	t := c.imported.Add(time.Duration(c.random.Int64N(int64(span))))
	if c.record.RetentionDays > 0 { // what is older may be trimmed, and days have passed since the end
		t = time.Now().Add(-time.Hour)
	}
	c.checkReferences(t)
	c.checkReplay(t)
}

var monthUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// checkReferences finds all references at an instant by a search through every body, and asks for them from both ends.
func (c *monthCheck) checkReferences(t time.Time) {
	ids := map[string][]history.Ref{} // of everything that was ever seen
	for change, err := range c.h.Changes(c.t.Context(), history.Query{Imported: true}) {
		require.NoError(c.t, err)
		ref := history.Ref{Type: change.Type, ID: change.ID}
		if !slices.Contains(ids[ref.ID], ref) {
			ids[ref.ID] = append(ids[ref.ID], ref)
		}
	}
	for id, refs := range ids {
		if top := slices.DeleteFunc(slices.Clone(refs), func(r history.Ref) bool { return c.isChild(r.Type) }); len(top) > 0 {
			ids[id] = top
		}
	}
	want := map[string]bool{}
	to := map[history.Ref]bool{}
	var from []history.Ref
	for _, mt := range c.types {
		for v, err := range c.h.AsOf(c.t.Context(), mt.Name, t) {
			require.NoError(c.t, err)
			own := history.Ref{Type: v.Type, ID: v.ID}
			from = append(from, own)
			var body any
			require.NoError(c.t, json.Unmarshal(v.Body, &body))
			monthTexts(body, func(text string) {
				for _, id := range monthUUID.FindAllString(text, -1) {
					for _, ref := range ids[id] {
						if ref != own {
							want[fmt.Sprint(own, " -> ", ref)] = true
							to[ref] = true
						}
					}
				}
			})
		}
	}
	require.NotEmpty(c.t, want)
	opts := &history.ReferenceOptions{At: t, Everything: true}
	// Asking from each end is a walk over all; a few of each will do.
	targets := slices.SortedFunc(maps.Keys(to), func(a, b history.Ref) int { return strings.Compare(a.Type+a.ID, b.Type+b.ID) })
	for range 8 {
		ref := targets[c.random.IntN(len(targets))]
		got := map[string]bool{}
		for r, err := range c.h.Referrers(c.t.Context(), ref.Type, ref.ID, opts) {
			require.NoError(c.t, err)
			got[fmt.Sprint(history.Ref{Type: r.From.Type, ID: r.From.ID}, " -> ", ref)] = true
		}
		c.sameReferences(want, got, func(s string) bool { return strings.HasSuffix(s, fmt.Sprint(" -> ", ref)) })
	}
	c.random.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	for _, own := range from[:min(8, len(from))] {
		got := map[string]bool{}
		refs, err := c.h.References(c.t.Context(), own.Type, own.ID, opts)
		require.NoError(c.t, err)
		for _, r := range refs {
			if ids[r.To.ID] != nil && monthUUID.MatchString(r.To.ID) {
				got[fmt.Sprint(own, " -> ", history.Ref{Type: r.To.Type, ID: r.To.ID})] = true
			}
		}
		c.sameReferences(want, got, func(s string) bool { return strings.HasPrefix(s, fmt.Sprint(own, " -> ")) })
	}
}

func (c *monthCheck) isChild(typ string) bool {
	t, _ := genesys.DefaultCatalogue().Lookup(typ)
	return t.Parent != ""
}

func (c *monthCheck) sameReferences(want, got map[string]bool, about func(string) bool) {
	for s := range want {
		if about(s) && !got[s] {
			c.fail("a reference was not found: %s", s)
		}
	}
	for s := range got {
		if !want[s] {
			c.fail("no such reference: %s", s)
		}
	}
}

// monthTexts calls f with every string in a value, the names of members as well.
func monthTexts(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, e := range v {
			monthTexts(e, f)
		}
	case map[string]any:
		for name, e := range v {
			f(name)
			monthTexts(e, f)
		}
	}
}

// checkReplay follows the log with files. At an instant and at the end they are what an export says.
func (c *monthCheck) checkReplay(t time.Time) {
	files := map[string]string{}
	compare := func(opts *history.ExportOptions, when string) {
		n := 0
		for f, err := range c.h.Export(c.t.Context(), opts) {
			require.NoError(c.t, err)
			n++
			if files[f.Path] != string(f.Data) {
				c.fail("%s %s is\n%.500s\nand not\n%.500s", when, f.Path, files[f.Path], f.Data)
			}
		}
		if n != len(files) {
			c.fail("%s there are %d files and not %d", when, len(files), n)
		}
	}
	asked := c.record.RetentionDays > 0 // the files of the past are not all there
	for step, err := range c.h.Replay(c.t.Context(), 0) {
		require.NoError(c.t, err)
		from := step.At // of a step that only brings files up to other rules
		if len(step.Changes) > 0 {
			from = step.Changes[0].At
		}
		if !asked && from.After(t) {
			asked = true
			compare(&history.ExportOptions{At: t}, fmt.Sprint("at ", t))
		}
		for _, path := range step.Gone {
			delete(files, path)
		}
		for _, f := range step.Files {
			files[f.Path] = string(f.Data)
		}
	}
	compare(nil, "at the end")
}
