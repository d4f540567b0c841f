package soak_test

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history"
)

// checkAsOf asks what objects were at random instants.
func (c *monthCheck) checkAsOf() {
	var edited []*monthObject
	types := map[*monthObject]*monthType{}
	for _, mt := range c.types {
		for _, id := range slices.Sorted(maps.Keys(mt.objects)) {
			if object := mt.objects[id]; len(object.states) > 1 || c.random.IntN(50) == 0 {
				edited, types[object] = append(edited, object), mt
			}
		}
	}
	span := c.ends.Sub(c.imported)
	for range 400 {
		object := edited[c.random.IntN(len(edited))]
		t := c.imported.Add(time.Duration(c.random.Int64N(int64(span))))
		v, err := c.h.ObjectAsOf(c.t.Context(), types[object].Name, object.id, t)
		c.asOf(types[object], object, t, v, err)
	}
	for _, mt := range c.types {
		c.typeAsOf(mt, c.imported.Add(time.Duration(c.random.Int64N(int64(span)))))
	}
}

// typeAsOf asks what all objects of a type were at an instant.
func (c *monthCheck) typeAsOf(mt *monthType, t time.Time) {
	type answer struct {
		history.Version
		err error
	}
	answers := map[string]answer{}
	for v, err := range c.h.AsOf(c.t.Context(), mt.Name, t) {
		answers[v.ID] = answer{v, err}
	}
	for id, object := range mt.objects {
		a, known := answers[id]
		if !known {
			a.err = history.ErrNotFound
		}
		if delete(answers, id); len(object.states) > 1 || object.states[0].at.After(c.imported) {
			c.asOf(mt, object, t, a.Version, a.err)
		} else if a.err != nil || mt.compared(a.Body, nil).main != mt.textOf(object.states[0]).main {
			c.fail("%s %s was never edited, and at %v is %v\n%s", mt.Name, id, t, a.err, a.Body)
		}
	}
	if len(answers) > 0 {
		c.fail("%s at %v: %v never existed", mt.Name, t, sortedKeys(answers))
	}
}

// asOf holds an answer about one object against what it was.
func (c *monthCheck) asOf(mt *monthType, object *monthObject, t time.Time, v history.Version, err error) {
	switch days := c.record.RetentionDays; {
	case errors.Is(err, history.ErrTrimmed) && days > 0 && t.Before(time.Now().AddDate(0, 0, -days)):
		return
	case err != nil && !errors.Is(err, history.ErrNotFound):
		c.fail("%s %s at %v: %v", mt.Name, object.id, t, err)
		return
	}
	got := mt.compared(v.Body, nil)
	allowed, from := c.allowed(mt, object, t)
	// A pass that was being prepared when the rules changed goes by the old ones.
	ignored, sure := c.rule(from.Add(-time.Hour), t)
	c.asked++
	if len(allowed) == 1 {
		c.exact++
	}
	if !slices.ContainsFunc(allowed, func(s *monthState) bool {
		want := mt.textOf(s)
		if sure && ignored {
			want.toggled = ""
		}
		return want.main == got.main && (want.toggled == got.toggled || !sure && got.toggled == "") &&
			c.hasNewer(want.newer, got.newer, from, t) && c.hasReleases(mt, object, t, want.platform, got.platform)
	}) {
		c.fail("%s %s at %v, read since %v, is\n%s\nand none of %d", mt.Name, object.id, t, from, got, len(allowed))
		for _, s := range allowed {
			c.t.Logf("from %v on it was\n%s", s.at, mt.textOf(s))
		}
	}
}

// allowed returns what an honest history can answer for t: what the object was
// when the org was asked, since the last complete pass that proved something about it.
func (c *monthCheck) allowed(mt *monthType, object *monthObject, t time.Time) (states []*monthState, from time.Time) {
	absent := monthState{}
	states = []*monthState{&absent}
	if i := object.at(c.imported); i >= 0 { // what the import has read
		states[0] = object.states[i]
	}
	for _, p := range slices.Backward(mt.passes) {
		if p.Ended.After(t) {
			continue
		}
		if proven := c.proves(mt, object, p); proven != nil {
			from, states = p.Started, []*monthState{proven}
			break
		}
	}
	i, _ := slices.BinarySearchFunc(mt.reads, from, func(r monthRead, t time.Time) int { return r.at.Compare(t) })
	for _, r := range mt.reads[i:] {
		if r.at.After(t) {
			break
		}
		for _, state := range c.readable(mt, object, r.at) {
			if !c.sees(state, r.at, r.at) {
				if c.hiddenGet != http.StatusNotFound || !c.moved(object, r.at) {
					continue
				}
				state = &absent // it looks deleted
			}
			if !slices.ContainsFunc(states, func(s *monthState) bool { return s.at.Equal(state.at) && mt.textOf(s) == mt.textOf(state) }) {
				states = append(states, state)
			}
		}
	}
	return states, from
}

// moved reports whether an object that the client does not see at t was before in a division that it sees.
func (c *monthCheck) moved(object *monthObject, t time.Time) bool {
	return slices.ContainsFunc(object.states[:object.at(t)+1], func(s *monthState) bool { return s.raw != nil && c.sees(s, t, t) })
}
