package soak_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history"
)

// A monthPass is a pass that the engine said it made. One that was not read to
// its end says nothing.
type monthPass struct {
	history.Summary
	over   time.Time // not before it ended; Ended may be later, as the org's time is not known exactly
	read   bool
	fooled bool // by what no client can notice
}

// A monthVersion is a change with the body that it led to.
type monthVersion struct {
	history.Change
	body []byte // nil: deleted
	text monthText
}

// check holds what was recorded against what was.
func (m *month) check() {
	engine := open(m.t, m.orgs[0].Org, m.store, nil)
	for _, o := range m.orgs {
		h, err := engine.History(m.t.Context(), o.record.ID)
		require.NoError(m.t, err)
		c := &monthCheck{month: m, monthOrg: o, h: h, random: rand.New(rand.NewPCG(*monthSeed, 31))}
		c.checkQuota()
		c.checkRetention()
		c.checkDeliveries()
		c.checkEnd()
		c.checkObjects()
		c.checkReleases()
		c.checkAsOf()
		c.checkQuestions()
		m.t.Logf("%s: %d requests, %d passes, %d edits seen of %d, %d changes, %d as-of answers (%d with one possible answer)",
			o.record.Name, len(o.requests), c.passes, c.seen, c.edits, c.changes, c.asked, c.exact)
	}
	m.checkWho(engine)
	m.t.Log(m.counts)
	for _, f := range append(monthFaults(), monthOthers...) {
		if *monthDays >= 30 && m.faults[f.Name] == 0 {
			m.t.Errorf("no request met the fault %q", f.Name)
		}
	}
}

// A monthCheck checks one environment.
type monthCheck struct {
	*month
	*monthOrg
	h      *history.History
	random *rand.Rand

	problems                                   int
	passes, seen, edits, changes, asked, exact int
}

// fail reports a lie of the history, the first ones in full.
func (c *monthCheck) fail(format string, args ...any) {
	c.problems++
	if c.problems <= 12 {
		c.t.Errorf(c.record.Name+": "+format, args...)
	}
}

// checkQuota counts what arrived at the org. A limit counts for the windows that
// begin after it was set.
func (c *monthCheck) checkQuota() {
	for i, l := range c.limits {
		until := c.ends.Add(1000 * time.Hour)
		if i+1 < len(c.limits) {
			until = c.limits[i+1].at
		}
		first, _ := slices.BinarySearchFunc(c.requests, l.at, time.Time.Compare)
		for j := first + l.limit.N; l.limit.N > 0 && j < len(c.requests) && c.requests[j].Before(until); j++ {
			if took := c.requests[j].Sub(c.requests[j-l.limit.N]); took < l.limit.Window {
				c.fail("%d requests in %v from %v on; the limit is %v", l.limit.N+1, took, c.requests[j-l.limit.N], l.limit)
				break
			}
		}
	}
}

// checkDeliveries holds what the consumer got against what the history has.
func (c *monthCheck) checkDeliveries() {
	got := map[uint64]bool{}
	last, again := uint64(0), 0
	for _, d := range c.delivered {
		switch {
		case d.Seq < last:
			c.fail("the consumer got change %d after %d", d.Seq, last)
		case d.Seq == last:
			again++
		}
		last, got[d.Seq] = d.Seq, true
	}
	failed := 0
	for _, d := range c.delivered {
		if d.failed {
			failed++
		}
	}
	if most := failed + c.counts["killed"] + c.counts["killed at a commit"] + c.counts["restarted"]; again > most {
		c.fail("the consumer got %d changes again, and failed %d times", again, most)
	}
	for change, err := range c.h.Changes(c.t.Context(), history.Query{}) {
		require.NoError(c.t, err)
		c.changes++
		if !got[change.Seq] {
			c.fail("the consumer never got change %d: %s %s %s", change.Seq, change.Kind, change.Type, change.ID)
		}
	}
}

// checkEnd holds the end of the history against the end of the org.
func (c *monthCheck) checkEnd() {
	for _, mt := range c.types {
		known := map[string]monthText{}
		for v, err := range c.h.AsOf(c.t.Context(), mt.Name, time.Now()) {
			require.NoError(c.t, err)
			known[v.ID] = mt.compared(v.Body, nil)
		}
		for id, object := range mt.objects {
			last := object.states[len(object.states)-1]
			text, ok := known[id]
			if delete(known, id); ok != mt.exists(last.raw) || text != mt.textOf(last) {
				c.fail("at the end %s %s is\n%s\nand not\n%s\n%s", mt.Name, id, text, mt.textOf(last), c.trace(mt, object))
			}
		}
		for id := range known {
			c.fail("%s %s never existed", mt.Name, id)
		}
	}
}

// trace tells what the history has of an object and of its parent, and why a removal was not recorded.
func (c *monthCheck) trace(mt *monthType, object *monthObject) string {
	var text strings.Builder
	for _, state := range object.states[max(0, len(object.states)-3):] {
		fmt.Fprintf(&text, "the org: %v, there: %t\n", state.at, mt.exists(state.raw))
	}
	ids := map[string]string{mt.Name: object.id}
	if mt.Parent != "" {
		ids[mt.Parent] = monthParent(object.id)
	}
	for typeName, id := range ids {
		for v, err := range c.h.Versions(c.t.Context(), typeName, id) {
			fmt.Fprintf(&text, "%s %s: %s at %v after %v %v\n", typeName, id, v.Kind, v.At, v.After, err)
		}
		for w, err := range c.h.Withheld(c.t.Context(), typeName) {
			if w.ID == id {
				fmt.Fprintf(&text, "withheld: parent %s, since %v, missed by %d: %s %v\n", w.Parent, w.Since, w.Missed, w.Reason, err)
			}
		}
		for w, err := range c.h.Heads(c.t.Context(), typeName) {
			if w.ID == id {
				fmt.Fprintf(&text, "head: %+v %v\n", w, err)
			}
		}
		last, _, err := c.h.LastPass(c.t.Context(), typeName)
		fmt.Fprintf(&text, "last pass: %+v %v\n", last, err)
	}
	return text.String()
}

// checkObjects checks the history of each object that has one, or should have.
func (c *monthCheck) checkObjects() {
	delivered := map[string][]monthVersion{}
	for i, d := range c.delivered {
		if i == 0 || c.delivered[i-1].Seq != d.Seq {
			delivered[d.Type+" "+d.ID] = append(delivered[d.Type+" "+d.ID], monthVersion{Change: d.Change, body: d.body})
		}
	}
	for _, mt := range c.types {
		slices.SortFunc(mt.reads, func(a, b monthRead) int { return a.at.Compare(b.at) })
		slices.SortFunc(mt.passes, func(a, b monthPass) int { return a.Ended.Compare(b.Ended) })
		mt.moves = c.movesOf(mt)
		for i := range mt.passes {
			mt.passes[i].fooled = c.fooled(mt, mt.passes[i])
		}
		c.passes += len(mt.passes)
		for _, id := range slices.Sorted(maps.Keys(mt.objects)) {
			object := mt.objects[id]
			c.edits += len(object.states) - 1
			versions := c.versions(mt, object, delivered[mt.Name+" "+id])
			if c.record.RetentionDays > 0 && len(versions) > 0 && versions[0].Kind != history.KindCreated && versions[0].Kind != history.KindImported {
				continue // it came into sight, and retention has removed that since
			}
			if len(object.states) > 1 || len(versions) != 1 {
				c.checkVersions(mt, object, versions)
				c.checkSeen(mt, object, versions)
				c.checkUpgrade(mt, object, versions)
			}
		}
	}
}

// versions returns all versions of an object, oldest first. Where retention has
// removed some, they are those that the consumer has got.
func (c *monthCheck) versions(mt *monthType, object *monthObject, delivered []monthVersion) []monthVersion {
	var versions []monthVersion
	if c.record.RetentionDays == 0 {
		if len(object.states) == 1 && len(delivered) == 0 {
			return make([]monthVersion, 1) // checkEnd has seen it
		}
		for v, err := range c.h.Versions(c.t.Context(), mt.Name, object.id) {
			if errors.Is(err, history.ErrNotFound) { // it came and went between two passes
				break
			}
			require.NoError(c.t, err)
			versions = append(versions, monthVersion{Change: v.Change, body: v.Body})
		}
		slices.Reverse(versions)
	} else {
		if first := object.states[0]; first.at.Before(c.imported) && mt.exists(first.raw) {
			versions = append(versions, monthVersion{Change: history.Change{Kind: history.KindImported, At: c.limits[0].at}, body: first.raw})
			versions[0].text = mt.textOf(first)
		}
		versions = append(versions, c.cameIntoSight(mt, object)...)
		versions = append(versions, delivered...)
	}
	for i := range versions {
		if versions[i].body != nil && versions[i].text == (monthText{}) {
			versions[i].text = mt.compared(versions[i].body, nil)
		}
	}
	return versions
}

// cameIntoSight returns the first version of an object that was imported when the
// client came to see more: consumers do not get it.
func (c *monthCheck) cameIntoSight(mt *monthType, object *monthObject) (first []monthVersion) {
	for v, err := range c.h.Versions(c.t.Context(), mt.Name, object.id) {
		if errors.Is(err, history.ErrNotFound) {
			break
		}
		require.NoError(c.t, err)
		if v.Kind == history.KindImported && v.At.After(c.imported) {
			first = []monthVersion{{Change: v.Change, body: v.Body}}
		}
	}
	return first
}

// sight returns what the client saw at t, and until when; zero: to the end.
func (o *monthOrg) sight(t time.Time) (divisions []string, until time.Time) {
	i, _ := slices.BinarySearchFunc(o.sights, t, func(s monthSight, t time.Time) int { return s.at.Compare(t) })
	if i < len(o.sights) {
		until = o.sights[i].at
	}
	return o.sights[max(0, i-1)].divisions, until
}

// sees reports whether the client saw an object in this state all the time in [from, to].
func (o *monthOrg) sees(s *monthState, from, to time.Time) bool {
	divisions, until := o.sight(from)
	if !until.IsZero() && !until.After(to) {
		return false
	}
	return divisions == nil || s.division == "" || slices.Contains(divisions, s.division)
}

func monthDivision(raw []byte) string {
	if raw == nil {
		return ""
	}
	top, _ := monthTree(raw).(map[string]any)
	division, _ := top["division"].(map[string]any)
	id, _ := division["id"].(string)
	return id
}

// rule reports whether the toggled members were ignored, and whether that is sure for all of [from, to].
func (o *monthOrg) rule(from, to time.Time) (ignored, sure bool) {
	i, _ := slices.BinarySearchFunc(o.rules, from, func(r monthRule, t time.Time) int { return r.at.Compare(t) })
	sure = i == len(o.rules) || o.rules[i].at.After(to)
	return o.rules[max(0, i-1)].ignored, sure
}
