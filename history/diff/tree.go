package diff

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A body that is edited is a tree that grows where edits are: each value is raw text until something
// below it is asked for. Then it is opened, one level, and its parts are raw text again. So an edit
// costs what stands beside its path, and what no edit comes near is copied as it is.
//
// The invariant: appendTo writes canonical JSON at any moment.

// node is a value of a canonical body that is being edited. Exactly one of its fields is set.
type node struct {
	raw      []byte // nil once it is open
	members  *memberSet
	elements *sequence
}

// memberSet holds the members of an object that is being edited. Members are looked up by binary
// search among those that were there, and in a map among those that came, so an edit does not move
// the others and many edits of a large object stay cheap.
type memberSet struct {
	keys   [][]byte         // raw and sorted, of the members that were there when the object was opened
	values []*node          // of these keys; nil for what was removed
	added  map[string]*node // by raw key, the others
}

// open makes the parts of n accessible. The raw text is known to be well-formed. A value that has no
// parts is a mismatch: the changes expect an object or an array there.
func (n *node) open() error {
	if n.raw == nil {
		return nil
	}
	switch n.raw[0] {
	case '{':
		return n.openObject()
	case '[':
		return n.openArray()
	}
	return fmt.Errorf("%w: a value has no parts", ErrMismatch)
}

// usualMembers is how many members an object has, mostly, at most.
const usualMembers = 16

// openObject finds out as well whether the members are sorted, on which the rest relies.
func (n *node) openObject() error {
	m := &memberSet{keys: make([][]byte, 0, usualMembers), values: make([]*node, 0, usualMembers)}
	var nodes []node
	for it := jsonscan.Members(n.raw); ; {
		if !it.Next() {
			if err := it.Err(); err != nil {
				return err
			}
			break
		}
		if len(m.keys) > 0 && compareKeys(m.keys[len(m.keys)-1], it.Key()) >= 0 {
			return fmt.Errorf("%w: %w", errNotCanonical, errUnsorted)
		}
		m.keys = append(m.keys, it.Key())
		if len(nodes) == cap(nodes) {
			nodes = make([]node, 0, max(usualMembers, 2*cap(nodes)))
		}
		nodes = append(nodes, node{raw: it.Value()})
		m.values = append(m.values, &nodes[len(nodes)-1])
	}
	n.raw, n.members = nil, m
	return nil
}

func (n *node) openArray() error {
	parts, err := jsonscan.Split(n.raw, nil)
	if err != nil {
		return err
	}
	nodes, elements := make([]node, len(parts)), make([]*node, len(parts))
	for i, part := range parts {
		nodes[i].raw, elements[i] = part, &nodes[i]
	}
	n.raw, n.elements = nil, newSequence(elements)
	return nil
}

// child returns the part that token names, or nil if there is none.
func (n *node) child(token string) (*node, error) {
	if err := n.open(); err != nil {
		return nil, err
	}
	if n.members != nil {
		return n.members.get(quoted([]byte(token))), nil
	}
	i, err := n.index(token)
	if err != nil || i == n.elements.len() {
		return nil, err
	}
	return n.elements.at(i), nil
}

// index returns the index of an array that token is: of an element, or behind the last one. There is
// one way to write an index, so that 01 is none.
func (n *node) index(token string) (int, error) {
	i, err := strconv.Atoi(token)
	switch {
	case err != nil || i < 0 || strconv.Itoa(i) != token:
		return 0, fmt.Errorf("%q is not an index", token)
	case i > n.elements.len():
		return 0, fmt.Errorf("%w: index %d of %d elements", ErrMismatch, i, n.elements.len())
	}
	return i, nil
}

// insert adds a part: a member that must be absent, or an element in front of the one that token
// names.
func (n *node) insert(token string, child *node) error {
	if err := n.open(); err != nil {
		return err
	}
	if n.members == nil {
		i, err := n.index(token)
		if err == nil {
			n.elements.insert(i, child)
		}
		return err
	}
	if key := quoted([]byte(token)); !n.members.add(key, child) {
		return fmt.Errorf("%w: it has a member %q already", ErrMismatch, token)
	}
	return nil
}

// remove takes away a part that child returned, so n is open and has it.
func (n *node) remove(token string) error {
	if n.members != nil {
		n.members.remove(quoted([]byte(token)))
		return nil
	}
	i, err := n.index(token)
	if err == nil {
		n.elements.remove(i)
	}
	return err
}

// get returns the member with the canonical raw key, or nil.
func (m *memberSet) get(key []byte) *node {
	if i, known := slices.BinarySearchFunc(m.keys, key, compareKeys); known {
		return m.values[i]
	}
	return m.added[string(key)]
}

// add adds a member and reports whether there was no such one. One that was removed may come back.
func (m *memberSet) add(key []byte, n *node) bool {
	if i, known := slices.BinarySearchFunc(m.keys, key, compareKeys); known {
		if m.values[i] != nil {
			return false
		}
		m.values[i] = n
		return true
	}
	if m.added[string(key)] != nil {
		return false
	}
	if m.added == nil {
		m.added = map[string]*node{}
	}
	m.added[string(key)] = n
	return true
}

func (m *memberSet) remove(key []byte) {
	if i, known := slices.BinarySearchFunc(m.keys, key, compareKeys); known {
		m.values[i] = nil
		return
	}
	delete(m.added, string(key))
}

// appendTo appends the canonical text of n.
func (n *node) appendTo(dst []byte) []byte {
	switch {
	case n.raw != nil:
		return append(dst, n.raw...)
	case n.members != nil:
		return n.members.appendTo(dst)
	}
	open := len(dst)
	n.elements.root.all(func(element *node) { dst = element.appendTo(append(dst, ',')) })
	return enclose(dst, open, '[', ']')
}

// appendTo merges what was there with what was added.
func (m *memberSet) appendTo(dst []byte) []byte {
	open := len(dst)
	added := make([][]byte, 0, len(m.added))
	for key := range m.added {
		added = append(added, []byte(key))
	}
	slices.SortFunc(added, compareKeys)
	member := func(key []byte, n *node) {
		if n != nil {
			dst = n.appendTo(append(append(append(dst, ','), key...), ':'))
		}
	}
	for i, key := range m.keys {
		for len(added) > 0 && compareKeys(added[0], key) < 0 {
			member(added[0], m.added[string(added[0])])
			added = added[1:]
		}
		member(key, m.values[i])
	}
	for _, key := range added {
		member(key, m.added[string(key)])
	}
	return enclose(dst, open, '{', '}')
}

// enclose closes what was appended from open on, with a comma before each part: the first comma
// becomes the opening bracket.
func enclose(dst []byte, open int, first, last byte) []byte {
	if len(dst) == open {
		dst = append(dst, first)
	}
	dst[open] = first
	return append(dst, last)
}
