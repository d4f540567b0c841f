package history

import (
	"bytes"
	"strings"
)

// A Model says what the bodies of one type mean beyond their text: what the questions about
// references, comparisons and exports need to know. Package environment makes it from the
// catalogue; a type without one has the zero Model.
type Model struct {
	// Parent is the type that the objects are listed under, if there is one.
	Parent string

	// NaturalKey lists the fields, as dotted paths, that name an object alike in every org. With the
	// key of its parent they are its natural key. Defaults to the object's name.
	NaturalKey []string

	// Singleton says that there is one such object for each parent, or in the whole org: the natural
	// key is then that of the parent.
	Singleton bool

	// PerOrg lists paths, as in diff.Rules, that differ from org to org by nature, such as the
	// identities of parts. Compare leaves them out.
	PerOrg []string

	// Provenance lists paths that say who made or changed an object. An id there is no reference.
	Provenance []string

	// Identity says which objects the bodies are of that were recorded while ids were made in another
	// way. Defaults to nil: they never were.
	Identity *Identity

	// Secrets lists paths that are never stored because they hold secrets.
	Secrets []string

	// References lists the fields that hold ids which are no UUIDs, such as "en-us", and the type
	// that these are of. UUIDs need no entry.
	References []TypedReference

	// AuditService keeps the audits that tell of the objects, such as "ContactCenter"; see Evidence.
	// Defaults to none: nothing tells who makes their changes.
	AuditService string
}

// A TypedReference is a field that holds the id of an object of one type.
type TypedReference struct {
	Path string // dotted; arrays are passed through
	Type string
}

// A Ref names an object.
type Ref struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// lastPart returns what an id says beyond that of its parent.
func lastPart(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

const uuidSize = 36

// uuids calls f with the start of each UUID in text that is no part of a longer word. It stops when
// f returns false.
func uuids(text []byte, f func(start int) bool) {
	for i := 0; i+uuidSize <= len(text); {
		start, next := uuidAt(text, i)
		if start >= 0 && !f(start) {
			return
		}
		i = next
	}
}

// uuidAt looks for a UUID that starts at i or soon behind, by the hyphen that stands 8 bytes in. It
// returns where the UUID starts, or -1, and where to go on.
func uuidAt(text []byte, i int) (start, next int) {
	hyphen := bytes.IndexByte(text[i+8:], '-')
	if hyphen < 0 {
		return -1, len(text)
	}
	start = i + hyphen
	if isUUID(text[start:]) && (start == 0 || !isWord(text[start-1])) &&
		(start+uuidSize == len(text) || !isWord(text[start+uuidSize])) {
		return start, start + uuidSize
	}
	return -1, start + 1
}

// isUUID reports whether text starts with 8-4-4-4-12 hexadecimal digits.
func isUUID(text []byte) bool {
	if len(text) < uuidSize {
		return false
	}
	for i, c := range text[:uuidSize] {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if c-'0' > 9 && c|0x20-'a' > 5 {
				return false
			}
		}
	}
	return true
}

func isWord(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 25 }
