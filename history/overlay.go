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

// idName is the member that says which object a reference leads to.
const idName = "id"

// overlayObject keeps the members of body in their order: those that from does not have as they are,
// the others as to has them, and behind them what only to has. Of members with one name the last one
// counts, as in the canonical form.
func overlayObject(body, from, to []byte) ([]byte, error) {
	var members [3]map[string][]byte
	for i, object := range [][]byte{body, from, to} {
		var err error
		if members[i], err = decodedMembers(object); err != nil {
			return nil, err
		}
	}
	now, old, want := members[0], members[1], members[2]
	if a, b := old[idName], want[idName]; a != nil && b != nil && !bytes.Equal(a, b) {
		return to, nil // what is not compared beside it belongs to the other object
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
		value := now[name]
		if value == nil {
			continue // it is there twice, and was added
		}
		delete(now, name)
		if was, wanted := old[name], want[name]; was != nil || wanted != nil {
			delete(want, name)
			if wanted == nil {
				continue
			}
			if was == nil { // It was not compared so far. With null, overlay goes into no container.
				was = []byte("null")
			}
			var err error
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

// decodedMembers returns the members of an object by their decoded names.
func decodedMembers(object []byte) (map[string][]byte, error) {
	members := map[string][]byte{}
	it := jsonscan.Members(object)
	for it.Next() {
		members[string(jsonscan.AppendString(nil, it.Key()))] = it.Value()
	}
	return members, it.Err()
}

// overlayArray finds the element of body for each element of to by what that one is known by, so
// that what is not compared inside of it stays. Elements that nothing tells apart are taken from to
// as they are.
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
		if names := elementNames(value); len(names) > 0 && now[names[0]] != nil && old[names[0]] != nil {
			if value, err = overlay(now[names[0]], old[names[0]], value); err != nil {
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

// elementsByName returns the elements by each name that no other one has. An element of a body goes
// by all its names, because its id may be ignored: then it is known by another one in canonical
// form.
func elementsByName(array []byte) (map[string][]byte, error) {
	named := map[string][]byte{}
	twice := map[string]bool{}
	it := jsonscan.Elements(array)
	for it.Next() {
		for _, name := range elementNames(it.Value()) {
			twice[name] = named[name] != nil
			named[name] = it.Value()
		}
	}
	for name, is := range twice {
		if is {
			delete(named, name)
		}
	}
	return named, it.Err()
}

// elementNames returns what an element may be known by, as in diff.Rules, the best one first: its
// id, its key and its name, if they are a string that is not empty, or a number.
func elementNames(element []byte) (names []string) {
	if element[0] != '{' {
		return nil
	}
	for _, member := range []string{"id", "key", "name"} {
		raw, ok := jsonscan.Lookup(element, member)
		if !ok {
			continue
		}
		if text, ok := jsonscan.String(raw); ok && text != "" {
			names = append(names, member+"="+text)
		} else if raw[0] == '-' || raw[0]-'0' <= 9 {
			names = append(names, member+" "+string(raw))
		}
	}
	return names
}
