package genesys

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
)

// A Catalogue is a set of types that cxsync can list, each with a name and a
// label of its own. It never changes: [Catalogue.With] makes another one. All
// methods are safe for concurrent use. The slices of its types are shared and
// must not be modified.
type Catalogue struct {
	types []ObjectType   // sorted by name
	known map[string]int // lower-case name or label: index in types

	indexAudits sync.Once
	byAudit     map[string][]ObjectType // lower-case entity type of audits: the types that it tells of
}

// DefaultCatalogue returns every type that cxsync knows.
func DefaultCatalogue() *Catalogue { return defaultCatalogue() }

var defaultCatalogue = sync.OnceValue(func() *Catalogue {
	types, err := parseTypes(catalogueTSV) // which is sorted
	if err != nil {
		panic(err) // a test reads the embedded table
	}
	return newCatalogue(types)
})

// newCatalogue makes a catalogue of types that are sorted by name. Where the label of one type is
// the name of another, the name counts.
func newCatalogue(types []ObjectType) *Catalogue {
	c := &Catalogue{types: types, known: make(map[string]int, 2*len(types))}
	for i, t := range c.types {
		c.known[strings.ToLower(t.Label)] = i
	}
	for i, t := range c.types {
		c.known[strings.ToLower(t.Name)] = i
	}
	return c
}

// All yields the types, sorted by name.
func (c *Catalogue) All() iter.Seq[ObjectType] { return slices.Values(c.types) }

// Len returns how many types there are.
func (c *Catalogue) Len() int { return len(c.types) }

// Lookup returns the type with that name ("routing.queues") or label ("Queues").
// Letter case and space around it are ignored.
func (c *Catalogue) Lookup(nameOrLabel string) (ObjectType, bool) {
	i, ok := c.known[strings.ToLower(strings.TrimSpace(nameOrLabel))]
	if !ok {
		return ObjectType{}, false
	}
	return c.types[i], true
}

// With returns the catalogue with each of more added, or put in place of the
// type of the same name. The error says which of them could not be listed, and
// why, or which two types would go by the same name or label.
func (c *Catalogue) With(more ...ObjectType) (*Catalogue, error) {
	types := slices.Clone(c.types)
	for i, t := range more {
		if err := t.check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(more[:i], func(other ObjectType) bool { return strings.EqualFold(other.Name, t.Name) }) {
			return nil, fmt.Errorf("genesys: type %q is given twice", t.Name)
		}
		types = slices.DeleteFunc(types, func(old ObjectType) bool { return strings.EqualFold(old.Name, t.Name) })
		types = append(types, t)
	}
	for _, t := range more {
		for _, other := range types {
			if other.Name != t.Name && (other.goesBy(t.Name) || other.goesBy(t.Label)) {
				return nil, fmt.Errorf("genesys: type %q with the Label %q: %s (%s) goes by that already", t.Name, t.Label, other.Name, other.Label)
			}
		}
	}
	slices.SortFunc(types, func(a, b ObjectType) int { return strings.Compare(a.Name, b.Name) })
	with := newCatalogue(types)
	for _, t := range with.types {
		if _, ok := with.parent(t); t.Parent != "" && !ok {
			return nil, fmt.Errorf("genesys: type %q: its Parent %q is no type of the catalogue", t.Name, t.Parent)
		}
		if with.depth(t) > len(with.types) {
			return nil, fmt.Errorf("genesys: type %q: its Parent %q is listed under it", t.Name, t.Parent)
		}
	}
	return with, nil
}

// Select returns the types that want accepts and those that they are listed
// under, each type after its parent.
func (c *Catalogue) Select(want func(ObjectType) bool) []ObjectType {
	wanted := map[string]bool{}
	for _, t := range c.types {
		if !want(t) {
			continue
		}
		for ok := true; ok && !wanted[t.Name]; t, ok = c.parent(t) {
			wanted[t.Name] = true
		}
	}
	var selected []ObjectType
	for _, level := range c.Levels(c.types) {
		for _, t := range level {
			if wanted[t.Name] {
				selected = append(selected, t)
			}
		}
	}
	return selected
}

// Levels groups types by how deep they are listed under others: those of the
// first level have no parent. A level may be empty.
func (c *Catalogue) Levels(types []ObjectType) [][]ObjectType {
	var levels [][]ObjectType
	for _, t := range types {
		depth := c.depth(t)
		for len(levels) <= depth {
			levels = append(levels, nil)
		}
		levels[depth] = append(levels[depth], t)
	}
	return levels
}

// parent returns the type that t is listed under.
func (c *Catalogue) parent(t ObjectType) (ObjectType, bool) {
	i, ok := c.known[strings.ToLower(t.Parent)]
	if !ok || t.Parent == "" {
		return ObjectType{}, false
	}
	return c.types[i], true
}

// depth counts the types that t is listed under. It is more than there are
// types when t is listed under itself.
func (c *Catalogue) depth(t ObjectType) int {
	n := 0
	for ; n <= len(c.types); n++ {
		above, ok := c.parent(t)
		if !ok {
			break
		}
		t = above
	}
	return n
}
