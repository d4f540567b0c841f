package genesys

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// What moves in the bodies of a type although nobody edited anything follows
// from the official models: fields.tsv says of each field of a model what it
// is, with a grade and a reason, and a field that it does not name is
// configuration. fields_by_type.tsv is made of it, by following the models of
// each type, and is all that a program carries: for types that have all of it in
// common, once. A test holds the two together.

//go:embed fields_by_type.tsv
var fieldsTSV string

// A FieldClass says why a field is not compared.
type FieldClass string

// The classes. What has none is configuration, and is compared.
const (
	FieldIdentity   FieldClass = "identity"   // an address of the object itself
	FieldProvenance FieldClass = "provenance" // who made it or changed it last, and when
	FieldState      FieldClass = "state"      // what the service is doing or has found out
	FieldCounter    FieldClass = "counter"    // counts edits, or what is listed elsewhere
	FieldSignedURL  FieldClass = "signed"     // a URL that each answer signs anew
	FieldSecret     FieldClass = "secret"     // is dropped, or masked where customers choose the names
	FieldBorrowed   FieldClass = "borrowed"   // what another object is called; compared only where its id is not beside it
)

// An UncomparedField is a part of a type's bodies that is not compared.
type UncomparedField struct {
	Path  string     `json:"path"` // as in a rule to ignore
	Class FieldClass `json:"class"`

	// Settles holds the values that count as another one, which is on its way
	// to them: {"Pending": "Active"}. The field is compared otherwise.
	Settles map[string]string `json:"settles,omitempty"`

	// Query is set if only the query of the URL is not compared.
	Query bool `json:"query,omitempty"`

	// Names is set if only the members below that are secrets by their names
	// are not compared: customers choose the names there.
	Names bool `json:"names,omitempty"`
}

// typeFields is what the table says of one type.
type typeFields struct {
	ignored    []string
	sets       []string
	borrowed   []string
	uncompared []UncomparedField
	border     border
}

var fieldsByType = sync.OnceValues(func() (map[string]*typeFields, error) { return parseFields(fieldsTSV) })

// reviewedFields returns what the table says of a type; nil for one that it does not know.
func reviewedFields(name string) *typeFields {
	types, err := fieldsByType()
	if err != nil {
		panic(err) // a test reads the embedded table
	}
	return types[name]
}

// withFields fills in what the table says of the type.
func (t ObjectType) withFields() ObjectType {
	if f := reviewedFields(t.Name); f != nil {
		t.fields, t.Volatile, t.Sets, t.Borrowed = f, f.ignored, f.sets, f.borrowed
	}
	return t
}

// Uncompared returns what is not compared in the bodies of the type, sorted by
// path. Members that are secrets by their names, wherever they stand, are not
// in it; see [SecretWords].
func (t ObjectType) Uncompared() []UncomparedField {
	if t.fields == nil {
		var all []UncomparedField
		for _, path := range t.Ignored() {
			all = append(all, UncomparedField{Path: path, Class: FieldState})
		}
		for _, path := range t.Borrowed {
			all = append(all, UncomparedField{Path: path, Class: FieldBorrowed})
		}
		for _, name := range t.Secrets {
			all = append(all, UncomparedField{Path: "**." + name, Class: FieldSecret})
		}
		return all
	}
	all := slices.Clone(t.fields.uncompared)
	slices.SortFunc(all, func(a, b UncomparedField) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// Ignored returns the paths to leave out when two bodies of the type are
// compared: its Volatile, and for a type that no table knows what moves in
// every reference to another object.
func (t ObjectType) Ignored() []string {
	if t.fields != nil {
		return t.Volatile
	}
	return append([]string{"**.selfUri", "**.dateModified"}, t.Volatile...)
}

// border returns what the type needs at the border.
func (t ObjectType) border() *border {
	b := border{secrets: t.Secrets, more: t.Secrets != nil}
	if t.fields != nil {
		b.start = t.fields.border.start
		b.more = b.more || t.fields.border.more
	}
	if b.start == nil && b.secrets == nil {
		return nil
	}
	return &b
}

// parseFields reads lines of types, a kind and its paths. Where the types are left out, they are
// those of the line above.
func parseFields(table string) (map[string]*typeFields, error) {
	types := map[string]*typeFields{}
	var all []*typeFields
	at := 0
	for line := range strings.Lines(table) {
		at++
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != 3 {
			return nil, fmt.Errorf("genesys: field table, line %d: %d columns, not 3", at, len(cells))
		}
		if cells[0] != "" || all == nil {
			all = append(all, &typeFields{})
		}
		f := all[len(all)-1]
		for name := range strings.FieldsSeq(cells[0]) {
			types[name] = f
		}
		for path := range strings.FieldsSeq(cells[2]) {
			if err := f.add(cells[1], path); err != nil {
				return nil, fmt.Errorf("genesys: field table, line %d: %w", at, err)
			}
		}
	}
	for _, f := range all {
		slices.Sort(f.ignored)
		f.ignored = slices.Compact(f.ignored)
	}
	return types, nil
}

func (f *typeFields) add(kind, path string) error {
	u := UncomparedField{Path: path, Class: FieldClass(kind)}
	f.border.more = f.border.more || kind == "settles" || kind == "secret" || kind == "names" || kind == "definitions"
	switch kind {
	case "identity", "provenance", "state", "counter":
		f.ignored = append(f.ignored, path)
	case "borrowed":
		f.borrowed = append(f.borrowed, path)
	case "ignoredURL":
		u.Class = FieldSignedURL
		f.ignored = append(f.ignored, path)
		f.border.at(path).query = true
	case "url":
		u.Class, u.Query = FieldSignedURL, true
		f.border.at(path).query = true
	case "settles":
		var values string
		u.Path, values, _ = strings.Cut(path, ":")
		u.Class, u.Settles = FieldState, map[string]string{}
		for value := range strings.SplitSeq(values, ",") {
			from, to, ok := strings.Cut(value, "=")
			if !ok {
				return fmt.Errorf("path %q: %q says not what it settles at", path, value)
			}
			u.Settles[from] = to
		}
		f.border.at(u.Path).settles = maps.Clone(u.Settles)
	case "secret":
		f.border.at(path).secret = true
	case "names":
		u.Class, u.Names = FieldSecret, true
		f.border.at(path).below = chosen
	case "definitions":
		f.border.at(path).below = defined
		return nil
	case "set":
		f.sets = append(f.sets, path)
		return nil
	default:
		return fmt.Errorf("kind %q is unknown", kind)
	}
	f.uncompared = append(f.uncompared, u)
	return nil
}

// at returns the place at a path, "." for the body itself.
func (b *border) at(path string) *place {
	if b.start == nil {
		b.start = &place{}
	}
	p := b.start
	if path == "." {
		return p
	}
	for name := range strings.SplitSeq(path, ".") {
		switch next := p.names[name]; {
		case name == "*" && p.any == nil:
			p.any = &place{}
			p = p.any
		case name == "*":
			p = p.any
		case next == nil:
			if p.names == nil {
				p.names = map[string]*place{}
			}
			p.names[name] = &place{}
			p.filter.Add(name)
			p = p.names[name]
		default:
			p = next
		}
	}
	return p
}
