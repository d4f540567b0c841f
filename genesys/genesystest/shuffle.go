package genesystest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A fieldPath leads to a member of bodies.
type fieldPath struct {
	names []string
	last  []byte // the last name, in quotes
}

func newFieldPath(path string) fieldPath {
	names := strings.Split(path, ".")
	return fieldPath{names, quote(names[len(names)-1])}
}

// rewrite is rewrite at the path, if its last name is anywhere in the body: a look is cheaper than the way there.
func (p fieldPath) rewrite(body json.RawMessage, change func(old json.RawMessage) json.RawMessage) json.RawMessage {
	if !bytes.Contains(body, p.last) {
		return body
	}
	return rewrite(body, p.names, change)
}

// setsOf are the arrays of a type whose order has no meaning.
func setsOf(t genesys.ObjectType) []fieldPath {
	sets := make([]fieldPath, len(t.Sets))
	for i, path := range t.Sets {
		sets[i] = newFieldPath(path)
	}
	return sets
}

// shuffled is a body whose sets have an order of this answer, if the org's options say so.
func (o *Org) shuffled(s *shape, body json.RawMessage) json.RawMessage {
	if !o.opts.ShuffleSets {
		return body
	}
	for _, path := range s.sets {
		body = path.rewrite(body, func(old json.RawMessage) json.RawMessage {
			if !bytes.HasPrefix(old, []byte("[")) {
				return old
			}
			return shuffle(old, o.opts.Seed^uint64(o.access.requests))
		})
	}
	return body
}

// shuffle is an array in an order that a seed chooses (Fisher and Yates).
func shuffle(array json.RawMessage, seed uint64) json.RawMessage {
	var elements []json.RawMessage
	for it := jsonscan.Elements(array); it.Next(); {
		elements = append(elements, it.Value())
	}
	if len(elements) < 2 {
		return array
	}
	for i := len(elements) - 1; i > 0; i-- {
		seed = mix(seed)
		j := int(seed % uint64(i+1))
		elements[i], elements[j] = elements[j], elements[i]
	}
	out := append(make([]byte, 0, len(array)), '[')
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']')
}
