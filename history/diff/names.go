package diff

import (
	"strings"
	"unicode/utf8"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Name sets [FieldChange.Names] of the changes that lead from one body to another, as far as the bodies, which are as
// they came, have borrowed names beside the ids in the changes. Malformed bodies have none.
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

// A nameKey is an id at the places that one state of the automaton stands for.
type nameKey struct {
	place *rule
	id    string
}

// Bounds of what names add to a change.
const (
	maxNames    = 20
	maxNameSize = 256
)

// A namer learns what the objects are called that bodies refer to, and then finds their names for the ids in changes.
type namer struct {
	learn bool
	names map[nameKey]string
	found map[string]string
}

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

// value goes over a value whose place has the rule r.
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
