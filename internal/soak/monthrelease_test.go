package soak_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
)

// In the month the platform is released: a field comes to every object of a type, or goes from them, and nobody edited
// any. The history has to tell that from edits (package history, release.go):
//
//   - With one value for all, in at least ten objects, it is one entry of KindShape and in no change of an object. The
//     texts of the truth leave such a field out, because no version begins with it; that it is there is asked apart.
//   - With a value for each object, or in few objects, nothing tells it from edits. Then each object was edited, and the
//     truth has that like any other edit.

// A monthRelease is a release that has to be told from edits.
type monthRelease struct {
	*monthType
	at     time.Time
	op     diff.Op
	path   string        // as in a field change
	of     *monthRelease // what it takes away again
	found  []monthDelivery
	beside int              // changes of objects that people edited, too, before it was known
	stray  int              // objects in whose changes it is, where too few were compared to know better
	alone  []history.Change // of those, where enough were compared
}

// planReleases draws the releases of each org. The draws have a source of their own.
func (m *month) planReleases(rate float64) {
	dice := rand.New(rand.NewPCG(*monthSeed, 50))
	for _, o := range m.orgs {
		for range int(rate*time.Until(m.ends).Hours()/24 + 0.999) {
			at := time.Now().Add(time.Duration(dice.Int64N(int64(time.Until(m.ends))))).Truncate(time.Second).Add(time.Duration(1 + dice.IntN(999_999)))
			m.at(at, func() { m.release(o, dice) })
		}
	}
}

// release brings a field to a type, and lets people edit beside it.
func (m *month) release(o *monthOrg, dice *rand.Rand) {
	values := []any{false, 3, "standard", map[string]any{"mode": "auto"}, nil}
	mt := o.types[dice.IntN(len(o.types))]
	for dice.IntN(5) > 0 && len(mt.live) < 15 { // few objects show that it counts as edits, many that it does not
		mt = o.types[dice.IntN(len(o.types))]
	}
	o.serial++
	r := genesystest.Release{Type: mt.Name, Path: fmt.Sprint("release", o.serial), Value: values[dice.IntN(len(values))]}
	kind := dice.IntN(4)
	var parents []string
	if kind == 1 {
		parents = mt.nests()
	}
	switch {
	case mt.otherwise, len(mt.live) > 3000:
		return // what each of its objects was takes memory
	case len(mt.Marker) > 0 && len(mt.live) < 15:
		return // it counts as edits, and is found when it is the turn of each object
	case kind == 0 && len(mt.Marker) == 0 && len(mt.live) <= 60:
		r.Each = func(id string) any { return "of " + id }
	case len(parents) > 0:
		r.Path = parents[dice.IntN(len(parents))] + "." + r.Path
	case kind == 2:
		m.takeBack(o, dice)
	}
	m.releases(o, mt, r, nil)
	for range 2 {
		m.at(m.later(time.Millisecond, 10*time.Minute), func() { m.modifyAny(o, mt) })
	}
	m.at(m.later(time.Second, time.Minute), func() { m.lookAt(o, false, mt.Name) })
}

// takeBack drops a field that an earlier release brought, if the type has no marker: all objects have it then.
func (m *month) takeBack(o *monthOrg, dice *rand.Rand) {
	var could []*monthRelease
	for _, r := range o.released {
		if r.op == diff.OpAdd && len(r.Marker) == 0 && !slices.ContainsFunc(o.released, func(other *monthRelease) bool { return other.of == r }) {
			could = append(could, r)
		}
	}
	if len(could) > 0 {
		r := could[dice.IntN(len(could))]
		m.releases(o, r.monthType, genesystest.Release{Type: r.Name, Path: strings.ReplaceAll(r.path[1:], "/", "."), Drop: true}, r)
	}
}

// releases makes a release happen and notes what became of each object.
func (m *month) releases(o *monthOrg, mt *monthType, r genesystest.Release, of *monthRelease) {
	path := strings.Split(r.Path, ".")
	before := map[string]string{}
	for _, id := range mt.live {
		before[id] = mt.picked(mt.objects[id].last().raw, path)
	}
	o.Release(r)
	mt.releasedAt = append(mt.releasedAt, time.Now())
	shown, values := 0, map[string]bool{}
	for _, id := range mt.live {
		body, _ := o.Object(mt.Name, id)
		mt.objects[id].become(body)
		after := mt.picked(body, path)
		if after != before[id] {
			shown++
			values[before[id]+" "+after] = true
		}
	}
	isOne := len(values) == 1 && len(mt.live) >= 10 && shown == len(mt.live)
	if !isOne {
		m.counts["releases like edits"]++
		return
	}
	m.counts["releases"]++
	known := &monthRelease{monthType: mt, at: time.Now(), op: diff.OpAdd, path: "/" + strings.Join(path, "/"), of: of}
	if r.Drop {
		known.op = diff.OpRemove
	}
	o.released = append(o.released, known)
	mt.platform = append(mt.platform, path)
}

// picked is what an object has at a path that is compared.
func (mt *monthType) picked(raw []byte, path []string) string {
	tree := monthTree(raw)
	monthPrune(tree, mt.ignored, false)
	monthPrune(tree, mt.others, true)
	return monthPick(tree, path)
}

// monthPick is the value at a path; "" if there is none.
func monthPick(v any, path []string) string {
	for _, name := range path {
		object, _ := v.(map[string]any)
		var ok bool
		if v, ok = object[name]; !ok {
			return ""
		}
	}
	return monthJSON(v)
}

// nests returns the members that are objects in all objects of the type.
func (mt *monthType) nests() []string {
	times := map[string]int{}
	for _, id := range mt.live {
		tree, _ := monthTree(mt.objects[id].last().raw).(map[string]any)
		for name, value := range tree {
			isReleased := slices.ContainsFunc(mt.platform, func(path []string) bool { return path[0] == name })
			if _, isObject := value.(map[string]any); isObject && !isReleased && name != mt.toggled && !mt.newer[name] {
				times[name]++
			}
		}
	}
	return slices.DeleteFunc(sortedKeys(times), func(name string) bool { return times[name] < len(mt.live) })
}

// last is what the object is now.
func (o *monthObject) last() *monthState { return o.states[len(o.states)-1] }

// checkReleases holds what the consumer got of each release against what the platform did: one entry, by whichever process
// and pass, and no change of an object that nobody edited.
func (c *monthCheck) checkReleases() {
	for i, d := range c.delivered {
		if i > 0 && c.delivered[i-1].Seq == d.Seq {
			continue
		}
		for _, r := range c.released {
			switch {
			case d.Type != r.Name || !d.At.After(r.at) || !r.isIn(d.Fields):
			case d.Kind == history.KindRestored: // the change leads from what it was before it was deleted
			case d.Kind == history.KindShape:
				r.found = append(r.found, d)
			default:
				c.checkStray(r, d.Change)
			}
		}
	}
	c.checkReached()
	strays := 0
	for _, r := range c.released {
		strays += r.stray
		c.checkRelease(r)
		c.checkAlone(r)
	}
	for _, d := range c.delivered {
		if d.Kind == history.KindShape && !slices.ContainsFunc(c.released, func(r *monthRelease) bool { return d.Type == r.Name && r.isIn(d.Fields) }) {
			c.fail("%v was no release", d.Change)
		}
	}
	c.t.Logf("%s: %d releases, %d of their fields in changes of objects", c.record.Name, len(c.released), strays)
}

// isIn reports whether field changes have what the release did.
func (r *monthRelease) isIn(fields []diff.FieldChange) bool {
	return slices.ContainsFunc(fields, func(f diff.FieldChange) bool { return f.Op == r.op && f.Path == r.path })
}

// checkRelease sees that there is one entry, if there has to be.
func (c *monthCheck) checkRelease(r *monthRelease) {
	isBack := slices.ContainsFunc(c.released, func(other *monthRelease) bool { return other.of == r })
	switch {
	case len(r.found) == 1, len(r.found) == 0 && r.stray+r.beside > 0: // what shows it nowhere is found at the end
	case len(r.found) == 0 && (isBack || r.of != nil && len(r.of.found) == 0): // nobody looked while it was there
	default:
		c.fail("the release of %v that did %s %s to %s has %d entries", r.at, r.op, r.path, r.Name, len(r.found))
	}
	for _, d := range r.found {
		if len(d.Fields) != 1 || d.ID != "" || d.Number < 1 || len(d.Objects) == 0 {
			c.fail("%v says too little or too much", d.Change)
		}
	}
}

// checkReached sees that the objects of a release are some that were there. The log has them by their ids of today, whereas
// a consumer may have got those that an earlier version knew.
func (c *monthCheck) checkReached() {
	for change, err := range c.h.Changes(c.t.Context(), history.Query{Kinds: []history.Kind{history.KindShape}}) {
		require.NoError(c.t, err)
		for _, id := range change.Objects {
			if c.byName[change.Type].objects[id] == nil {
				c.fail("%v: there was no %s", change, id)
			}
		}
	}
}

// checkStray sees why a release is in the change of an object: somebody edited it before the release was known, or the
// pass compared so few objects that nothing told the release from an edit.
func (c *monthCheck) checkStray(r *monthRelease, change history.Change) {
	object := r.objects[change.ID]
	for _, s := range object.states {
		if s.at.After(change.After.Add(-monthLagsBy)) && !s.at.After(change.At) && !slices.ContainsFunc(c.released, func(r *monthRelease) bool { return r.at.Equal(s.at) }) {
			r.beside++
			return
		}
	}
	i := slices.IndexFunc(r.passes, func(p monthPass) bool { return !p.Ended.Before(change.At) })
	if r.stray++; i < 0 || !r.passes[i].Started.Before(change.At) || r.passes[i].Objects >= 10 && r.passes[i].Complete {
		r.alone = append(r.alone, change)
	}
}

// checkAlone sees that no object shows a release alone. But where one is taken back that few objects had shown, because
// the others were out of sight meanwhile, few lose it, in whatever pass.
func (c *monthCheck) checkAlone(r *monthRelease) {
	shown := r.stray + r.beside
	for _, d := range r.found {
		shown += d.Number
	}
	if r.of != nil && shown < 10 {
		return
	}
	for _, change := range r.alone {
		c.fail("the release of %v is in the change of an object that nobody edited: %v, after %v, at %v", r.at, change, change.After, change.At)
	}
}

// tookBack reports whether a field change is what a release took back. What that had brought before is in no version.
func (c *monthCheck) tookBack(mt *monthType, f diff.FieldChange) bool {
	return slices.ContainsFunc(c.released, func(r *monthRelease) bool {
		return r.monthType == mt && r.of != nil && r.op == f.Op && r.path == f.Path
	})
}

// hasReleases reports whether an answer for t may have these fields of releases. Where a marker says that nobody edited an
// object, it is read again when its turn comes, so it may have those of any state until t.
func (c *monthCheck) hasReleases(mt *monthType, object *monthObject, t time.Time, want, got string) bool {
	if want == got || len(mt.Marker) == 0 {
		return want == got
	}
	return slices.ContainsFunc(object.states[:object.at(t)+1], func(s *monthState) bool { return mt.textOf(s).platform == got })
}

// hasRelease reports whether the platform was released in the span of a change, to which no audit belongs.
func (c *monthCheck) hasRelease(change history.Change) bool {
	return slices.ContainsFunc(c.byName[change.Type].releasedAt, func(at time.Time) bool { return at.After(change.After) && !at.After(change.At) })
}

// turn lets the rotation turn once, so that all objects show what the platform did whose markers say that nobody edited them.
func (m *month) turn(engine *environment.Engine) {
	for _, o := range m.orgs {
		var marked []string
		for _, mt := range o.types {
			if len(mt.Marker) > 0 && len(mt.platform) > 0 {
				marked = append(marked, mt.Name)
			}
		}
		for range monthRotation {
			if len(marked) > 0 {
				_, err := engine.Poll(m.t.Context(), o.record.ID, marked...)
				require.NoError(m.t, err)
			}
		}
	}
}
