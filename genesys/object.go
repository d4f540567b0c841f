package genesys

import (
	"encoding/json"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// An Object is one configuration object as a list or a GET showed it.
type Object struct {
	Type string // name of its ObjectType

	// ID is unique within the type. Below a parent it begins with the
	// parent's ID; see JoinID. A singleton has its parent's ID or, at the top,
	// the type's name, followed by what told it from its siblings, if any.
	ID string

	Name   string // for people: the Title fields, or the type's label for a singleton without
	Parent string // ID of the parent; "" at the top

	// Body is the object's JSON byte for byte as Genesys Cloud sent it, less its secrets and the
	// queries of signed URLs; a value that is on its way to another one is the one it settles at
	// (see UncomparedField). It is the caller's to keep, but shares its memory with the other
	// objects of its page: clone it to keep one of many for long.
	Body json.RawMessage

	// Masked is how many secrets SecretMark stands for in Body: they are not compared.
	Masked int

	Marker  string // markerOf the body; "" for a type with a parent
	Deleted bool   // the body is a tombstone: it says "state": "deleted" or "deleted": true

	// Recognized says that Body is one of which a Recognize knew: nothing else but Type, ID and
	// Parent is set, because nobody went over it.
	Recognized bool
}

// Labels names how ID, Name and Marker of an Object of the type are made of a body. While it stays, the
// same bytes make the same Object.
func (t ObjectType) Labels() string {
	label := ""
	if t.Paging == PagingSingleton {
		label = t.Label
	}
	return strings.Join([]string{labelForm, strings.Join(t.ID, " "), t.Title, label, strings.Join(t.Marker, " ")}, "\n")
}

// labelForm is a part of every Labels. Increase it whenever objectReader makes something else of a body.
const labelForm = "1"

// A Recognize says how many bytes at the beginning of text are an Object's Body as an earlier walk
// gave it by the same Labels and Reads of the type, of the object with that ID; 0 if they are anything
// else. The rest of text is what follows in the list.
type Recognize func(id string, text []byte) int

var (
	escapeID   = strings.NewReplacer("%", "%25", "/", "%2F")
	unescapeID = strings.NewReplacer("%25", "%", "%2F", "/")
)

// JoinID makes the ID of an object out of its parts: they are joined by "/",
// after "%" and "/" inside a part became "%25" and "%2F".
func JoinID(parts ...string) string {
	if len(parts) == 1 {
		return escapeID.Replace(parts[0])
	}
	escaped := make([]string, len(parts))
	for i, part := range parts {
		escaped[i] = escapeID.Replace(part)
	}
	return strings.Join(escaped, "/")
}

// SplitID returns the parts that JoinID was given.
func SplitID(id string) []string {
	parts := strings.Split(id, "/")
	for i, part := range parts {
		parts[i] = unescapeID.Replace(part)
	}
	return parts
}

// markerOf returns what the fields of t.Marker hold in a body: an object whose
// marker is the same as before has not been edited. It is "" when none of the
// fields is there, or the type has no marker, which says nothing.
func markerOf(t ObjectType, body []byte) string {
	if len(t.Marker) == 0 {
		return ""
	}
	var b strings.Builder
	found := false
	for i, field := range t.Marker {
		if i > 0 {
			b.WriteByte(' ')
		}
		if raw, ok := lookup(body, field); ok && string(raw) != "null" {
			b.Write(raw)
			found = true
		}
	}
	if !found {
		return ""
	}
	return b.String()
}

// lookup finds a value by the names of its members, joined by dots.
func lookup(doc []byte, path string) (raw []byte, ok bool) {
	if path == "." {
		return jsonscan.Lookup(doc)
	}
	raw = doc
	for more := true; more; {
		var name string
		name, path, more = strings.Cut(path, ".")
		if raw, ok = jsonscan.Lookup(raw, name); !ok {
			return nil, false
		}
	}
	return raw, true
}

// text returns what a scalar says: a string's content, a number or boolean as
// it is written; "" for null, objects and arrays.
func text(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		s, _ := jsonscan.String(raw)
		return s
	case '{', '[', 'n':
		return ""
	}
	return string(raw)
}

// lookupText is lookup for what a scalar says.
func lookupText(doc []byte, path string) string {
	raw, _ := lookup(doc, path)
	return text(raw)
}
