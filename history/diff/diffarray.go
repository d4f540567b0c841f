package diff

import (
	"bytes"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// An array is changed in three steps, in this order: what has no match among the new elements is
// removed, what came or stands elsewhere is placed from the start to the end, and what matched and
// differs is changed inside, at its new place. Each index is the one at that moment, as JSON Patch
// wants it.

// element is an element of an array that is compared.
type element struct {
	identity
	raw []byte
}

// trim cuts off the elements that are equal at both ends and returns how many there were at the
// start. Mostly hardly anything is left. It never changes the result for the worse: equal elements
// in the same order match anyway.
func trim(old, new [][]byte) (a, b [][]byte, prefix int) {
	for len(old) > 0 && len(new) > 0 && bytes.Equal(old[0], new[0]) {
		old, new, prefix = old[1:], new[1:], prefix+1
	}
	for len(old) > 0 && len(new) > 0 && bytes.Equal(old[len(old)-1], new[len(new)-1]) {
		old, new = old[:len(old)-1], new[:len(new)-1]
	}
	return old, new, prefix
}

// identifyAll returns the elements with their identities.
func identifyAll(raw [][]byte) []element {
	list := make([]element, len(raw))
	for i, text := range raw {
		list[i] = element{identify(text), text}
	}
	return list
}

// array compares the elements of two arrays, which stand under the rule r of the array. In a set
// elements come in the order of their identities, so nothing moves.
func (d *differ) array(old, new operand, r *rule, set bool) error {
	if err := old.split(nil); err != nil {
		return err
	}
	if err := new.split(old.parts); err != nil {
		return err
	}
	before, after, first := trim(old.parts, new.parts)
	a, b := identifyAll(before), identifyAll(after)
	m := align(a, b, set)
	if err := d.remove(m, first); err != nil {
		return err
	}
	if err := d.place(m, first); err != nil {
		return err
	}
	for j := range b {
		i := m.source[j]
		if i < 0 || bytes.Equal(a[i].raw, b[j].raw) {
			continue
		}
		back := d.here()
		d.enterElement(first+j, &b[j])
		if err := d.elementValue(&a[i], &b[j], r); err != nil {
			return err
		}
		d.leave(back)
	}
	return nil
}

// split finds the elements unless it has them. Some of them may be those of like.
func (o *operand) split(like [][]byte) (err error) {
	if len(o.parts) == 0 {
		o.parts, err = jsonscan.Split(o.raw, like)
	}
	return err
}

// elementValue compares matched elements. Elements that nothing but their place has matched are
// replaced if that is shorter than what has changed inside: they may be different things.
func (d *differ) elementValue(a, b *element, r *rule) error {
	count, size := len(d.changes), d.size
	if err := d.value(a.raw, b.raw, r); err != nil {
		return err
	}
	if a.kind == byValue && d.size-size > d.cost(len(a.raw)+len(b.raw)) {
		d.changes, d.size = d.changes[:count], size
		return d.replace(a.raw, b.raw)
	}
	return nil
}

// remove records the removals, from the end, so that the indexes before are not touched.
func (d *differ) remove(m *alignment, first int) error {
	for i := len(m.old) - 1; i >= 0; i-- {
		if m.target[i] >= 0 {
			continue
		}
		back := d.here()
		d.enterElement(first+i, &m.old[i])
		if err := d.removed(m.old[i].raw); err != nil {
			return err
		}
		d.leave(back)
	}
	return nil
}

// place records the additions and the moves in the order of the new elements, each to right behind
// its predecessor.
//
// Meanwhile the array holds the new elements so far, those that stay, and those that are yet to
// move. The latter are before the next one that stays, and behind what has been placed there. So
// the index of anything is a count of new elements plus a count of those that wait, which waiting
// answers in logarithmic time: an array of 10,000 elements in reverse order must not cost 100
// million steps.
func (d *differ) place(m *alignment, first int) error {
	waiting := newWaiting(m)
	passed := 0 // how many old elements are up to the last one that stays
	for j := range m.new {
		i := m.source[j]
		if i >= 0 && m.anchor[j] {
			passed = i + 1
			continue
		}
		back := d.here()
		from := ""
		if i >= 0 {
			d.enterElement(first+waiting.index(i, j), &m.new[j])
			from = string(d.path)
			d.leave(back)
			waiting.remove(i)
		}
		d.enterElement(first+j+waiting.before(passed), &m.new[j])
		var err error
		if i < 0 {
			err = d.added(m.new[j].raw)
		} else if from != string(d.path) {
			err = d.emit(FieldChange{Op: OpMove, From: from})
		}
		if err != nil {
			return err
		}
		d.leave(back)
	}
	return nil
}
