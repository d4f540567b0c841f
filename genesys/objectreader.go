package genesys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// An objectReader makes Objects out of the bodies of one list.
type objectReader struct {
	t      ObjectType
	parent string
	title  []string
	parts  []string // of the ID being read
}

func newObjectReader(t ObjectType, parent string) *objectReader {
	r := &objectReader{t: t, parent: parent}
	if t.Title != "" {
		r.title = strings.Split(t.Title, "+")
	}
	return r
}

// listed reads an element of a list.
func (r *objectReader) listed(raw []byte) (Object, error) {
	r.parts = r.parts[:0]
	for _, field := range r.t.ID {
		part := lookupText(raw, field)
		if part == "" {
			return Object{}, fmt.Errorf("it has no %q, of which its ID is made", field)
		}
		r.parts = append(r.parts, part)
	}
	id := JoinID(r.parts...)
	if r.parent != "" {
		id = r.parent + "/" + id
	}
	return r.object(id, raw)
}

// object reads a body whose ID is known.
func (r *objectReader) object(id string, raw []byte) (Object, error) {
	body, err := dropSecrets(raw, r.t.Secrets)
	if err != nil {
		return Object{}, err
	}
	o := Object{Type: r.t.Name, ID: id, Name: r.name(body), Parent: r.parent, Body: slices.Clip(json.RawMessage(body))}
	if r.t.Parent == "" {
		o.Marker = MarkerOf(r.t, body)
	}
	if len(body) > 0 && body[0] == '{' {
		state, _ := jsonscan.Lookup(body, "state")
		o.Deleted = len(state) == len(`"deleted"`) && bytes.EqualFold(state, []byte(`"deleted"`))
	}
	return o, nil
}

func (r *objectReader) name(body []byte) string {
	if len(r.title) == 1 {
		return lookupText(body, r.title[0])
	}
	var words []string
	for _, field := range r.title {
		if word := lookupText(body, field); word != "" {
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
	o, err := r.object(id, raw)
	if o.Name == "" {
		o.Name = label
	}
	return o, err
}
