package genesys

import (
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// What earlier versions of the catalogue did in another way. When a row of the catalogue is mended,
// so that IDs are made of other fields or a list holds more, histories that are already stored must
// not show that as deletions and creations. Here is what history needs to tell.

// formerSingleton is what Former says of a list that was taken for one object.
const formerSingleton = "singleton"

// IdentityRule names what makes the IDs of the type; "" if nothing else ever did.
// It changes when that does.
func (t ObjectType) IdentityRule() string {
	if len(t.Former) == 0 {
		return ""
	}
	return strings.Join(t.ID, "+") + " for " + strings.Join(t.Former, "+")
}

// Identify returns the objects that a body is of which was received below a
// parent, "" at the top, while the IDs were made of Former. Mostly it is one
// object with an ID alone: the body is its own. What was a list taken for one
// object is the objects of the list, with their bodies. There is none if the body
// does not tell.
func (t ObjectType) Identify(parent string, body []byte) []Object {
	r := newObjectReader(t, parent)
	if len(t.Former) == 0 || t.Former[0] != formerSingleton {
		o, err := r.listed(body)
		if err != nil {
			return nil
		}
		return []Object{{ID: o.ID}}
	}
	list, ok := body, true
	if t.Items != "." {
		list, ok = lookup(body, t.Items)
	}
	if !ok || len(list) == 0 || list[0] != '[' {
		return nil
	}
	var all []Object
	it := jsonscan.Elements(list)
	for it.Next() {
		if o, err := r.listed(it.Value()); err == nil && !o.Deleted {
			all = append(all, o)
		}
	}
	if it.Err() != nil {
		return nil
	}
	return all
}

// Selects names what the list of the type is asked to hold, whatever it says of
// each object. Where it changes, an object that is seen for the first time may
// have been there before. An expand asks for more of the same objects, so it is left out.
func (t ObjectType) Selects() string {
	path, query, _ := strings.Cut(t.Path, "?")
	var asked []string
	for parameter := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(parameter, "="); !strings.HasPrefix(name, "expand") {
			asked = append(asked, parameter)
		}
	}
	return strings.Join(slices.Concat([]string{t.method(), path}, asked, t.Variants, []string{t.Body, t.Divisions, t.Items}), " ")
}

// OnceNarrower reports whether the list held less before Selects was recorded:
// the home division only, or no actions that log in.
func (t ObjectType) OnceNarrower() bool {
	return t.Divisions != "" || strings.Contains(t.Path, "includeAuthActions=true")
}
