package genesystest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// fields are the members of a JSON object in their order. Nobody writes into their values, which may be those of a body.
type fields []field

type field struct {
	key string
	raw json.RawMessage
}

func parseFields(b []byte) (fields, error) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	f := make(fields, 0, 32)
	it := jsonscan.Members(b)
	for it.Next() {
		key, ok := jsonscan.String(it.Key())
		if !ok {
			return nil, errors.New("bad member name")
		}
		f = append(f, field{key, slices.Clip(it.Value())})
	}
	return f, it.Err()
}

func (f fields) bytes() json.RawMessage {
	size := 2
	for _, m := range f {
		size += len(m.key) + len(m.raw) + 4
	}
	b := append(make([]byte, 0, size), '{')
	for i, m := range f {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, m.key), ':')
		b = append(b, m.raw...)
	}
	return append(b, '}')
}

func (f fields) index(key string) int {
	for i := range f {
		if f[i].key == key {
			return i
		}
	}
	return -1
}

// get reads the member at a dotted path.
func (f fields) get(path string) (json.RawMessage, bool) {
	key, rest, deeper := strings.Cut(path, ".")
	i := f.index(key)
	switch {
	case i < 0:
		return nil, false
	case deeper:
		raw := lookup(f[i].raw, rest)
		return raw, raw != nil
	default:
		return f[i].raw, true
	}
}

// set writes the member at a dotted path and makes the objects on the way.
func (f *fields) set(path string, raw json.RawMessage) {
	key, rest, deeper := strings.Cut(path, ".")
	if deeper {
		var inner fields
		if i := f.index(key); i >= 0 {
			inner, _ = parseFields((*f)[i].raw) // anything else than an object gives way
		}
		inner.set(rest, raw)
		raw = inner.bytes()
	}
	f.put(key, raw)
}

func (f *fields) put(key string, raw json.RawMessage) {
	if i := f.index(key); i >= 0 {
		(*f)[i].raw = raw
		return
	}
	*f = append(*f, field{key, raw})
}

// merge applies a JSON merge patch (RFC 7396).
func (f *fields) merge(patch fields) {
	for _, p := range patch {
		i := f.index(p.key)
		if string(p.raw) == "null" {
			if i >= 0 {
				*f = slices.Delete(*f, i, i+1)
			}
			continue
		}
		raw := p.raw
		if inner, err := parseFields(p.raw); err == nil {
			var old fields
			if i >= 0 {
				old, _ = parseFields((*f)[i].raw)
			}
			old.merge(inner)
			raw = old.bytes()
		}
		f.put(p.key, raw)
	}
}

// lookup returns the value at a dotted path, nil when there is none.
func lookup(body []byte, path string) json.RawMessage {
	raw, ok := jsonscan.Lookup(body, strings.Split(path, ".")...)
	if !ok {
		return nil
	}
	return raw
}

// lookupText is lookup for a string or another scalar.
func lookupText(body []byte, path string) string {
	return scalar(lookup(body, path))
}

// scalar is the text of a string or another scalar.
func scalar(raw []byte) string {
	if s, ok := jsonscan.String(raw); ok {
		return s
	}
	return string(raw)
}

// lookupAll returns the scalars at a dotted path that may lead through arrays.
func lookupAll(body []byte, path string) []string {
	if len(body) == 0 || string(body) == "null" {
		return nil
	}
	if body[0] == '[' {
		var all []string
		for it := jsonscan.Elements(body); it.Next(); {
			all = append(all, lookupAll(it.Value(), path)...)
		}
		return all
	}
	if path == "" {
		return []string{scalar(body)}
	}
	key, rest, _ := strings.Cut(path, ".")
	raw, ok := jsonscan.Lookup(body, key)
	if !ok {
		return nil
	}
	return lookupAll(raw, rest)
}

// quote writes s as a JSON string, with no more escapes than JSON needs.
func quote(s string) json.RawMessage {
	return appendQuoted(nil, s)
}

func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' || s[i] >= 0x80 {
			return append(b, encodeString(s)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func encodeString(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return bytes.TrimSpace(b.Bytes())
}
