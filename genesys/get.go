package genesys

import (
	"context"
	"fmt"
	"strings"
)

// Get reads one object, without its Parts: by its ID, and where the type's Get
// has a variable with a source by its Body as it was listed. The error is
// ErrNotFound when it is gone, ErrNoGet when the type has no such call, and
// otherwise like that of List.
func (c *Client) Get(ctx context.Context, t ObjectType, o Object) (Object, error) {
	path, values, err := t.getPath(o)
	if err != nil {
		return Object{}, err
	}
	data, err := c.sendFor(ctx, t, t.asksOne(), "GET", path, nil)
	if err != nil {
		return Object{}, err
	}
	if !isObject(data) {
		return Object{}, fmt.Errorf("genesys: GET %s: the answer is not an object", cutQuery(path))
	}
	parts := SplitID(o.ID)
	parent := "" // what comes before the object's own parts
	if own := t.ownParts(); t.Parent != "" && own < len(parts) {
		parent = JoinID(parts[:len(parts)-own]...)
	}
	r := newObjectReader(t, parent)
	got, err := r.single(o.ID, data)
	if err != nil {
		return Object{}, fmt.Errorf("genesys: GET %s: %w", cutQuery(path), err)
	}
	if got.Name == "" && t.Paging == PagingSingleton {
		got.Name = strings.Join(append([]string{t.Label}, values...), " ")
	}
	return got, nil
}

// asksOne is the question that a call for one object of the type asks.
func (t ObjectType) asksOne() question {
	if t.Get != "" {
		return asksObject
	}
	return t.asksAll()
}

// asksAll is the question that the calls of a walk ask.
func (t ObjectType) asksAll() question {
	switch {
	case t.Parent != "":
		return asksBelow
	case t.Paging == PagingSingleton && t.Absent:
		return asksOptional
	case t.Paging == PagingSingleton:
		return asksSingleton
	}
	return asksList
}

// getPath returns the path that reads one object, and what tells a singleton from its siblings. A
// singleton has no Get: its list call is made again, for the variant or value that its ID ends with.
func (t ObjectType) getPath(o Object) (path string, values []string, err error) {
	parts := SplitID(o.ID)
	template := t.Get
	switch {
	case template != "":
	case t.Paging != PagingSingleton:
		return "", nil, fmt.Errorf("%w: %s", ErrNoGet, t.Name)
	case t.Parent == "":
		values = parts[1:]
		template = t.Path
		for _, variant := range t.Variants {
			if _, value, _ := strings.Cut(variant, "="); len(values) == 1 && value == values[0] {
				template = withQuery(t.Path, variant)
			}
		}
	default:
		values = parts[len(parts)-t.ownParts():]
		template = withoutSources(t.Path)
	}
	path, err = expandOne(template, parts, o.Body)
	return path, values, err
}

// withoutSources makes plain variables of those with a source.
func withoutSources(template string) string {
	vars, rest := parseTemplate(template)
	var b strings.Builder
	for _, v := range vars {
		b.WriteString(v.before + "{}")
	}
	return b.String() + rest
}

// ownParts is how many parts of an ID come after the parent's: those of the ID fields, or for a
// singleton the value of its variant and of each variable with a source.
func (t ObjectType) ownParts() int {
	if t.Paging != PagingSingleton {
		return len(t.ID)
	}
	own := min(len(t.Variants), 1)
	vars, _ := parseTemplate(t.Path)
	for _, v := range vars {
		if v.source != "" {
			own++
		}
	}
	return own
}
