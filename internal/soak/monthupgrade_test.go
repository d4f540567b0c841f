package soak_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
)

// The month begins with processes of an earlier version, whose catalogue knew less. In its midst they end, people go on
// editing, and processes of today take over what is stored. The upgrade is no change of any object, the past of each
// stays, and what was edited while nothing ran is one change of each object.
//
// Where a type is read in another way from then on, a member that came or went until the first pass is none of an edit:
// nothing tells it from one that is only read now. So people change only values there, and no release reaches it.

// A monthUpgrade is the time in which nothing ran.
type monthUpgrade struct{ from, until time.Time }

// monthUncounted is what the earlier version compared and nobody compares today, by type.
var monthUncounted = map[string]string{"teams": "memberCount"}

// olderCatalogue is the one of today as it might have been: it asks for fewer expands, takes a list for whole that is not
// and one for partial that is whole, makes an id of that of a version, and compares a count.
func olderCatalogue() (*genesys.Catalogue, error) {
	noExpands := func(t *genesys.ObjectType) {
		t.Path, _, _ = strings.Cut(t.Path, "?")
		t.Get, _, _ = strings.Cut(t.Get, "?")
	}
	edits := map[string]func(*genesys.ObjectType){
		"webdeployments.deployments": noExpands,
		"flows.datatables":           noExpands,
		"greetings":                  func(t *genesys.ObjectType) { t.Whole = true },
		"architect.schedules":        func(t *genesys.ObjectType) { t.Whole = false },
		"quality.forms.evaluations":  func(t *genesys.ObjectType) { t.ID, t.Former = t.Former, nil },
		"teams":                      func(t *genesys.ObjectType) { *t = unreviewed(*t) },
	}
	var older []genesys.ObjectType
	for _, name := range sortedKeys(edits) {
		t, ok := genesys.DefaultCatalogue().Lookup(name)
		before := t
		if edits[name](&t); !ok || reflect.DeepEqual(before, t) {
			return nil, fmt.Errorf("%s is as it was", name)
		}
		older = append(older, t)
	}
	return genesys.DefaultCatalogue().With(older...)
}

// unreviewed is a type without what a review of its fields has found, so that a count is compared.
func unreviewed(t genesys.ObjectType) (plain genesys.ObjectType) {
	from, to := reflect.ValueOf(t), reflect.ValueOf(&plain).Elem()
	for i := range from.NumField() {
		if to.Field(i).CanSet() {
			to.Field(i).Set(from.Field(i))
		}
	}
	plain.Volatile = slices.DeleteFunc(slices.Clone(t.Volatile), func(path string) bool { return path == monthUncounted[t.Name] })
	return plain
}

// calibrateOlder learns which members the earlier version does not read, and that the rest is what it is today.
func (m *month) calibrateOlder(o *monthOrg) {
	client, err := genesys.NewClient(o.Config(), &genesys.Options{Transport: o.Transport()})
	require.NoError(m.t, err)
	for _, mt := range o.types {
		t, _ := m.catalogue.Lookup(mt.Name)
		if mt.otherwise = t.Reads() != mt.Reads(); !mt.otherwise || !t.Whole {
			continue
		}
		read := map[string][]byte{}
		for object, err := range client.List(m.t.Context(), t) {
			require.NoError(m.t, err)
			whole := mt.objects[object.ID].states[0].raw
			read[object.ID] = object.Body
			for name := range monthTree(whole).(map[string]any) {
				if _, ok := monthTree(object.Body).(map[string]any)[name]; !ok && !mt.omitted[name] {
					mt.newer[name] = true
				}
			}
		}
		for id, body := range read {
			want := mt.compared(mt.objects[id].states[0].raw, mt.omitted)
			want.newer = ""
			require.Equal(m.t, want, mt.compared(body, nil), "%s %s", mt.Name, id)
		}
	}
}

// planUpgrade draws when the processes are exchanged. The draws have a source of their own.
func (m *month) planUpgrade() {
	dice := rand.New(rand.NewPCG(*monthSeed, 53))
	left := time.Until(m.ends)
	m.at(time.Now().Add(left/4+time.Duration(dice.Int64N(int64(left/4)))), func() { m.endOlder(dice) })
}

// endOlder ends the processes of the earlier version, at rest or not, and lets people edit until those of today begin.
func (m *month) endOlder(dice *rand.Rand) {
	m.down = true
	for slot, p := range m.procs {
		if p != nil {
			m.end(slot, dice.IntN(2) == 0)
		}
	}
	m.upgrade.from = time.Now()
	const pause = 25 * time.Minute
	for _, o := range m.orgs {
		for range 4 {
			m.at(m.later(time.Second, pause), func() { m.edit(o) })
		}
	}
	m.at(time.Now().Add(pause), func() {
		m.upgrade.until = time.Now()
		m.down, m.catalogue = false, genesys.DefaultCatalogue()
		for slot := range m.procs {
			m.startProcess(slot)
		}
		m.counts["upgrades"]++
	})
}

// hasNewer reports whether what was read in a span may have these members that the earlier version did not read.
func (m *month) hasNewer(want, got string, from, to time.Time) bool {
	switch {
	case to.Before(m.upgrade.from):
		return got == ""
	case from.After(m.upgrade.until):
		return got == want
	}
	return got == "" || got == want
}

// sometimes are the paths of what is not compared at times.
func (mt *monthType) sometimes() (paths [][]string) {
	for _, name := range []string{mt.toggled, monthUncounted[mt.Name]} {
		if name != "" {
			paths = append(paths, []string{name})
		}
	}
	for name := range mt.newer {
		paths = append(paths, []string{name})
	}
	return paths
}

// checkUpgrade sees that an object that was edited while nothing ran, and neither shortly before nor soon after, has one
// change from the last pass of the earlier version to the first one of today, and one that was not has none.
func (c *monthCheck) checkUpgrade(mt *monthType, object *monthObject, versions []monthVersion) {
	before, after := c.aroundUpgrade(mt, object)
	if before == nil || after == nil || c.laggedIn(mt.Name, before.Started, after.Ended) {
		return
	}
	was, isOld := object.steady(before.Started, c.upgrade.from)
	is, isNew := object.steady(c.upgrade.until, after.Ended)
	if !isOld || !isNew || !c.sees(was, before.Started, after.Ended) || !c.sees(is, before.Started, after.Ended) {
		return
	}
	want, got := 0, 0
	if mt.exists(was.raw) != mt.exists(is.raw) || mt.textOf(was).main != mt.textOf(is).main {
		want = 1
		c.counts["edited in an upgrade"]++
	}
	for i, v := range versions {
		isApart := i > 0 && v.Kind == history.KindUpdated && v.text.main == versions[i-1].text.main
		if v.At.After(before.Ended) && !v.At.After(after.Ended) && !isApart {
			got++
		}
	}
	if got != want {
		c.fail("%s %s has %d changes from %v to %v, across the upgrade, and not %d", mt.Name, object.id, got, before.Ended, after.Ended, want)
	}
}

// aroundUpgrade returns the last pass of the earlier version that proves something of an object, and the first one of today.
func (c *monthCheck) aroundUpgrade(mt *monthType, object *monthObject) (before, after *monthPass) {
	for i := range mt.passes {
		switch p := &mt.passes[i]; {
		case c.proves(mt, object, *p) == nil:
		case p.Ended.Before(c.upgrade.from):
			before = p
		case p.Started.After(c.upgrade.until) && after == nil:
			after = p
		}
	}
	return before, after
}

// isOlder reports whether a change is of the earlier version and says what no audit can: it is of an object under another
// id than audits call it, or of a count, which moves without an edit.
func (c *monthCheck) isOlder(change history.Change) bool {
	mt := c.byName[change.Type]
	isCount := len(change.Fields) > 0 && !slices.ContainsFunc(change.Fields, func(f diff.FieldChange) bool { return monthPointer(f.Path)[0] != monthUncounted[mt.Name] })
	return !change.At.After(c.upgrade.until) && (len(mt.Former) > 0 || isCount)
}
