package soak_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
)

// In the midst of the month somebody compares: an org with what it was earlier, and two orgs. What the orgs were by the
// history is taken from as-of answers, which checkAsOf holds against the truth.

// planCompares draws when somebody compares. The draws have a source of their own.
func (m *month) planCompares(rate float64) {
	dice := rand.New(rand.NewPCG(*monthSeed, 52))
	for i, o := range m.orgs {
		for range int(rate*time.Until(m.ends).Hours()/24 + 0.999) {
			at := time.Now().Add(time.Duration(dice.Int64N(int64(time.Until(m.ends))))).Add(1)
			m.at(at, func() {
				m.compareTimes(o, dice)
				m.compareOrgs(o, m.orgs[(i+1)%len(m.orgs)])
			})
		}
	}
}

// reader opens an engine that only reads, by the catalogue in use.
func (m *month) reader(o *monthOrg) *environment.Engine {
	return open(m.t, o.Org, m.store, func(opts *environment.Options) { opts.Catalogue = m.catalogue })
}

// A monthComparison is what one question about a type at two times says, by the ids of the objects.
type monthComparison struct {
	*monthOrg
	*monthType
	h     *history.History
	a, b  time.Time
	texts [2]map[string]monthText
	sides [2]map[string]monthText // without what says who made or changed an object
}

// compareTimes compares two types with what they were, in full and as net changes.
func (m *month) compareTimes(o *monthOrg, dice *rand.Rand) {
	last := time.Now().Add(-time.Minute)
	first := o.imported
	if days := o.record.RetentionDays; days > 0 && first.Before(last.AddDate(0, 0, -days)) {
		first = last.AddDate(0, 0, -days).Add(time.Hour)
	}
	span := last.Sub(first)
	if span < time.Hour {
		return
	}
	engine := m.reader(o)
	h, err := engine.History(m.t.Context(), o.record.ID)
	require.NoError(m.t, err)
	for range 2 {
		a, b := first.Add(time.Duration(dice.Int64N(int64(span)))), first.Add(time.Duration(dice.Int64N(int64(span))))
		if b.Before(a) {
			a, b = b, a
		}
		c := &monthComparison{monthOrg: o, monthType: o.types[dice.IntN(len(o.types))], h: h, a: a, b: b}
		if c.remember(m) {
			c.compare(m, engine)
			c.between(m)
			m.counts["compared times"]++
		}
	}
	require.NoError(m.t, engine.Close(m.t.Context()))
}

// remember takes what the type was at both times, if that is known and not trimmed.
func (c *monthComparison) remember(m *month) bool {
	own := *c.monthType
	for _, name := range []string{"createdBy", "createdByApp", "createdByClient", "modifiedBy", "modifiedByApp", "modifiedByClient", "updatedBy", "publishedBy", "lastRunBy"} {
		own.ignored = append(slices.Clip(own.ignored), []string{"**", name})
	}
	for i, at := range []time.Time{c.a, c.b} {
		c.texts[i], c.sides[i] = map[string]monthText{}, map[string]monthText{}
		for v, err := range c.h.AsOf(m.t.Context(), c.Name, at) {
			if errors.Is(err, history.ErrTrimmed) || errors.Is(err, history.ErrUnknown) {
				return false
			}
			require.NoError(m.t, err)
			c.texts[i][v.ID], c.sides[i][v.ID] = c.compared(v.Body, nil), own.compared(v.Body, nil)
		}
	}
	return true
}

// compare holds Engine.Compare against what was remembered.
func (c *monthComparison) compare(m *month, engine *environment.Engine) {
	got := map[string]history.DifferenceKind{}
	sides := [2]environment.Side{{Environment: c.record.ID, At: c.a}, {Environment: c.record.ID, At: c.b}}
	for d, err := range engine.Compare(m.t.Context(), sides[0], sides[1], &history.CompareOptions{Types: []string{c.Name}}) {
		require.NoError(m.t, err)
		switch {
		case d.Kind == history.DifferenceUnreadable:
			return // the client may not read the type now
		case d.Kind == history.DifferenceFields && c.isApart(d.Fields):
		default:
			for _, ref := range slices.Concat(d.A, d.B) {
				got[ref.ID] = d.Kind
			}
		}
	}
	want := map[string]history.DifferenceKind{}
	c.each(c.sides, func(id string, before, after *monthText) {
		switch {
		case after == nil:
			want[id] = history.DifferenceOnlyA
		case before == nil:
			want[id] = history.DifferenceOnlyB
		case before.main != after.main || before.platform != after.platform:
			want[id] = history.DifferenceFields
		}
	})
	for id := range merged(want, got) {
		if want[id] != got[id] {
			m.t.Errorf("%s: %s %s at %v and %v compares as %q and not as %q", c.record.Name, c.Name, id, c.a, c.b, got[id], want[id])
		}
	}
}

// between holds the net changes between the two times against what was remembered. What the platform did is none, but
// where it was taken for an edit (checkStray) it may be one.
func (c *monthComparison) between(m *month) {
	got, fields := map[string]history.Kind{}, map[string][]diff.FieldChange{}
	for change, err := range c.h.Between(m.t.Context(), c.a, c.b, history.Query{Types: []string{c.Name}, Imported: true}) {
		if errors.Is(err, history.ErrTrimmed) {
			return
		}
		require.NoError(m.t, err)
		if change.Kind == history.KindRestored || change.Kind == history.KindImported { // it came to be since
			change.Kind = history.KindCreated
		}
		if change.Kind != history.KindUpdated || !c.isApart(change.Fields, c.platform...) {
			got[change.ID], fields[change.ID] = change.Kind, change.Fields
		}
	}
	want := map[string]history.Kind{}
	c.each(c.texts, func(id string, before, after *monthText) {
		switch {
		case after == nil:
			want[id] = history.KindDeleted
		case before == nil:
			want[id] = history.KindCreated
		case before.main != after.main:
			want[id] = history.KindUpdated
		}
	})
	for id := range merged(want, got) {
		if want[id] != got[id] {
			m.t.Errorf("%s: %s %s was %q between %v and %v and not %q: %v", c.record.Name, c.Name, id, got[id], c.a, c.b, want[id], fields[id])
		}
	}
}

// isApart reports whether fields are only such as are not compared at times, or under one of some paths.
func (c *monthComparison) isApart(fields []diff.FieldChange, paths ...[]string) bool {
	apart := slices.Concat(c.sometimes(), paths)
	return !slices.ContainsFunc(fields, func(f diff.FieldChange) bool { return !monthUnder(apart, monthPointer(f.Path)) })
}

func (c *monthComparison) each(sides [2]map[string]monthText, f func(id string, before, after *monthText)) {
	for id := range merged(sides[0], sides[1]) {
		var both [2]*monthText
		for i := range both {
			if text, ok := sides[i][id]; ok {
				both[i] = &text
			}
		}
		f(id, both[0], both[1])
	}
}

// merged has the keys of both maps.
func merged[V any](a, b map[string]V) map[string]bool {
	all := map[string]bool{}
	for _, m := range []map[string]V{a, b} {
		for key := range m {
			all[key] = true
		}
	}
	return all
}

// compareOrgs compares the types that two orgs have in common and whose objects go by their names: what both have is
// the same thing, what one has alone is found, and what a side has twice is ambiguous.
func (m *month) compareOrgs(a, b *monthOrg) {
	engine := m.reader(a)
	at := time.Now().Add(-time.Minute)
	for _, mt := range a.types {
		if b.byName[mt.Name] == nil || mt.Parent != "" || mt.Title != "name" || mt.Paging == genesys.PagingSingleton || len(mt.Key) > 0 && !slices.Equal(mt.Key, []string{"name"}) {
			continue
		}
		got := map[string]history.DifferenceKind{}
		isReadable := true
		sides := [2]environment.Side{{Environment: a.record.ID, At: at}, {Environment: b.record.ID, At: at}}
		for d, err := range engine.Compare(m.t.Context(), sides[0], sides[1], &history.CompareOptions{Types: []string{mt.Name}}) {
			require.NoError(m.t, err)
			isReadable = isReadable && d.Kind != history.DifferenceUnreadable
			if d.Kind != history.DifferenceFields {
				for _, ref := range slices.Concat(d.A, d.B) {
					got[ref.ID] = d.Kind
				}
			}
		}
		if want, known := m.namesApart(engine, mt.Name, sides); isReadable && known {
			require.Equal(m.t, want, got, "%s of %s and %s at %v", mt.Name, a.record.Name, b.record.Name, at)
			m.counts["compared orgs"]++
		}
	}
	require.NoError(m.t, engine.Close(m.t.Context()))
}

// namesApart says of each object that has no counterpart of its name, why.
func (m *month) namesApart(engine *environment.Engine, typ string, sides [2]environment.Side) (map[string]history.DifferenceKind, bool) {
	var byName [2]map[string][]string
	for i, side := range sides {
		byName[i] = map[string][]string{}
		h, err := engine.History(m.t.Context(), side.Environment)
		require.NoError(m.t, err)
		for v, err := range h.AsOf(m.t.Context(), typ, side.At) {
			if errors.Is(err, history.ErrTrimmed) || errors.Is(err, history.ErrUnknown) {
				return nil, false
			}
			require.NoError(m.t, err)
			byName[i][v.Name] = append(byName[i][v.Name], v.ID)
		}
	}
	apart := map[string]history.DifferenceKind{}
	for name := range merged(byName[0], byName[1]) {
		ids := [2][]string{byName[0][name], byName[1][name]}
		kind := history.DifferenceAmbiguous
		switch {
		case len(ids[0]) == 1 && len(ids[1]) == 1:
			continue
		case len(ids[0]) == 0 && len(ids[1]) == 1:
			kind = history.DifferenceOnlyB
		case len(ids[1]) == 0 && len(ids[0]) == 1:
			kind = history.DifferenceOnlyA
		}
		for _, id := range slices.Concat(ids[0], ids[1]) {
			apart[id] = kind
		}
	}
	return apart, true
}
