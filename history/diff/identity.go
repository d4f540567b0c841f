package diff

import "github.com/cxsync/cxsync/internal/jsonscan"

// Which element of the new array is that of the old one? Services mostly say so: elements have an id,
// a key or a name. An element without any of these is known by all that it is, so that a change
// inside makes it another one; see alignment.pair for what that means where order counts.

// identityKind is what an element of an array is known by, in the order in which it is looked for,
// which is the order of the names of the members too.
type identityKind uint8

const (
	byID identityKind = iota
	byKey
	byName
	byValue
)

// idName is the member that says which object a reference means.
const idName = "id"

// String returns the name of the member that identifies an element, "" for byValue.
func (k identityKind) String() string {
	return [...]string{idName, "key", "name", ""}[k]
}

// identity is what an element is known by: the raw value of that member, as a span of the element.
type identity struct {
	kind       identityKind
	start, end int
}

func (x identity) text(element []byte) []byte { return element[x.start:x.end] }

// same reports whether two elements are known by the same thing.
func (x identity) same(a []byte, y identity, b []byte) bool {
	return x.kind == y.kind && string(x.text(a)) == string(y.text(b))
}

// identify returns the identity of the canonical element. It is byValue for anything but an object,
// and for an object without a usable id, key or name. Malformed text, which others report, is too.
func identify(element []byte) identity {
	best := identity{byValue, 0, len(element)}
	if element[0] != '{' {
		return best
	}
	// The members are sorted, and so are the kinds (id, key, name): the first hit is the best.
	for i := 1; i < len(element) && element[i] == '"'; i++ {
		end, _ := jsonscan.ScanString(element, i)
		if end < 0 {
			return best
		}
		key := element[i:end]
		start := end + 1
		end = jsonscan.ScanValue(element, start, 0)
		if end < 0 {
			return best
		}
		for kind := range byValue {
			if len(key) == len(kind.String())+2 && string(key[1:len(key)-1]) == kind.String() && identifies(element[start:end]) {
				return identity{kind, start, end}
			}
		}
		i = end
	}
	return best
}

// identifies reports whether the raw value can tell elements apart: a string that is not empty, or
// a number.
func identifies(raw []byte) bool {
	return raw[0] == '"' && len(raw) > 2 || raw[0] == '-' || raw[0]-'0' <= 9
}
