package diff

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Both bodies are walked at once, and equal parts are passed over as bytes. Members merge, as they
// are sorted; arrays are aligned first, see align.go. Each difference is emitted as a change right
// away.
//
// The invariant is that Apply leads to exactly the new body. The bound is that the changes stay
// within what the log can hold, whatever the bodies are: two bodies whose every number differs
// would otherwise give changes that are many times as large as both. So each open container has a
// limit on what the changes inside of it may take. Where they exceed it, the walk goes back to the
// start of that container (errTooLarge), drops what was emitted since, and emits its replacement,
// whose size is that of the two values.

// Diff returns the field changes that lead from the body old to the body new, both in canonical form:
// [Apply] of them to old gives exactly new. Equal bodies give none.
//
// It looks for few and small changes that a person can read. Elements of an array are matched by id,
// key or name, as in [Rules], else by value; a matched element that differs is changed inside, one at
// another place moves. In a set nothing but a changed identity makes an element come or go. Canonical
// forms of other Comparers are fine too; another form is an error where it is met.
//
// As JSON the changes take 64 KiB at most, or little more than both bodies together. Where the
// changes inside of an object or an array would take more than that and more than its two values,
// it is replaced as a whole. So it is where no pointer can say what changed: below 100 levels, or
// below a name that is not UTF-8.
func (c *Comparer) Diff(old, new []byte) ([]FieldChange, error) {
	return c.diff(old, new, fewBytes)
}

// diff is Diff with another bound than 64 KiB, for tests.
func (c *Comparer) diff(old, new []byte, few int) ([]FieldChange, error) {
	d := differ{few: few, limit: math.MaxInt}
	if err := d.body(old, new, c.rules); err != nil {
		return nil, fmt.Errorf("diff: %w: %w", errNotCanonical, err)
	}
	return d.changes, nil
}

// Bounds of the changes between two bodies, whatever these hold: how large changes are that are never
// put together, and how deep a path leads. The depth bounds the time too, because each level that is
// walked scans all that is below it once more.
const (
	fewBytes = 64 << 10
	maxDepth = 100
)

var (
	errNotCanonical = errors.New("the body is not in canonical form, which Comparer.Canonical returns")
	errUnsorted     = errors.New("its members are not sorted")
	errSurrounded   = errors.New("there is more than one value without space around it")
)

// checkForm checks that body is one value and nothing else. Whether its members are sorted shows when
// they are read.
func checkForm(body []byte) error {
	end, err := jsonscan.Skip(body, 0)
	if err == nil && (end != len(body) || body[0] <= ' ') {
		err = errSurrounded
	}
	return err
}

// What ends the walk of a value whose changes are then one replacement, of it or of a value around
// it.
var (
	errTooLarge = errors.New("the changes are larger than what changed")
	errUnnamed  = errors.New("no pointer leads to what changed")
)

// differ collects changes while it walks two bodies. Path and label grow and shrink with the walk,
// as a pointer and as what people read.
type differ struct {
	path, label []byte // of the value at hand
	changes     []FieldChange
	size        int // of the changes as JSON, at most
	limit       int // of size: the lowest of those of the containers that are open
	few         int // up to this size changes are left as they are
	depth       int // containers that are open
}

// emit records a change of the value at hand. The error is errTooLarge if a value around it is to
// be replaced instead.
func (d *differ) emit(change FieldChange) error {
	change.Path = string(d.path)
	if !bytes.Equal(d.path, d.label) {
		change.Label = string(d.label)
	}
	d.changes = append(d.changes, change)
	d.size += d.cost(len(change.Old)+len(change.New)) + textSize([]byte(change.From))
	if d.size > d.limit {
		return errTooLarge
	}
	return nil
}

// replace, removed and added emit a change of the value at hand. They copy the values, which alias
// the bodies of the caller.
func (d *differ) replace(old, new []byte) error {
	return d.emit(FieldChange{Op: OpReplace, Old: bytes.Clone(old), New: bytes.Clone(new)})
}

func (d *differ) removed(old []byte) error {
	return d.emit(FieldChange{Op: OpRemove, Old: bytes.Clone(old)})
}

func (d *differ) added(new []byte) error {
	return d.emit(FieldChange{Op: OpAdd, New: bytes.Clone(new)})
}

// cost returns the size as JSON, at most, of a change of the value at hand with values of so many
// bytes.
func (d *differ) cost(values int) int {
	const overhead = len(`{"path":"","op":"replace","from":"","old":,"new":,"label":""},`)
	size := overhead + textSize(d.path) + values
	if !bytes.Equal(d.path, d.label) {
		size += textSize(d.label)
	}
	return size
}

// textSize returns how many bytes encoding/json takes for a text, at most.
func textSize(text []byte) int {
	n := len(text)
	for _, c := range text {
		switch {
		case c < ' ':
			n += 5
		case c == '"' || c == '\\':
			n++
		case c == 0xE2: // U+2028 and U+2029 are written as escapes.
			n += 3
		}
	}
	return n
}

// mark is a place in a body, to return to: the lengths of its path and label.
type mark struct{ path, label int }

func (d *differ) here() mark      { return mark{len(d.path), len(d.label)} }
func (d *differ) leave(back mark) { d.path, d.label = d.path[:back.path], d.label[:back.label] }

// enterMember goes to the member with the raw key and returns its name.
func (d *differ) enterMember(key []byte) []byte {
	name := key[1 : len(key)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = appendName(nil, key)
	}
	d.path, d.label = appendToken(d.path, name), appendToken(d.label, name)
	return name
}

// enterElement goes to the element at index. Its label names it by its identity where it has one, as
// an index tells people little.
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

// body compares whole bodies. Two objects are checked while they are walked; anything else is checked
// before, because the walk may end early.
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

// operand is a value that is compared, and, if it is an array, perhaps its elements: those that the
// walk over the object around it has split already.
type operand struct {
	raw   []byte
	parts [][]byte
}

// value compares two values under the rule r.
func (d *differ) value(old, new []byte, r *rule) error {
	if bytes.Equal(old, new) {
		return nil
	}
	return d.differing(operand{raw: old}, operand{raw: new}, r, false)
}

// differing compares values that are not equal. It gives up on the changes inside of two containers
// and replaces the whole if they are too large, or if no pointer can name one of them. But
// errTooLarge may also be meant for a container around this one, whose limit was reached first:
// what is here is then small enough for itself, and the error goes on to where it belongs.
func (d *differ) differing(old, new operand, r *rule, set bool) error {
	open := old.raw[0]
	if open != new.raw[0] || open != '{' && open != '[' || d.depth == maxDepth {
		return d.replace(old.raw, new.raw)
	}
	back, count, size, outer := d.here(), len(d.changes), d.size, d.limit
	most := max(d.few, d.cost(len(old.raw)+len(new.raw)))
	d.limit = min(outer, size+most)
	d.depth++
	var err error
	if open == '{' {
		err = d.object(old.raw, new.raw, r)
	} else {
		err = d.array(old, new, r, set)
	}
	d.depth--
	d.limit = outer
	switch {
	case err == nil, errors.Is(err, errTooLarge) && d.size-size <= most:
		return err
	case !errors.Is(err, errTooLarge) && !errors.Is(err, errUnnamed):
		return err
	}
	d.leave(back)
	clear(d.changes[count:])
	d.changes, d.size = d.changes[:count], size
	return d.replace(old.raw, new.raw)
}

// object merges the members, which are sorted: at each step the lower of two keys comes next, or both
// if they are equal.
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
		if err := d.member(&a, &b, order, r); err != nil {
			return err
		}
		if order <= 0 {
			moreA, errA = nextSorted(&a, nil)
		}
		if order >= 0 {
			moreB, errB = nextSorted(&b, &a)
		}
	}
	return cmp.Or(errA, errB)
}

// member compares one member: that of a if it is missing in b (order below 0), that of b (above 0),
// or that of both. Arrays of both are split already.
func (d *differ) member(a, b *jsonscan.Iter, order int, r *rule) error {
	key := a.Key()
	if order > 0 {
		key = b.Key()
	}
	if order == 0 && bytes.Equal(a.Value(), b.Value()) {
		return nil
	}
	if isOdd(key) {
		return errUnnamed
	}
	back := d.here()
	name := d.enterMember(key)
	var err error
	switch {
	case order < 0:
		err = d.removed(a.Value())
	case order > 0:
		err = d.added(b.Value())
	default:
		r = r.member(name)
		err = d.differing(operand{a.Value(), a.Parts()}, operand{b.Value(), b.Parts()}, r, r != nil && r.set)
	}
	d.leave(back)
	return err
}

// nextSorted goes to the next member, whose key must be above that of the last one: this is where a
// body that is not canonical is found out. Its value may be that of like.
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
