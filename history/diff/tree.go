package diff

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// node is a value of a canonical body that is being edited. It is its raw text until something below it is asked for.
type node struct {
	raw      []byte // Nil once it is open.
	object   bool
	keys     [][]byte // Of an open object: the raw keys, sorted.
	children []*node
}

// open makes the parts of n accessible. The raw text is known to be well-formed.
func (n *node) open() error {
	if n.raw == nil {
		return nil
	}
	var it jsonscan.Iter
	switch n.raw[0] {
	case '{':
		n.object = true
		it = jsonscan.Members(n.raw)
	case '[':
		it = jsonscan.Elements(n.raw)
	default:
		return fmt.Errorf("%w: a value has no parts", ErrMismatch)
	}
	var keys [][]byte
	var children []*node
	for it.Next() {
		if n.object {
			if len(keys) > 0 && compareKeys(keys[len(keys)-1], it.Key()) >= 0 {
				return fmt.Errorf("%w: %w", errNotCanonical, errUnsorted)
			}
			keys = append(keys, it.Key())
		}
		children = append(children, &node{raw: it.Value()})
	}
	if err := it.Err(); err != nil {
		return err
	}
	n.raw, n.keys, n.children = nil, keys, children
	return nil
}

// find returns where the part that token names is in n, or, if there is none, where it would be inserted.
func (n *node) find(token string) (i int, found bool, err error) {
	if err := n.open(); err != nil {
		return 0, false, err
	}
	if n.object {
		i, found = slices.BinarySearchFunc(n.keys, appendQuoted(nil, []byte(token)), compareKeys)
		return i, found, nil
	}
	i, err = strconv.Atoi(token)
	if err != nil || i < 0 || strconv.Itoa(i) != token {
		return 0, false, fmt.Errorf("%q is not an index", token)
	}
	if i > len(n.children) {
		return 0, false, fmt.Errorf("%w: index %d of %d elements", ErrMismatch, i, len(n.children))
	}
	return i, i < len(n.children), nil
}

// insert adds a part that is not there at the place that find returned.
func (n *node) insert(i int, token string, child *node) {
	if n.object {
		n.keys = slices.Insert(n.keys, i, appendQuoted(nil, []byte(token)))
	}
	n.children = slices.Insert(n.children, i, child)
}

func (n *node) remove(i int) {
	if n.object {
		n.keys = slices.Delete(n.keys, i, i+1)
	}
	n.children = slices.Delete(n.children, i, i+1)
}

// appendTo appends the text of n.
func (n *node) appendTo(dst []byte) []byte {
	if n.raw != nil {
		return append(dst, n.raw...)
	}
	brackets := "[]"
	if n.object {
		brackets = "{}"
	}
	dst = append(dst, brackets[0])
	for i, child := range n.children {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.object {
			dst = append(append(dst, n.keys[i]...), ':')
		}
		dst = child.appendTo(dst)
	}
	return append(dst, brackets[1])
}
