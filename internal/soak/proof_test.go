package soak_test

import (
	"slices"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// passBefore returns when the pass ended that was the last one before the one
// that recorded something at t.
func (c *monthCheck) passBefore(mt *monthType, t time.Time) time.Time {
	i, _ := slices.BinarySearchFunc(mt.passes, t, func(p monthPass, t time.Time) int { return p.Ended.Compare(t) })
	for i--; i >= 0; i-- {
		if p := mt.passes[i]; p.read && mt.Parent != "" {
			return p.Started // the parents may have been read since
		} else if p.read {
			if p.over.Before(p.Ended) {
				return p.over
			}
			return p.Ended
		}
	}
	return time.Time{}
}

// wasMissing reports whether a complete pass did not list the object, since the
// last one before t that proved something about it.
func (c *monthCheck) wasMissing(mt *monthType, object *monthObject, t time.Time) bool {
	for _, p := range slices.Backward(mt.passes) {
		if !p.Ended.Before(t) || !p.read || !p.Complete {
			continue
		}
		state := &monthState{}
		if i := object.at(p.Started); i >= 0 {
			state = object.states[i]
		}
		switch {
		case p.fooled, !mt.exists(state.raw) && p.Withheld > 0, !c.sees(state, p.Started, p.Ended):
			return true
		case c.proves(mt, object, p) != nil:
			return false
		}
	}
	return false
}

// checkSeen checks that the object's state is in the history wherever a pass
// proves that it has to be.
func (c *monthCheck) checkSeen(mt *monthType, object *monthObject, versions []monthVersion) {
	seen := map[*monthState]bool{}
	n := 0
	for _, p := range mt.passes {
		s := c.proves(mt, object, p)
		if s == nil {
			continue
		}
		for n < len(versions) && !versions[n].At.After(p.Ended) {
			n++
		}
		var have monthVersion
		if n > 0 {
			have = versions[n-1]
		}
		if (have.body != nil) != mt.exists(s.raw) || have.text.main != mt.textOf(s).main {
			c.fail("%s %s: the pass of %v to %v saw what it was since %v, but recorded\n%s\nand not\n%s", mt.Name, object.id, p.Started, p.Ended, s.at, have.text, mt.textOf(s))
			return
		}
		seen[s] = true
	}
	for _, s := range object.states[1:] {
		if seen[s] {
			c.seen++
		}
	}
}

// proves returns the state that an object had all through a pass that was
// complete and had to find it so; nil if there is none.
func (c *monthCheck) proves(mt *monthType, object *monthObject, p monthPass) *monthState {
	if !p.read || !p.Complete || p.fooled {
		return nil
	}
	from := p.Started
	if mt.Parent != "" {
		if from = c.parentPass(mt, object, p.Started); from.IsZero() {
			return nil
		}
	}
	s, ok := object.steady(from, p.Ended)
	if !ok || !mt.exists(s.raw) && p.Withheld > 0 || mt.exists(s.raw) && !c.sees(s, from, p.Ended) {
		return nil
	}
	return s
}

// parentPass returns the start of the last complete pass over the parents that
// ended before t, if it saw the parent of the object.
func (c *monthCheck) parentPass(mt *monthType, object *monthObject, t time.Time) time.Time {
	parents := c.byName[mt.Parent]
	for _, p := range slices.Backward(parents.passes) {
		if p.Ended.After(t) || !p.read || !p.Complete {
			continue
		}
		parent := parents.objects[monthParent(object.id)]
		if s := c.proves(parents, parent, p); s == nil {
			return time.Time{}
		}
		if _, ok := parent.steady(p.Started, t); !ok {
			return time.Time{}
		}
		return p.Started
	}
	return time.Time{}
}

// fooled reports whether a pass met what no client can notice: objects that a
// list without totals leaves out, or comings and goings that make up for each other.
func (c *monthCheck) fooled(mt *monthType, p monthPass) bool {
	totals := mt.Paging == genesys.PagingPage && mt.Name != "routing.queues.members"
	lies := map[string]bool{}
	i, _ := slices.BinarySearchFunc(mt.reads, p.Started, func(r monthRead, t time.Time) int { return r.at.Compare(t) })
	for _, r := range mt.reads[i:] {
		if r.at.After(p.Ended) {
			break
		}
		lies[r.fault] = true
	}
	lost := lies["lost page"] || lies["shift"] || lies["empty page"] || lies["repeated page"]
	if lost && (!totals || lies["no totals"]) {
		return true
	}
	if c.laggedIn(mt.Name, p.Started, p.Ended) {
		return true // and no client can tell a body that lags until it is read again
	}
	most := 1
	if !totals {
		most = 0
	}
	first, _ := slices.BinarySearchFunc(mt.moves, p.Started, time.Time.Compare)
	last, _ := slices.BinarySearchFunc(mt.moves, p.Ended, time.Time.Compare)
	return last-first > most
}

// movesOf returns when objects of a type came, went or moved to another division.
func (c *monthCheck) movesOf(mt *monthType) []time.Time {
	var moves []time.Time
	for _, object := range mt.objects {
		for i, s := range object.states[1:] {
			before := object.states[i]
			if mt.exists(s.raw) != mt.exists(before.raw) || s.division != before.division {
				moves = append(moves, s.at)
			}
		}
	}
	slices.SortFunc(moves, time.Time.Compare)
	return moves
}
