package diff

import (
	"strings"
	"unicode/utf8"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Name sets [FieldChange.Names] of changes that [Comparer.Diff] returned. Diff takes canonical forms,
// in which borrowed names are left out, so Name takes the two bodies as the org sent them, and looks
// there for the names beside the ids in the changes. Where both bodies name an id, the name in new
// counts. A malformed body has no names, and is no error: the changes are complete without them.
func (c *Comparer) Name(changes []FieldChange, old, new []byte) {
	n := namer{names: map[nameKey]string{}}
	for _, body := range [][]byte{old, new} {
		n.learn = true
		n.value(body, c.rules, 0)
	}
	if n.learn = false; len(n.names) == 0 {
		return
	}
	for i := range changes {
		n.found = nil
		n.change(&changes[i], c.rules)
		changes[i].Names = n.found
	}
}

// A nameKey is an id at the places that one state of the automaton stands for. The place is a part of
// the key because an id is unique within its type only: the same text may be the id of a queue in one
// member and that of a skill in another, and they have different names.
type nameKey struct {
	place *rule
	id    string
}

// Bounds of what names add to a change, in names and in bytes of one: they help a reader, and must not
// become the larger part of the log. A longer name is left out, not cut.
const (
	maxNames    = 20
	maxNameSize = 256
)

// A namer goes over values twice with the same code. First it learns, from both bodies, what the
// objects are called that they refer to. Then it goes over the values in the changes, where it finds
// the ids at the same states of the automaton, and looks their names up.
type namer struct {
	learn bool               // the first time, when names are noted instead of looked up
	names map[nameKey]string // what was learned
	found map[string]string  // by id, for the change at hand; nil if there is none
}

// change finds the names for one change. Its path leads through the automaton to the rule r of what
// changed. If what changed is the id of a reference itself, the values are bare ids, and the place
// that they were learned at is that of the object around them, the holder.
//
// A token of digits is taken for an index, which is no step in the automaton. Below a member whose
// name is a number, names may therefore be missing; they are never wrong.
func (n *namer) change(c *FieldChange, r *rule) {
	var holder *rule
	last := ""
	for token := range strings.SplitSeq(strings.TrimPrefix(c.Path, "/"), "/") {
		if name := pointerEscapes.Replace(token); c.Path != "" && !isIndex(name) {
			holder, r, last = r, r.member([]byte(name)), name
		}
	}
	for _, value := range [][]byte{c.Old, c.New} {
		if len(value) == 0 {
			continue
		}
		if last == idName {
			n.look(holder, value)
		}
		n.value(value, r, 0)
	}
}

// value goes over a value whose place has the rule r. Where there is no rule nothing below is
// borrowed, so most of a body is skipped.
func (n *namer) value(raw []byte, r *rule, depth int) {
	i := jsonscan.Space(raw, 0)
	if r == nil || i == len(raw) || depth == maxDepth {
		return
	}
	switch raw[i] {
	case '[':
		it := jsonscan.Elements(raw)
		for it.Next() {
			n.value(it.Value(), r, depth+1)
		}
	case '{':
		n.object(raw, r, depth+1)
	}
}

// object notes or looks up the name of the object that raw refers to, if raw is a reference, and goes
// on into its other members. Of several borrowed members, such as name and displayName, the first one
// that is a string and not empty is the name.
func (n *namer) object(raw []byte, r *rule, depth int) {
	var id []byte
	name := ""
	it := jsonscan.Members(raw)
	for it.Next() {
		key := appendName(nil, it.Key())
		member := r.member(key)
		switch value := it.Value(); {
		case r.borrows && string(key) == idName:
			id = value
		case name == "" && member != nil && member.borrowed:
			name, _ = jsonscan.String(value)
		default:
			n.value(value, member, depth)
		}
	}
	if id == nil || !identifies(id) {
		return
	}
	if !n.learn {
		n.look(r, id)
	} else if name != "" && len(name) <= maxNameSize && utf8.ValidString(name) {
		n.names[nameKey{r, idText(id)}] = name
	}
}

// look adds the name of what an id stands for.
func (n *namer) look(place *rule, id []byte) {
	text := idText(id)
	name, ok := n.names[nameKey{place, text}]
	if !ok || len(n.found) == maxNames {
		return
	}
	if n.found == nil {
		n.found = map[string]string{}
	}
	n.found[text] = name
}

// idText returns the text of an id, which may be a number.
func idText(raw []byte) string {
	if text, ok := jsonscan.String(raw); ok {
		return text
	}
	return string(raw)
}
