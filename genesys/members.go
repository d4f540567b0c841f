package genesys

import (
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A memberReader finds several fields of an object in one pass over its bytes.
type memberReader struct {
	names  []string // of the members at the top
	values [][]byte // of the object read last; nil where there is none
}

// A field is a place in the objects that a memberReader reads.
type field struct {
	path   string
	member int    // index of the first name; -1 for the object itself
	rest   string // names below it
}

// field prepares the lookup of a dotted path.
func (m *memberReader) field(path string) field {
	if path == "." {
		return field{path: path, member: -1}
	}
	name, rest, _ := strings.Cut(path, ".")
	i := slices.Index(m.names, name)
	if i < 0 {
		i = len(m.names)
		m.names = append(m.names, name)
		m.values = append(m.values, nil)
	}
	return field{path, i, rest}
}

func (m *memberReader) fields(paths []string) []field {
	all := make([]field, len(paths))
	for i, path := range paths {
		all[i] = m.field(path)
	}
	return all
}

// read goes over the object raw. What is no object has no members.
func (m *memberReader) read(raw []byte) error {
	clear(m.values)
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	it := jsonscan.Members(raw)
	for it.Next() {
		for i, name := range m.names {
			if it.KeyIs(name) {
				m.values[i] = it.Value()
				break
			}
		}
	}
	return it.Err()
}

// raw returns the value of a field of the object that was read, nil if there is none.
func (m *memberReader) raw(f field, object []byte) []byte {
	if f.member < 0 {
		return object
	}
	value := m.values[f.member]
	if value == nil || f.rest == "" {
		return value
	}
	value, _ = lookup(value, f.rest)
	return value
}
