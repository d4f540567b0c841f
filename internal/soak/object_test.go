package soak_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
)

// monthOthers are faults that a list cannot be told from one that is right by, or that end more than a request.
var monthOthers = []genesystest.Fault{
	genesystest.LostPage(), genesystest.EmptyPage(), genesystest.RepeatedPage(), genesystest.Shift(1), genesystest.NoTotals(),
	genesystest.Forbidden(), genesystest.FeatureOff(), genesystest.AddressRefused(), genesystest.LoginRefused(400, "", ""),
}

// checkVersions finds for each version the instant at which it was read, and
// holds its kind, its span and its field changes against the truth.
func (c *monthCheck) checkVersions(mt *monthType, object *monthObject, versions []monthVersion) {
	reads := mt.reads
	if mt.Parent != "" { // a child is gone when its parent is
		reads = slices.SortedFunc(slices.Values(slices.Concat(reads, c.byName[mt.Parent].reads)), func(a, b monthRead) int { return a.at.Compare(b.at) })
	}
	cursor := 0 // into the reads: versions are read one after the other
	for i, v := range versions {
		where := strings.Join([]string{string(v.Kind), mt.Name, object.id}, " ")
		if v.Kind == history.KindImported && i == 0 && !v.At.After(c.imported) {
			continue // checkEnd or checkFields would see another body
		}
		since := c.passBefore(mt, v.At)
		for cursor < len(reads) && reads[cursor].at.Before(since) {
			cursor++
		}
		from := cursor
		ignored, sure := c.rule(since, v.At)
		for ; cursor < len(reads) && !reads[cursor].at.After(v.At); cursor++ {
			if c.wasRead(mt, object, v, reads[cursor].at, ignored, sure) && (v.body != nil || c.wasGone(mt, object, versions[:i], reads[cursor].at)) {
				break
			}
		}
		if cursor == len(reads) || reads[cursor].at.After(v.At) {
			c.fail("%s, recorded at %v and after %v, was never so when the org was asked since %v (%d times):\n%s", where, v.At, v.After, since, cursor-from, v.text)
			return
		}
		read := reads[cursor].at
		c.checkKind(mt, versions[:i], v, where)
		c.checkSpan(mt, object, versions[:i], v, read, where)
		if i > 0 && versions[i-1].body != nil && v.body != nil {
			// What the toggled member became while it was ignored is in no version, so it may come back to what it was.
			isBack := slices.ContainsFunc(v.Fields, func(f diff.FieldChange) bool {
				name := monthPointer(f.Path)[0]
				// That an upgrade came to read a member is in no version, so the first that shows it may be one in which it moved.
				moved := mt.newer[name] && f.Op == diff.OpReplace && v.At.After(c.upgrade.until)
				return moved || c.tookBack(mt, f) || name == mt.toggled || name == monthUncounted[mt.Name] && !v.At.After(c.upgrade.from.Add(2*time.Second))
			})
			if len(v.Fields) == 0 || !c.differ(versions[i-1], v) && !isBack {
				c.fail("%s at %v changes nothing in\n%s", where, v.At, v.text)
			}
			c.checkFields(mt, versions[i-1], v, where)
		}
	}
}

// wasRead reports whether the client could read at t what a version says.
func (c *monthCheck) wasRead(mt *monthType, object *monthObject, v monthVersion, t time.Time, ignored, sure bool) bool {
	return slices.ContainsFunc(c.readable(mt, object, t), func(s *monthState) bool { return c.says(mt, s, v, t, ignored, sure) })
}

// readable returns what an object may have looked like that was read at t, the newest
// first: while a type lags, what it was a while ago, even where the client could not
// have seen it then.
func (c *monthCheck) readable(mt *monthType, object *monthObject, t time.Time) []*monthState {
	last := object.at(t)
	if last < 0 {
		return []*monthState{{}}
	}
	states := []*monthState{object.states[last]}
	if c.lagged(mt.Name, t) && c.sees(states[0], t, t) {
		for i := last - 1; i >= max(0, object.at(t.Add(-monthLagsBy))); i-- {
			was := *object.states[i]
			was.division = states[0].division
			states = append(states, &was)
		}
	}
	return states
}

// says reports whether a state is what a version says.
func (c *monthCheck) says(mt *monthType, state *monthState, v monthVersion, t time.Time, ignored, sure bool) bool {
	if v.Kind == history.KindDeleted {
		return true // see wasGone
	}
	text := mt.textOf(state)
	if !mt.exists(state.raw) || text.main != v.text.main {
		return false
	}
	before := t.Add(-1) // an answer of the instant in which the sight changes may be from before
	if !c.sees(state, t, t) && !c.sees(state, before, before) {
		return false
	}
	if !c.hasNewer(text.newer, v.text.newer, v.At, v.At) {
		return false
	}
	switch {
	case !sure:
		return v.text.toggled == "" || v.text.toggled == text.toggled
	case ignored:
		return v.text.toggled == ""
	}
	return v.text.toggled == text.toggled
}

// wasGone reports whether an object was gone at t, or looked so: where the org
// answers 404 for what is out of sight, one that moved there looks deleted.
func (c *monthCheck) wasGone(mt *monthType, object *monthObject, before []monthVersion, t time.Time) bool {
	i := object.at(t)
	if i < 0 || !mt.exists(object.states[i].raw) {
		return true
	}
	if c.hiddenGet != http.StatusNotFound || c.sees(object.states[i], t, t) || len(before) == 0 {
		return false
	}
	return c.sees(&monthState{division: monthDivision(before[len(before)-1].body)}, t, t)
}

// checkKind holds the kind of a version against the ones before it.
func (c *monthCheck) checkKind(mt *monthType, before []monthVersion, v monthVersion, where string) {
	want := history.KindCreated
	if n := len(before); n > 0 {
		want = history.KindUpdated
		if before[n-1].body == nil {
			want = history.KindRestored
		}
		if v.body == nil {
			want = history.KindDeleted
		}
	}
	if v.Kind != want && (v.Kind != history.KindImported || want != history.KindCreated) {
		c.fail("%s at %v should be %s", where, v.At, want)
	}
	if v.Environment != c.record.ID && c.record.RetentionDays == 0 {
		c.fail("%s is of environment %d", where, v.Environment)
	}
	borrowed := slices.Contains(mt.Borrowed, "name") || slices.Contains(mt.Borrowed, "*")
	if mt.Title == "name" && !borrowed && v.body != nil && !strings.Contains(v.text.main, `"name":`+monthJSON(v.Name)) {
		c.fail("%s has the name %q in\n%s", where, v.Name, v.text)
	}
}

// checkSpan checks that what the object was before still was so in (After, At],
// and that it became what it was when it was read in that span too.
func (c *monthCheck) checkSpan(mt *monthType, object *monthObject, before []monthVersion, v monthVersion, read time.Time, where string) {
	if v.Kind == history.KindImported || len(before) == 0 && c.wasMissing(mt, object, v.At) {
		return // it came into sight, and nobody can know since when it exists
	}
	var old monthVersion
	if len(before) > 0 {
		old = before[len(before)-1]
	}
	from := v.After
	if (len(mt.Marker) == 0 || v.body == nil) && c.lagged(mt.Name, from) {
		// Nothing tells that a replica lags where there is no marker, or that an object was edited before it was deleted.
		from = from.Add(-monthLagsBy)
	}
	for i := object.at(read); i >= -1; i-- {
		state := &monthState{}
		if i >= 0 {
			state = object.states[i]
		}
		var until time.Time
		if i+1 < len(object.states) {
			until = object.states[i+1].at
		}
		if !until.IsZero() && !until.After(from) {
			break
		}
		was := mt.textOf(state)
		if was.main == old.text.main && (i == -1 || mt.exists(state.raw) == (old.body != nil)) {
			return
		}
		if len(before) > 0 && old.body == nil && !c.sees(state, v.After, read) {
			return // it was hidden, and counted as deleted
		}
	}
	c.fail("%s has the span (%v, %v], in which it was not what it was before, read %v", where, v.After, v.At, read)
	if c.problems <= 12 {
		for _, s := range object.states {
			c.t.Logf("it was from %v on, in %s: %.200s", s.at, s.division, mt.textOf(s).main)
		}
		for _, s := range c.sights {
			if !s.at.After(read) && s.at.After(v.After.Add(-24*time.Hour)) {
				c.t.Logf("from %v on the client saw %v", s.at, s.divisions)
			}
		}
	}
}

// checkFields checks that the field changes of a version lead from the one before
// to it, and touch what differs and nothing else.
func (c *monthCheck) checkFields(mt *monthType, old, v monthVersion, where string) {
	if old.Kind == history.KindImported && c.record.RetentionDays > 0 {
		return // its body is in the org's words
	}
	before, after := monthTree(old.body), monthTree(v.body)
	for _, tree := range []any{before, after} {
		monthPrune(tree, mt.apart(), false)
	}
	fields := slices.DeleteFunc(slices.Clone(v.Fields), func(f diff.FieldChange) bool { return monthUnder(mt.apart(), monthPointer(f.Path)) })
	differ, touched := map[string]bool{}, map[string]bool{}
	a, isObject := before.(map[string]any)
	b, _ := after.(map[string]any)
	if isObject {
		for _, tree := range []map[string]any{a, b} {
			for key := range tree {
				_, inA := a[key]
				_, inB := b[key]
				if inA != inB || monthJSON(a[key]) != monthJSON(b[key]) {
					differ[key] = true
				}
			}
		}
		for _, f := range fields {
			touched[monthPointer(f.Path)[0]] = true
		}
		if !maps.Equal(differ, touched) {
			c.fail("%s at %v differs in %v, and its field changes name %v", where, v.At, sortedKeys(differ), sortedKeys(touched))
		}
	}
	result, err := monthApply(before, fields)
	if err != nil {
		c.fail("%s at %v: %v", where, v.At, err)
	} else if monthJSON(result) != monthJSON(after) {
		c.fail("%s at %v: its field changes lead to\n%s\nand not to\n%s", where, v.At, monthJSON(result), monthJSON(after))
	}
}

// differ reports whether two versions differ in what was compared at both times.
func (c *monthCheck) differ(a, b monthVersion) bool {
	return a.text.main != b.text.main || a.text.toggled != b.text.toggled || a.text.newer != "" && b.text.newer != "" && a.text.newer != b.text.newer ||
		a.text.platform != b.text.platform // see checkReleases
}

// apart are the paths that other checks are for: what is not compared at times, and what releases did.
func (mt *monthType) apart() [][]string {
	return slices.Concat(mt.platform, mt.sometimes())
}

// monthUnder reports whether a path is one of others, or below one.
func monthUnder(others [][]string, path []string) bool {
	return slices.ContainsFunc(others, func(other []string) bool { return len(path) >= len(other) && slices.Equal(path[:len(other)], other) })
}
