package diff

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strconv"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Diff returns the field changes that lead from the body old to the body new, both in canonical form: [Apply] of them to
// old gives exactly new. Equal bodies give none.
//
// It looks for few and small changes that a person can read. Elements of an array are matched by id, key or name, as in
// [Rules], else by value; a matched element that differs is changed inside, one at another place moves. In a set nothing
// but a changed identity makes an element come or go. Canonical forms of other Comparers are fine too; another form is an
// error where it is met.
func (c *Comparer) Diff(old, new []byte) ([]FieldChange, error) {
	d := differ{}
	if err := d.body(old, new, c.rules); err != nil {
		return nil, fmt.Errorf("diff: diff: %w: %w", errNotCanonical, err)
	}
	return d.changes, nil
}

var (
	errNotCanonical = errors.New("the body is not in canonical form")
	errUnsorted     = errors.New("its members are not sorted")
	errSurrounded   = errors.New("there is more than one value without space around it")
)

// checkForm checks that body is one value and nothing else. Whether its members are sorted shows when they are read.
func checkForm(body []byte) error {
	end, err := jsonscan.Skip(body, 0)
	if err == nil && (end != len(body) || body[0] <= ' ') {
		err = errSurrounded
	}
	return err
}

// differ collects changes while it walks two bodies.
type differ struct {
	path, label []byte // Of the value at hand.
	changes     []FieldChange
}

func (d *differ) emit(op Op, old, new []byte) {
	change := FieldChange{Path: string(d.path), Op: op, Old: bytes.Clone(old), New: bytes.Clone(new)}
	if !bytes.Equal(d.path, d.label) {
		change.Label = string(d.label)
	}
	d.changes = append(d.changes, change)
}

// mark is a place in a body, to return to.
type mark struct{ path, label int }

func (d *differ) here() mark      { return mark{len(d.path), len(d.label)} }
func (d *differ) leave(back mark) { d.path, d.label = d.path[:back.path], d.label[:back.label] }

// enterMember goes to the member with the raw key and returns its name.
func (d *differ) enterMember(key []byte) []byte {
	name := key[1 : len(key)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = jsonscan.AppendString(nil, key)
	}
	d.path, d.label = appendToken(d.path, name), appendToken(d.label, name)
	return name
}

// enterElement goes to the element at index.
func (d *differ) enterElement(index int, e *element) {
	d.path = strconv.AppendInt(append(d.path, '/'), int64(index), 10)
	if e.kind == byValue {
		d.label = strconv.AppendInt(append(d.label, '/'), int64(index), 10)
		return
	}
	text := e.text(e.raw)
	if text[0] == '"' {
		text = jsonscan.AppendString(nil, text)
	}
	d.label = append(append(append(append(d.label, '['), e.kind.String()...), '='), text...)
	d.label = append(d.label, ']')
}

// body compares whole bodies. Those of two objects are checked on the way.
func (d *differ) body(old, new []byte, r *rule) error {
	if bounds(old) != "{}" || bounds(new) != "{}" {
		if err := cmp.Or(checkForm(old), checkForm(new)); err != nil {
			return err
		}
	}
	return d.value(old, new, r)
}

// bounds returns the first and the last byte of body.
func bounds(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	return string([]byte{body[0], body[len(body)-1]})
}

func (d *differ) value(old, new []byte, r *rule) error {
	switch {
	case bytes.Equal(old, new):
		return nil
	case old[0] == '{' && new[0] == '{':
		return d.object(old, new, r)
	case old[0] == '[' && new[0] == '[':
		a, err := jsonscan.Split(old, nil)
		if err != nil {
			return err
		}
		b, err := jsonscan.Split(new, a)
		if err != nil {
			return err
		}
		return d.array(a, b, r, false)
	}
	d.emit(OpReplace, old, new)
	return nil
}

// object merges the members, which are sorted.
func (d *differ) object(old, new []byte, r *rule) error {
	a, b := jsonscan.Members(old), jsonscan.Members(new)
	moreA, errA := nextSorted(&a, nil)
	moreB, errB := nextSorted(&b, &a)
	for (moreA || moreB) && errA == nil && errB == nil {
		order := -1
		if !moreA {
			order = 1
		} else if moreB {
			order = compareKeys(a.Key(), b.Key())
		}
		back := d.here()
		switch {
		case order < 0:
			d.enterMember(a.Key())
			d.emit(OpRemove, a.Value(), nil)
		case order > 0:
			d.enterMember(b.Key())
			d.emit(OpAdd, nil, b.Value())
		case !bytes.Equal(a.Value(), b.Value()):
			if err := d.member(&a, &b, r.member(d.enterMember(a.Key()))); err != nil {
				return err
			}
		}
		d.leave(back)
		if order <= 0 {
			moreA, errA = nextSorted(&a, nil)
		}
		if order >= 0 {
			moreB, errB = nextSorted(&b, &a)
		}
	}
	return cmp.Or(errA, errB)
}

// member compares the values of a member, of which arrays are split already.
func (d *differ) member(a, b *jsonscan.Iter, r *rule) error {
	if a.Value()[0] == '[' && b.Value()[0] == '[' {
		return d.array(a.Parts(), b.Parts(), r, r != nil && r.set)
	}
	return d.value(a.Value(), b.Value(), r)
}

// nextSorted goes to the next member, whose key must be above that of the last one. Its value may be that of like.
func nextSorted(it, like *jsonscan.Iter) (bool, error) {
	last := it.Key()
	if !it.NextLike(like) {
		return false, it.Err()
	}
	if last != nil && compareKeys(last, it.Key()) >= 0 {
		return false, errUnsorted
	}
	return true, nil
}
