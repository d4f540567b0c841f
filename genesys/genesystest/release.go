package genesystest

import (
	"encoding/json"
	"strings"
)

// A Release is what a new version of the platform does to every object of a
// type: it adds a field or drops one. Nobody edited the objects, so versions,
// dates and authors stay, and there is no audit record.
type Release struct {
	Type string // name or label
	// Path leads to the field, with dots: "preciseDialing", "mediaSettings.call.boost".
	// Where it leads through an array, every element gets the field. Objects on
	// the way are not made: what lacks one stays as it is.
	Path  string
	Value any                 // what every object gets that lacks the field. Anything that encodes as JSON.
	Each  func(id string) any // instead of Value: computed from the object's ID; it must not call the org
	Drop  bool                // the field goes, whatever its value
}

// Release makes a release of the platform happen. It reaches every object,
// those that are created later too. A value that somebody set stays.
// It panics on a type that does not exist and on a value that is not JSON.
func (o *Org) Release(r Release) {
	step := releaseStep{path: strings.Split(r.Path, "."), each: r.Each, drop: r.Drop}
	if r.Each == nil && !r.Drop {
		raw, err := json.Marshal(r.Value)
		if err != nil {
			panic(errorf("value of the release of %s: %w", r.Type, err))
		}
		step.value = raw
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := o.shapeOf(r.Type)
	if err != nil {
		panic(err) // a test that names a type wrongly would pass for the wrong reason
	}
	s.releases = append(s.releases, step)
	o.changed()
}

type releaseStep struct {
	path  []string
	value json.RawMessage
	each  func(id string) any
	drop  bool
}

// released is a body, generated or edited, as the releases of its type left it.
func (o *Org) released(s *shape, parentID string, pos int, body json.RawMessage) json.RawMessage {
	if len(s.releases) == 0 || body == nil {
		return body
	}
	for _, step := range s.releases {
		if step.each != nil {
			id := under(parentID, o.keyOf(s, body))
			if s.singleton() {
				id = o.idAt(s, parentID, pos, body)
			}
			raw, err := json.Marshal(step.each(id))
			if err != nil {
				panic(errorf("value of the release of %s: %w", s.t.Name, err))
			}
			step.value = raw
		}
		body = step.apply(body, step.path)
	}
	return body
}

// apply changes the value that path starts from and returns it.
func (r releaseStep) apply(value json.RawMessage, path []string) json.RawMessage {
	return rewrite(value, path, func(old json.RawMessage) json.RawMessage {
		switch {
		case r.drop:
			return nil
		case old != nil:
			return old
		default:
			return r.value
		}
	})
}
