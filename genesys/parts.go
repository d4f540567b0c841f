package genesys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Objects that take more than their list to read: a Get for what the list leaves out, and a call for
// each part, which becomes a member of the body. So a change of a part is a change of its object.

// Read reads all of a listed object: what its list leaves out, by Get, and its
// Parts. One that the list holds whole takes no request. The error is like that
// of Get; a part that cannot be read is an error of the object.
func (c *Client) Read(ctx context.Context, t ObjectType, listed Object) (Object, error) {
	o := listed // type, ID and parent stay those of the list, whatever Get says
	if !t.Whole {
		full, err := c.Get(ctx, t, listed)
		switch {
		case errors.Is(err, ErrNoGet):
		case err != nil:
			return Object{}, err
		default:
			o.Body, o.Deleted, o.Marker, o.Masked = full.Body, full.Deleted, full.Marker, full.Masked
			if full.Name != "" {
				o.Name = full.Name
			}
		}
	}
	if o.Deleted {
		return o, nil
	}
	for _, part := range t.Parts {
		value, masked, err := c.part(ctx, part, listed)
		if errors.Is(err, ErrNotFound) { // the object has no such part, which is a state like others
			continue
		}
		if err != nil {
			return Object{}, fmt.Errorf("its part %s: %w", part.Member, err)
		}
		if o.Body, err = withMember(o.Body, part.Member, value); err != nil {
			return Object{}, fmt.Errorf("genesys: %s %s: %w", t.Name, o.ID, err)
		}
		o.Masked += masked
	}
	return o, nil
}

// part reads one part as a JSON value, nil if there is none in the answer, with the number of secrets
// that are masked in it. It passes the border of all types: the border of the object's own type knows
// places in its body, not in a part.
func (c *Client) part(ctx context.Context, p Part, of Object) (value []byte, masked int, err error) {
	path, err := expandOne(p.Path, SplitID(of.ID), of.Body)
	if err != nil {
		return nil, 0, err
	}
	data, err := c.sendCall(ctx, asksPart, "GET", path, &call{text: p.Text})
	if err != nil {
		return nil, 0, err
	}
	if p.Text {
		data = jsonString(string(data))
	}
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return nil, 0, nil
	}
	value, masked, err = clean(data, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("genesys: GET %s: %w", cutQuery(path), err)
	}
	if p.Field != "" {
		value, _ = lookup(value, p.Field)
		masked = bytes.Count(value, []byte(SecretMark)) // of what is left
	}
	return value, masked, nil
}

// withMember returns the object body with a member added, or in place of the one
// of that name. Everything else stays byte for byte. A nil value changes nothing.
func withMember(body []byte, name string, value []byte) ([]byte, error) {
	if value == nil {
		return body, nil
	}
	body = bytes.TrimSpace(body)
	if len(body) < 2 || body[0] != '{' {
		return nil, errors.New("only an object can have parts")
	}
	it := jsonscan.Members(body)
	empty := true
	for it.Next() {
		empty = false
		if it.KeyIs(name) {
			old := it.Value()
			at := cap(body) - cap(old) // the value is a slice of the body
			return slices.Concat(body[:at], value, body[at+len(old):]), nil
		}
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	member := slices.Concat(jsonString(name), []byte{':'}, value, []byte{'}'})
	if !empty {
		member = append([]byte{','}, member...)
	}
	return append(bytes.TrimRight(slices.Clone(body[:len(body)-1]), " \t\r\n"), member...), nil
}

// Reads names what a body of the type is made of: the calls with what they are asked for, the
// parts, and what passes the border. Bodies that were read in different ways differ in what was
// asked for, although nobody edited anything.
func (t ObjectType) Reads() string {
	calls := []string{borderForm, t.method() + " " + t.Path}
	if !t.Whole {
		calls = append(calls, t.Get)
	}
	for _, part := range t.Parts {
		calls = append(calls, part.Member+" "+part.Path+" "+part.Field)
	}
	return strings.Join(calls, "\n")
}
