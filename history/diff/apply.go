package diff

import (
	"bytes"
	"errors"
	"fmt"
)

// An answer about the past is the newest body with all changes since reverted, and there may be
// thousands. So a body is opened once, edited by all changes, and written once; tree.go holds it
// meanwhile. Every change is checked against what it finds: a log that does not fit the body must
// be an error, and never an answer that looks right.

// ErrMismatch is in the errors of [Apply] and [Revert] when a body is not the one that the changes
// were made for.
var ErrMismatch = errors.New("the body does not match the change")

// Apply returns what the canonical body doc becomes by the changes, in canonical form. Each change
// is checked first: what it adds must be absent, what it removes or replaces must have the old
// value, what it moves must be there. The first one that does not fit is an error that wraps
// [ErrMismatch]; a change that makes no sense for any body is another error. Neither doc nor the
// changes are modified. The time it takes is linear in the size of doc and of the changes, but for
// the logarithm of the length of a list.
func Apply(doc []byte, changes []FieldChange) ([]byte, error) {
	e, err := newEditor(doc)
	for i := 0; i < len(changes) && err == nil; i++ {
		if err = e.do(changes[i]); err != nil {
			err = fmt.Errorf("change %d (%s %s): %w", i, changes[i].Op, changes[i].Path, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("diff: apply: %w", err)
	}
	return e.root.appendTo(make([]byte, 0, len(doc))), nil
}

// Revert is the inverse of [Apply]: it returns the canonical body from which the changes led to the
// canonical body doc. The changes of several steps, the oldest first, revert at once at about the
// price of one. Errors are those of Apply.
func Revert(doc []byte, changes []FieldChange) ([]byte, error) {
	e, err := newEditor(doc)
	for i := len(changes) - 1; i >= 0 && err == nil; i-- {
		if err = e.do(changes[i].inverse()); err != nil {
			err = fmt.Errorf("change %d (%s %s): %w", i, changes[i].Op, changes[i].Path, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("diff: revert: %w", err)
	}
	return e.root.appendTo(make([]byte, 0, len(doc))), nil
}

// inverse returns the change that undoes c.
func (c FieldChange) inverse() FieldChange {
	c.Old, c.New = c.New, c.Old
	switch c.Op {
	case OpAdd:
		c.Op = OpRemove
	case OpRemove:
		c.Op = OpAdd
	case OpMove:
		c.Path, c.From = c.From, c.Path
	}
	return c
}

// editor applies changes to a body.
type editor struct{ root *node }

// newEditor checks that doc is well-formed JSON. Whether it is canonical shows where it is opened.
func newEditor(doc []byte) (editor, error) {
	if err := checkForm(doc); err != nil {
		return editor{}, fmt.Errorf("%w: %w", errNotCanonical, err)
	}
	return editor{&node{raw: doc}}, nil
}

// do applies one change. To revert it is to apply its inverse.
func (e editor) do(c FieldChange) error {
	switch c.Op {
	case OpAdd:
		value, err := canonicalValue(c.New, "new")
		if err != nil {
			return err
		}
		return e.add(c.Path, &node{raw: value})
	case OpRemove:
		old, err := canonicalValue(c.Old, "old")
		if err == nil {
			_, err = e.take(c.Path, old)
		}
		return err
	case OpReplace:
		old, err := canonicalValue(c.Old, "old")
		if err != nil {
			return err
		}
		value, err := canonicalValue(c.New, "new")
		if err != nil {
			return err
		}
		return e.replace(c.Path, old, value)
	case OpMove:
		n, err := e.take(c.From, nil)
		if err != nil {
			return err
		}
		return e.add(c.Path, n)
	}
	return fmt.Errorf("unknown operation %q", c.Op)
}

// canonicalValue returns the value of a change in canonical form. It mostly is, but a caller may have
// passed the change through encoding/json, which writes < and > in strings as escapes. It applies no
// Rules: Diff compared bodies from which they had taken what does not count, so whatever a change
// holds does count, and a set in it is in order.
func canonicalValue(raw []byte, which string) ([]byte, error) {
	if raw == nil {
		return nil, fmt.Errorf("the change has no %s value", which)
	}
	return plain.Canonical(nil, raw)
}

// expect checks that n has the value with the canonical text, edits so far included.
func (n *node) expect(canonical []byte) error {
	text := n.raw
	if text == nil {
		text = n.appendTo(nil)
	}
	if !bytes.Equal(text, canonical) {
		return fmt.Errorf("%w: it has another value there", ErrMismatch)
	}
	return nil
}

// parent returns the node that holds what the pointer names, and the last token.
func (e editor) parent(pointer string) (*node, string, error) {
	tokens, err := splitPointer(pointer)
	if err != nil {
		return nil, "", err
	}
	if len(tokens) == 0 {
		return nil, "", errors.New("the whole body can only be replaced")
	}
	n := e.root
	last := len(tokens) - 1
	for _, token := range tokens[:last] {
		if n, err = n.existing(token); err != nil {
			return nil, "", err
		}
	}
	return n, tokens[last], nil
}

// existing returns the part that token names.
func (n *node) existing(token string) (*node, error) {
	child, err := n.child(token)
	if err == nil && child == nil {
		err = fmt.Errorf("%w: it has nothing at %q", ErrMismatch, token)
	}
	return child, err
}

// at returns the node that the pointer names.
func (e editor) at(pointer string) (*node, error) {
	if pointer == "" {
		return e.root, nil
	}
	n, token, err := e.parent(pointer)
	if err != nil {
		return nil, err
	}
	return n.existing(token)
}

// replace sets the node that the pointer names, which must have the value old.
func (e editor) replace(pointer string, old, value []byte) error {
	n, err := e.at(pointer)
	if err == nil {
		err = n.expect(old)
	}
	if err == nil {
		*n = node{raw: value}
	}
	return err
}

// add inserts a node; a member must be absent.
func (e editor) add(pointer string, child *node) error {
	n, token, err := e.parent(pointer)
	if err == nil {
		err = n.insert(token, child)
	}
	return err
}

// take removes a node, which must have the value old, unless that is nil, and returns it. It is nil
// for a move: the change does not repeat the value that moves, as a large element that changes its
// place would be in the log twice.
func (e editor) take(pointer string, old []byte) (*node, error) {
	n, token, err := e.parent(pointer)
	if err != nil {
		return nil, err
	}
	child, err := n.existing(token)
	if err == nil && old != nil {
		err = child.expect(old)
	}
	if err == nil {
		err = n.remove(token)
	}
	return child, err
}
