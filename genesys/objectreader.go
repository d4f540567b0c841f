package genesys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// An objectReader makes Objects out of the bodies of one list. It is made once for the list and used
// for each body: what it prepares, such as which members to look for, is the same for all.
type objectReader struct {
	t       ObjectType
	border  *border
	parent  string // ID of the parent; "" at the top
	members memberReader
	id      []field  // that make the ID
	title   []field  // that make the name
	graves  []field  // the members of the tombstones, in their order
	parts   []string // of the ID being read; kept to be used again
}

// newObjectReader returns the reader of a list of t below a parent.
func newObjectReader(t ObjectType, parent string) *objectReader {
	r := &objectReader{t: t, border: t.border(), parent: parent}
	r.id = r.members.fields(t.ID)
	if t.Title != "" {
		r.title = r.members.fields(strings.Split(t.Title, "+"))
	}
	for _, s := range tombstones {
		r.graves = append(r.graves, r.members.field(s.member))
	}
	return r
}

// listed reads an element of a list.
func (r *objectReader) listed(raw []byte) (Object, error) {
	if err := r.members.read(raw); err != nil {
		return Object{}, err
	}
	return r.element(raw)
}

// item reads element n of the list that readEnvelope has indexed. There is nothing to read in one
// that was recognized.
func (r *objectReader) item(n int) (Object, error) {
	if it := r.members.items[n]; it.id != "" {
		body := slices.Clip(r.members.text[it.from:it.to])
		return Object{Type: r.t.Name, ID: it.id, Parent: r.parent, Body: body, Recognized: true}, nil
	}
	return r.element(r.members.item(n))
}

// recognizes lets elements be recognized, where the ID of an object is that of its own first member.
func (r *objectReader) recognizes(recognize Recognize) {
	if !slices.Equal(r.t.ID, []string{"id"}) {
		return
	}
	r.members.recognize = recognize
	if r.parent != "" {
		r.members.prefix = r.parent + "/"
	}
}

// element makes an Object of an element of a list that has been gone over.
func (r *objectReader) element(raw []byte) (Object, error) {
	r.parts = r.parts[:0]
	for _, f := range r.id {
		part := text(r.members.raw(f, raw))
		if part == "" {
			return Object{}, fmt.Errorf("it has no %q, of which its ID is made", f.path)
		}
		r.parts = append(r.parts, part)
	}
	id := JoinID(r.parts...)
	if r.parent != "" {
		id = r.parent + "/" + id
	}
	return r.object(id, raw)
}

// release lets go of the body that was read last, and so of its page.
func (r *objectReader) release() { r.members.begin(nil, 0) }

// single reads a body whose ID is known.
func (r *objectReader) single(id string, raw []byte) (Object, error) {
	raw = bytes.TrimSpace(raw)
	if err := r.members.read(raw); err != nil {
		return Object{}, err
	}
	return r.object(id, raw)
}

// object puts together what the members that were read say.
func (r *objectReader) object(id string, raw []byte) (Object, error) {
	body, masked := raw, 0
	if r.border.mayEdit(raw, r.members.suspect) {
		var err error
		if body, masked, err = clean(raw, r.border); err != nil {
			return Object{}, err
		}
	}
	o := Object{
		Type: r.t.Name, ID: id, Name: line(r.name(raw)), Parent: r.parent, Body: slices.Clip(json.RawMessage(body)), Masked: masked,
		Deleted: r.isTombstone(raw),
	}
	if r.t.Parent == "" {
		o.Marker = markerOf(r.t, body)
	}
	return o, nil
}

// isTombstone reports whether what was read says that it is deleted.
func (r *objectReader) isTombstone(raw []byte) bool {
	for i, s := range tombstones {
		if s.says(r.members.raw(r.graves[i], raw)) {
			return true
		}
	}
	return false
}

// name returns the name for people of what was read.
func (r *objectReader) name(raw []byte) string {
	if len(r.title) == 1 {
		return text(r.members.raw(r.title[0], raw))
	}
	var words []string
	for _, f := range r.title {
		if word := text(r.members.raw(f, raw)); word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// singleton reads the one object of a response. Values told it from its siblings.
func (r *objectReader) singleton(raw []byte, parent Object, values []string) (Object, error) {
	id, label := parent.ID, r.t.Label
	if id == "" {
		id = JoinID(r.t.Name)
	} else if parent.Name != "" {
		label = parent.Name
	}
	if len(values) > 0 {
		id += "/" + JoinID(values...)
		label += " " + strings.Join(values, " ")
	}
	o, err := r.single(id, raw)
	if o.Name == "" {
		o.Name = label
	}
	return o, err
}
