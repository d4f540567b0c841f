package diff

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/printable"
)

// Op is what happened to one field.
type Op string

// The operations of a [FieldChange].
const (
	OpAdd     Op = "add"     // The field came: New is its value.
	OpRemove  Op = "remove"  // The field went: Old was its value.
	OpReplace Op = "replace" // The field had the value Old and has the value New.
	OpMove    Op = "move"    // An element of an ordered list went from From to Path, with the value it had.
)

// FieldChange is one step from a body to its successor: an RFC 6902 operation with what it takes to
// undo it. The steps of a change apply in order, each to what the one before it has left: an index
// in a path counts at that moment.
//
// JSON null is a value like others: a field that turns null is replaced, not removed.
type FieldChange struct {
	// Path is the RFC 6901 pointer of the field, "" for the whole body. In a set an index is that in the
	// canonical form, where elements stand in order.
	Path string `json:"path"`
	Op   Op     `json:"op"`
	// From is the pointer where an element that moves was; empty for the other operations.
	From string `json:"from,omitempty"`
	// Old is the value before, in canonical form: of what is removed or replaced.
	Old json.RawMessage `json:"old,omitempty"`
	// New is the value after, in canonical form: of what is added or replaced.
	New json.RawMessage `json:"new,omitempty"`
	// Label is Path for people: a list element is named by what identifies it, as in
	// /members[id=3f2]/ringNumber. Empty if it would equal Path. It is for reading, and is not
	// parsed.
	Label string `json:"label,omitempty"`
	// Names says by id what the objects are called that Old and New refer to, as the bodies had it in the members that
	// are borrowed: see [Comparer.Name]. There are 20 at most. It is for reading.
	Names map[string]string `json:"names,omitempty"`
}

// String returns the change as one line for people: "+", "-", "~" or ">" for the operation, the
// Label, and the values, of which long ones are cut, with the Names of what they refer to. Characters
// that a terminal might act on are escaped.
func (c FieldChange) String() string {
	where := printable.Text(cmp.Or(c.Label, c.Path, "the whole body"))
	switch c.Op {
	case OpAdd:
		return fmt.Sprintf("+ %s: %s", where, c.brief(c.New))
	case OpRemove:
		return fmt.Sprintf("- %s: %s", where, c.brief(c.Old))
	case OpMove:
		return fmt.Sprintf("> %s: moved from %s to %s", where, printable.Text(path.Base(c.From)), printable.Text(path.Base(c.Path)))
	}
	return fmt.Sprintf("~ %s: %s -> %s", where, c.brief(c.Old), c.brief(c.New))
}

// maxBrief is how many bytes of a value are shown.
const maxBrief = 200

// brief returns a value for people, followed by the names of what it refers to.
func (c FieldChange) brief(value []byte) string {
	text := printable.Brief(string(value), maxBrief)
	if len(value) > maxBrief {
		text += fmt.Sprintf(" (%d bytes)", len(value))
	}
	if names := c.NamesIn(value); len(names) > 0 {
		text += " (" + printable.Brief(strings.Join(names, ", "), maxBrief) + ")"
	}
	return text
}

// NamesIn returns the Names of the ids that stand in a value, in their order in it.
func (c FieldChange) NamesIn(value []byte) []string {
	at := map[int]string{}
	for id, name := range c.Names {
		if i := bytes.Index(value, quoted([]byte(id))); i >= 0 {
			at[i] = name
		} else if string(value) == id {
			at[0] = name
		}
	}
	var names []string
	for _, i := range slices.Sorted(maps.Keys(at)) {
		names = append(names, at[i])
	}
	return names
}
