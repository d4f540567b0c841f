package diff

import "bytes"

// element is an element of an array that is compared.
type element struct {
	identity
	raw []byte
}

// trim cuts off the elements that are equal at both ends and returns how many there were at the start.
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

// array compares the elements of two arrays.
func (d *differ) array(old, new [][]byte, r *rule, set bool) error {
	old, new, first := trim(old, new)
	a, b := identifyAll(old), identifyAll(new)
	m := align(a, b, set)
	d.remove(m, first)
	d.place(m, first)
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

// elementValue compares matched elements. Elements that nothing but their place has matched are replaced if that is
// shorter than what has changed inside.
func (d *differ) elementValue(a, b *element, r *rule) error {
	before := len(d.changes)
	if err := d.value(a.raw, b.raw, r); err != nil {
		return err
	}
	if a.kind != byValue {
		return nil
	}
	const overhead = len(`{"path":"","op":"replace","old":,"new":},`)
	size := 0
	for _, c := range d.changes[before:] {
		size += overhead + len(c.Path) + len(c.Label) + len(c.Old) + len(c.New)
	}
	if size > overhead+len(d.path)+len(a.raw)+len(b.raw) {
		d.changes = d.changes[:before]
		d.emit(OpReplace, a.raw, b.raw)
	}
	return nil
}

// remove emits the removals, from the end, so that the indexes before are not touched.
func (d *differ) remove(m *alignment, first int) {
	for i := len(m.old) - 1; i >= 0; i-- {
		if m.target[i] >= 0 {
			continue
		}
		back := d.here()
		d.enterElement(first+i, &m.old[i])
		d.emit(OpRemove, m.old[i].raw, nil)
		d.leave(back)
	}
}

// place emits the additions and the moves in the order of the new elements, each to right behind its predecessor.
//
// Meanwhile the array holds the new elements so far, those that stay, and those that are yet to move. The latter are
// before the next one that stays, and behind what has been placed there.
func (d *differ) place(m *alignment, first int) {
	waiting := newWaiting(m)
	passed := 0 // How many old elements are up to the last one that stays.
	for j := range m.new {
		i := m.source[j]
		if i >= 0 && m.anchor[j] {
			passed = i + 1
			continue
		}
		back := d.here()
		if i < 0 {
			d.enterElement(first+j+waiting.before(passed), &m.new[j])
			d.emit(OpAdd, nil, m.new[j].raw)
			d.leave(back)
			continue
		}
		d.enterElement(first+waiting.index(i, j), &m.new[j])
		from := string(d.path)
		d.leave(back)
		waiting.remove(i)
		d.enterElement(first+j+waiting.before(passed), &m.new[j])
		if from != string(d.path) {
			d.emit(OpMove, nil, nil)
			d.changes[len(d.changes)-1].From = from
		}
		d.leave(back)
	}
}
