package history

import "encoding/json"

// Op is what happened to one field.
type Op string

// The operations of a [FieldChange].
const (
	OpAdd     Op = "add"     // The field came: New is its value.
	OpRemove  Op = "remove"  // The field went: Old was its value.
	OpReplace Op = "replace" // The field had the value Old and has the value New.
	OpMove    Op = "move"    // An element of an ordered list went from From to Path, with the value it had.
)

// FieldChange is one step from a body to its successor: an RFC 6902 operation with what it takes to undo it. The steps
// of a change apply in order, each to what the one before it has left: an index in a path counts at that moment.
//
// JSON null is a value like others: a field that turns null is replaced, not removed.
type FieldChange struct {
	// Path is the RFC 6901 pointer of the field, "" for the whole body.
	Path string `json:"path"`
	Op   Op     `json:"op"`
	// From is the pointer where an element that moves was; empty for the other operations.
	From string `json:"from,omitempty"`
	// Old is the value before, in canonical form: of what is removed or replaced.
	Old json.RawMessage `json:"old,omitempty"`
	// New is the value after, in canonical form: of what is added or replaced.
	New json.RawMessage `json:"new,omitempty"`
	// Label is Path for people: a list element is named by what identifies it, as in /members[id=3f2]/ringNumber. Empty
	// if it would equal Path. It is for reading, and is not parsed.
	Label string `json:"label,omitempty"`
}
