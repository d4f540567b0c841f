package genesystest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// shuffled is a body whose sets have an order of this answer, if the org's options say so.
func (o *Org) shuffled(s *shape, body json.RawMessage) json.RawMessage {
	if !o.opts.ShuffleSets {
		return body
	}
	for _, path := range s.t.Sets {
		if last := path[strings.LastIndexByte(path, '.')+1:]; last != "*" && !bytes.Contains(body, []byte(`"`+last+`"`)) {
			continue // it is not there, and a look is cheaper than the way there
		}
		body = rewrite(body, strings.Split(path, "."), func(f *fields, name string) {
			if i := f.index(name); i >= 0 && bytes.HasPrefix((*f)[i].raw, []byte("[")) {
				(*f)[i].raw = shuffle((*f)[i].raw, o.opts.Seed^uint64(o.access.requests))
			}
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
	for i := len(elements) - 1; i > 0; i-- {
		seed = mix(seed)
		j := int(seed % uint64(i+1))
		elements[i], elements[j] = elements[j], elements[i]
	}
	out := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']')
}
