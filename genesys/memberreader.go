package genesys

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A memberReader finds several fields of an object while the object is scanned, and sees on the way
// whether there is anything in it that the border may have to change. It indexes the objects of a
// page while the page is scanned, so each byte of a page, of which nearly none is of a secret, is
// gone over once: the page is proven to be JSON, and where its objects and their fields are is known.
type memberReader struct {
	names   []string // of the members at the top
	starts  []int    // where their values begin in text; -1 for none
	text    []byte   // what is being scanned
	top     int      // depth of the members at the top
	suspect bool     // a name was seen for which the border has to look itself

	recognize Recognize // nil: nothing is known of an earlier walk
	prefix    string    // of the IDs that it is asked for

	items      []indexed // of the list that was indexed last
	itemStarts []int     // starts of each of them, one after the other
}

// An indexed element of a list is one that was gone over, or one that was recognized.
type indexed struct {
	span
	suspect bool
	id      string // of one that was recognized, whose starts mean nothing
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
		m.starts = append(m.starts, -1)
	}
	return field{path, i, rest}
}

// fields is field for several paths.
func (m *memberReader) fields(paths []string) []field {
	all := make([]field, len(paths))
	for i, path := range paths {
		all[i] = m.field(path)
	}
	return all
}

// begin prepares for a value in text, whose members at the top are at that depth.
func (m *memberReader) begin(text []byte, top int) {
	m.text, m.top, m.suspect = text, top, false
	for i := range m.starts {
		m.starts[i] = -1
	}
}

// read goes over the value raw. What is no object has no members.
func (m *memberReader) read(raw []byte) error {
	m.begin(raw, 1)
	end := jsonscan.ScanSeen(raw, 0, 0, m)
	if end >= 0 && end < len(raw) {
		end = ^end
	}
	if end < 0 {
		return jsonscan.ErrorAt(raw, ^end)
	}
	return nil
}

// See is called for each member of the value, at any depth, before its value is scanned. Only those at
// the top are remembered; names of all of them tell whether the border has to look.
func (m *memberReader) See(depth int, key []byte, form jsonscan.Form, value int) {
	name := key[1 : len(key)-1]
	if form&jsonscan.Escaped != 0 {
		name, m.suspect = jsonscan.AppendString(nil, key), true
	}
	if depth == m.top {
		for i := range m.names {
			if string(name) == m.names[i] {
				m.starts[i] = value
				break
			}
		}
	}
	m.suspect = m.suspect || isSecretName(name) || isPairValue(name)
}

// index goes over the list at text[i], inside of so many containers, and notes what is read of each
// element. It returns the end of the list, or ^offset. What is no list has no elements.
func (m *memberReader) index(text []byte, i, outside int) int {
	m.items, m.itemStarts = m.items[:0], m.itemStarts[:0]
	if i >= len(text) || text[i] != '[' {
		return jsonscan.ScanValue(text, i, outside)
	}
	if i = jsonscan.Space(text, i+1); i < len(text) && text[i] == ']' {
		return i + 1
	}
	for {
		m.begin(text, outside+2)
		end, id := m.recognized(text, i)
		if id == "" {
			end = jsonscan.ScanSeen(text, i, outside+1, m)
		}
		if end < 0 {
			return end
		}
		m.items = append(m.items, indexed{span{i, end}, m.suspect, id})
		m.itemStarts = append(m.itemStarts, m.starts...)
		switch i = jsonscan.Space(text, end); {
		case i < len(text) && text[i] == ',':
			i = jsonscan.Space(text, i+1)
		case i < len(text) && text[i] == ']':
			return i + 1
		default:
			return ^i
		}
	}
}

// recognized returns the end of an element at text[i] that is known byte for byte, and its ID; "" for
// any other. Only of one that begins with its ID as it stands can that be told without going over it.
func (m *memberReader) recognized(text []byte, i int) (end int, id string) {
	const begin = `{"id":"`
	if m.recognize == nil || !bytes.HasPrefix(text[i:], []byte(begin)) {
		return 0, ""
	}
	own, _, closed := bytes.Cut(text[i+len(begin):min(len(text), i+len(begin)+maxRecognized)], []byte{'"'})
	if !closed || len(own) == 0 || bytes.IndexByte(own, '\\') >= 0 {
		return 0, ""
	}
	id = m.prefix + JoinID(string(own))
	if n := m.recognize(id, text[i:]); n > 0 {
		return i + n, id
	}
	return 0, ""
}

// maxRecognized bounds the search for the end of an ID.
const maxRecognized = 200

// item goes back to element n of the list that was indexed last, and returns it.
func (m *memberReader) item(n int) []byte {
	it := m.items[n]
	m.suspect = it.suspect
	copy(m.starts, m.itemStarts[n*len(m.starts):])
	return m.text[it.from:it.to]
}

// raw returns the value of a field of the object that was read, nil if there is none.
func (m *memberReader) raw(f field, object []byte) []byte {
	if f.member < 0 {
		return object
	}
	start := m.starts[f.member]
	if start < 0 {
		return nil
	}
	value := m.text[start:jsonscan.ScanValue(m.text, start, m.top)]
	if f.rest != "" {
		value, _ = lookup(value, f.rest)
	}
	return value
}
