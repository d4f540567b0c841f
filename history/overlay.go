package history

import (
	"bytes"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// overlay returns body, whose canonical form is from, changed to have the canonical form to. What
// from does not have, because it is not compared, stays as it is.
func overlay(body, from, to []byte) ([]byte, error) {
	body = bytes.TrimSpace(body)
	switch {
	case bytes.Equal(from, to):
		return body, nil
	case body[0] == '{' && from[0] == '{' && to[0] == '{':
		return overlayObject(body, from, to)
	case body[0] == '[' && from[0] == '[' && to[0] == '[':
		return overlayArray(body, from, to)
	}
	return to, nil
}

func overlayObject(body, from, to []byte) ([]byte, error) {
	old, err := decodedMembers(from)
	if err != nil {
		return nil, err
	}
	want, err := decodedMembers(to)
	if err != nil {
		return nil, err
	}
	out := []byte{'{'}
	add := func(key, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	it := jsonscan.Members(body)
	for it.Next() {
		name := string(jsonscan.AppendString(nil, it.Key()))
		value := it.Value()
		if was, wanted := old[name], want[name]; was != nil || wanted != nil {
			delete(want, name)
			if wanted == nil {
				continue
			}
			if was == nil {
				was = []byte("null")
			}
			if value, err = overlay(value, was, wanted); err != nil {
				return nil, err
			}
		}
		add(it.Key(), value)
	}
	if it.Err() != nil {
		return nil, it.Err()
	}
	it = jsonscan.Members(to)
	for it.Next() {
		if want[string(jsonscan.AppendString(nil, it.Key()))] != nil {
			add(it.Key(), it.Value())
		}
	}
	return append(out, '}'), it.Err()
}

func decodedMembers(object []byte) (map[string][]byte, error) {
	members := map[string][]byte{}
	it := jsonscan.Members(object)
	for it.Next() {
		members[string(jsonscan.AppendString(nil, it.Key()))] = it.Value()
	}
	return members, it.Err()
}

// overlayArray finds the element of body for each element of to by what it is known by, so that what is not compared
// inside of it stays. Elements that nothing tells apart are taken from to as they are.
func overlayArray(body, from, to []byte) ([]byte, error) {
	now, err := elementsByName(body)
	if err != nil {
		return nil, err
	}
	old, err := elementsByName(from)
	if err != nil {
		return nil, err
	}
	out := []byte{'['}
	it := jsonscan.Elements(to)
	for n := 0; it.Next(); n++ {
		value := it.Value()
		if name := elementName(value); now[name] != nil && old[name] != nil {
			if value, err = overlay(now[name], old[name], value); err != nil {
				return nil, err
			}
		}
		if n > 0 {
			out = append(out, ',')
		}
		out = append(out, value...)
	}
	return append(out, ']'), it.Err()
}

// elementsByName returns the elements that have a name of their own.
func elementsByName(array []byte) (map[string][]byte, error) {
	named := map[string][]byte{}
	twice := map[string]bool{}
	it := jsonscan.Elements(array)
	for it.Next() {
		name := elementName(it.Value())
		twice[name] = name == "" || named[name] != nil
		named[name] = it.Value()
	}
	for name, is := range twice {
		if is {
			delete(named, name)
		}
	}
	return named, it.Err()
}

// elementName returns what an element is known by, as in diff.Rules; "" for nothing.
func elementName(element []byte) string {
	if element[0] != '{' {
		return ""
	}
	for _, member := range []string{"id", "key", "name"} {
		if raw, ok := jsonscan.Lookup(element, member); ok && len(raw) > 2 && raw[0] == '"' {
			text, _ := jsonscan.String(raw)
			return member + "=" + text
		}
	}
	return ""
}
