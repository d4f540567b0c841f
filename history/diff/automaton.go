package diff

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A body is walked once, whatever the number of paths. So all paths of Rules are compiled into one
// finite automaton: each member that is entered is one step, and the state says what is ruled at
// that place. With * and ** a place may be on several paths at once; as in the construction of a
// deterministic automaton from a nondeterministic one, a state stands for a set of positions in
// the paths.
//
// The invariant: the rule that is reached by the names of the members on the way is the same one that
// matching every path against these names would give. Elements of arrays are no step, which is how
// paths pass through arrays.

// rule is a state of the automaton: what the paths say about one member and about what lies below
// it. The nil rule says nothing, here and below, and is the usual one.
type rule struct {
	ignore   bool
	set      bool
	borrowed bool           // ignored beside an id
	borrows  bool           // some of its members may be borrowed
	filter   jsonscan.Names // of the names
	names    []namedRule
	other    *rule // for the members that have no name here
}

// namedRule is a step of the automaton by the member with one name.
type namedRule struct {
	name string
	rule *rule
}

// member returns the rule for the member with the decoded name. No path has a name that is not
// UTF-8, nor one that is empty, so callers pass nil for the name of such a member.
//
// Most members have no rule of their own. The filter finds that out for nearly all of them without
// comparing a name.
func (r *rule) member(name []byte) *rule {
	if r == nil {
		return nil
	}
	if r.filter.MayHave(name) {
		for i := range r.names {
			if string(name) == r.names[i].name {
				return r.names[i].rule
			}
		}
	}
	return r.other
}

// pattern is one path of Rules.
type pattern struct {
	segments []segment
	end      ending
}

// ending is what a path says about the members that it leads to.
type ending uint8

const (
	notEnding ending = iota
	endIgnored
	endSet
	endBorrowed
)

// maxRules bounds the automaton, whose size can double with each * that follows a **: a state has to
// remember which of the levels before were candidates for the **.
const maxRules = 1_000

// compileRules builds the automaton of the patterns and returns its start: the rule of the body
// itself.
func compileRules(patterns []pattern) (*rule, error) {
	c := ruleCompiler{rules: map[string]*rule{}}
	for end := range endBorrowed + 1 {
		c.steps = append(c.steps, step{end: end}) // The position of each ending is its number.
	}
	var start []int
	for _, p := range patterns {
		start = append(start, len(c.steps))
		for _, s := range p.segments {
			c.steps = append(c.steps, step{segment: s})
		}
		c.steps = append(c.steps, step{end: p.end})
	}
	r := c.rule(start)
	if len(c.rules) > maxRules {
		return nil, errors.New("diff: the paths are too many to combine: use fewer of those with * after **")
	}
	return r, nil
}

// ruleCompiler makes rules of sets of positions. A position is the index in steps of the step that
// comes next on a path.
type ruleCompiler struct {
	steps []step           // The endings, and then all patterns, one after the other.
	rules map[string]*rule // By their positions, so that equal states are one.
}

// step is a segment of a pattern, or its end.
type step struct {
	segment
	end ending
}

// rule returns the rule for a set of positions. It enters a rule into c.rules before it makes those
// below, as ** leads back to the same set of positions. Once there are too many rules it returns nil
// for each further one, which ends the recursion; compileRules then discards them all.
func (c *ruleCompiler) rule(set []int) *rule {
	if len(set) == 0 || len(c.rules) > maxRules {
		return nil
	}
	set = c.close(set)
	key := keyOf(set)
	if r, ok := c.rules[key]; ok {
		return r
	}
	r := &rule{}
	c.rules[key] = r
	var names []string
	for _, p := range set {
		switch s := c.steps[p]; {
		case s.end != notEnding:
			r.ignore = r.ignore || s.end == endIgnored
			r.set = r.set || s.end == endSet
			r.borrowed = r.borrowed || s.end == endBorrowed
		case !s.wild:
			names = append(names, s.name)
		}
	}
	if r.ignore {
		return r // nothing is looked at below
	}
	r.other = c.rule(c.follow(set, nil))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		r.names = append(r.names, namedRule{name, c.rule(c.follow(set, &name))})
		r.filter.Add(name)
	}
	r.borrows = r.other != nil && r.other.borrowed ||
		slices.ContainsFunc(r.names, func(n namedRule) bool { return n.rule != nil && n.rule.borrowed })
	return r
}

// keyOf returns a text that stands for a set of positions.
func keyOf(set []int) string {
	key := make([]byte, 0, 4*len(set))
	for _, p := range set {
		key = binary.BigEndian.AppendUint32(key, uint32(p))
	}
	return string(key)
}

// close returns the set in order and without repetition, with what it reaches without a step: **
// also stands for no level. Equal endings of different patterns are one, and behind one that ignores
// all others mean nothing, so that places where the same counts have one rule.
func (c *ruleCompiler) close(set []int) []int {
	for _, p := range set {
		if c.steps[p].deep {
			set = append(set, p+1) // which is not deep again: parsePath merges repeated **
		}
	}
	for i, p := range set {
		switch end := c.steps[p].end; end {
		case notEnding:
		case endIgnored:
			return []int{int(endIgnored)}
		default:
			set[i] = int(end)
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// follow returns where the set of positions leads by the member name; by a member that no path names
// if name is nil.
func (c *ruleCompiler) follow(set []int, name *string) []int {
	var next []int
	for _, p := range set {
		switch s := c.steps[p]; {
		case s.end != notEnding:
		case s.deep:
			next = append(next, p)
		case s.wild || name != nil && s.name == *name:
			next = append(next, p+1)
		}
	}
	return next
}
