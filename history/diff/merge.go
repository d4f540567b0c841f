package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A Conflict is a place that both sides of a [Comparer.Merge] changed, each in its own way.
type Conflict struct {
	// Path is the RFC 6901 pointer of the place in the merged body.
	Path string `json:"path"`
	// Base, Ours and Theirs are its values, in canonical form; empty where there is none.
	Base   json.RawMessage `json:"base,omitempty"`
	Ours   json.RawMessage `json:"ours,omitempty"`
	Theirs json.RawMessage `json:"theirs,omitempty"`
}

// Merge returns ours with what theirs changed since base: a three-way merge of bodies in canonical
// form. Where both changed the same thing differently, the result keeps ours, and a Conflict names
// the place. An Undo is such a merge: base is the body after the change, theirs the one before it.
//
// The idea: a value that only one side changed is that side's. Objects merge member by member.
// Arrays merge element by element if their elements are known by id, key, name or value, as in
// [Rules], and none is there twice; an element that one side took out and the other changed is
// a conflict. In an ordered array the side that changed the order gives it; what only
// the other side has stands behind its old neighbour. All else counts as one value.
func (c *Comparer) Merge(base, ours, theirs []byte) (merged []byte, conflicts []Conflict, err error) {
	for _, body := range [][]byte{base, ours, theirs} {
		if err := checkForm(body); err != nil {
			return nil, nil, fmt.Errorf("diff: merge: %w: %w", errNotCanonical, err)
		}
	}
	var m merger
	merged, err = m.value(base, ours, theirs, c.rules, false)
	if err == nil {
		merged, err = c.Canonical(nil, merged) // sets are sorted anew
	}
	if err != nil {
		return nil, nil, fmt.Errorf("diff: merge: %w", err)
	}
	return merged, m.conflicts, nil
}

// merger collects conflicts while it walks three bodies. An absent value is nil, which makes an
// addition, a removal and an edit one case: one side has another value than the base.
type merger struct {
	path      []byte // of the value at hand, in the merged body
	conflicts []Conflict
}

// value merges one value; nil if it is absent in the result.
func (m *merger) value(base, ours, theirs []byte, r *rule, set bool) ([]byte, error) {
	switch {
	case same(ours, theirs), same(base, theirs):
		return ours, nil
	case same(base, ours):
		return theirs, nil
	case opens(base, '{') && opens(ours, '{') && opens(theirs, '{'):
		return m.object(base, ours, theirs, r)
	case opens(base, '[') && opens(ours, '[') && opens(theirs, '['):
		merged, ok, err := m.array(base, ours, theirs, r, set)
		if ok || err != nil {
			return merged, err
		}
	}
	m.conflicts = append(m.conflicts, Conflict{
		string(m.path), slices.Clone(base), slices.Clone(ours), slices.Clone(theirs),
	})
	return ours, nil
}

// same reports whether two canonical values are the same, or both absent.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// opens reports whether a value is an object, or an array, by its bracket.
func opens(value []byte, bracket byte) bool { return len(value) > 0 && value[0] == bracket }

// namedMembers returns the members of an object by their raw names, and the names in order.
func namedMembers(object []byte) (names []string, values map[string][]byte, err error) {
	values = map[string][]byte{}
	it := jsonscan.Members(object)
	for it.Next() {
		names = append(names, string(it.Key()))
		values[string(it.Key())] = it.Value()
	}
	return names, values, it.Err()
}

// object merges the members of both sides. They come out unsorted; Merge sorts once, at the end.
func (m *merger) object(base, ours, theirs []byte, r *rule) ([]byte, error) {
	_, b, err := namedMembers(base)
	if err != nil {
		return nil, err
	}
	names, o, err := namedMembers(ours)
	if err != nil {
		return nil, err
	}
	theirNames, t, err := namedMembers(theirs)
	if err != nil {
		return nil, err
	}
	for _, name := range theirNames {
		if o[name] == nil {
			names = append(names, name)
		}
	}
	merged := []byte{'{'}
	for _, raw := range names {
		name := jsonscan.AppendString(nil, []byte(raw))
		back := len(m.path)
		m.path = appendToken(m.path, name)
		below := r.member(name)
		value, err := m.value(b[raw], o[raw], t[raw], below, below != nil && below.set)
		if err != nil {
			return nil, err
		}
		m.path = m.path[:back]
		if value == nil {
			continue
		}
		if len(merged) > 1 {
			merged = append(merged, ',')
		}
		merged = append(append(append(merged, raw...), ':'), value...)
	}
	return append(merged, '}'), nil
}

// A listing is an array whose elements are each there once. Only such arrays merge element by
// element: of two equal elements nobody can say which one the other side removed.
type listing struct {
	order []string          // identities
	value map[string][]byte // by identity
}

// list returns the listing of an array, or false if an element is there twice.
func list(array []byte) (listing, bool, error) {
	parts, err := jsonscan.Split(array, nil)
	l := listing{value: map[string][]byte{}}
	for _, e := range identifyAll(parts) {
		id := e.kind.String() + "=" + string(e.text(e.raw))
		if l.value[id] != nil {
			return l, false, err
		}
		l.order = append(l.order, id)
		l.value[id] = e.raw
	}
	return l, true, err
}

// only returns the identities that keep wants, in order.
func (l listing) only(keep func(id string) bool) []string {
	return slices.DeleteFunc(slices.Clone(l.order), func(id string) bool { return !keep(id) })
}

// array merges arrays element by element. It is not ok if an element is there twice. Sides that
// ordered the elements differently are a conflict of the array, except in a set; its elements merge
// all the same.
func (m *merger) array(base, ours, theirs []byte, r *rule, set bool) (merged []byte, ok bool, err error) {
	var lists [3]listing
	for i, array := range [][]byte{base, ours, theirs} {
		if lists[i], ok, err = list(array); !ok || err != nil {
			return nil, false, err
		}
	}
	b, o, t := lists[0], lists[1], lists[2]
	order, agreed := mergeOrder(b, o, t)
	if !agreed && !set {
		m.conflicts = append(m.conflicts, Conflict{string(m.path), slices.Clone(base), slices.Clone(ours), slices.Clone(theirs)})
	}
	merged = []byte{'['}
	n := 0
	for _, id := range order {
		back := len(m.path)
		m.path = strconv.AppendInt(append(m.path, '/'), int64(n), 10)
		value, err := m.value(b.value[id], o.value[id], t.value[id], r, false)
		if err != nil {
			return nil, false, err
		}
		m.path = m.path[:back]
		if value == nil {
			continue
		}
		if n++; n > 1 {
			merged = append(merged, ',')
		}
		merged = append(merged, value...)
	}
	return append(merged, ']'), true, nil
}

// mergeOrder returns the identities of both sides in one order, and whether they agree on it. Of
// two sides that both changed the order differently, ours counts.
//
// Only the elements that all three arrays have can tell who changed the order: those that came or
// went on one side say nothing about it. The side that has the order of the base did not change it,
// so the other one's order is taken, and what only this side has is woven in.
func mergeOrder(b, o, t listing) (order []string, agreed bool) {
	all := func(id string) bool { return b.value[id] != nil && o.value[id] != nil && t.value[id] != nil }
	base, ours, theirs := b.only(all), o.only(all), t.only(all)
	switch {
	case slices.Equal(base, theirs), slices.Equal(ours, theirs):
		return weave(o.order, t), true
	case slices.Equal(base, ours):
		return weave(t.order, o), true
	}
	return weave(o.order, t), false
}

// weave returns order with what only other has, each element behind the one before it in other.
func weave(order []string, other listing) []string {
	known := make(map[string]bool, len(order))
	for _, id := range order {
		known[id] = true
	}
	behind := map[string][]string{} // what comes behind an element; "", which is no identity, is the start
	last := ""
	for _, id := range other.order {
		if known[id] {
			last = id
			continue
		}
		behind[last] = append(behind[last], id)
	}
	woven := slices.Clone(behind[""])
	for _, id := range order {
		woven = append(append(woven, id), behind[id]...)
	}
	return woven
}
