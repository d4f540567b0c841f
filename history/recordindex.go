package history

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// A recordIndex finds the records that may be about a change without looking at all of them. It gives
// some that are about something else, or of another time, and leaves out none that the join would
// take. Records that were let go stay in it and are skipped.
type recordIndex map[recordTarget][]*keptRecord

// A recordTarget is what records are filed under: one object, what is below one, or a type.
type recordTarget struct {
	typeName, id string
	below        bool
}

func (x recordIndex) add(e *keptRecord) {
	for _, t := range e.Targets {
		k := recordTarget{typeName: t.Type, id: t.ID}
		if t.ID == "" {
			k.id, k.below = t.Below, t.Below != ""
		}
		if filed := x[k]; len(filed) == 0 || filed[len(filed)-1] != e {
			x[k] = append(filed, e)
		}
	}
}

// of yields the records that a change may be explained by, some perhaps twice. The parent is the type
// that the object is listed under, "" at the top. A record is filed under what its targets say, which
// may be the object, its type alone, or something that the object is below: each beginning of its
// id that ends before a slash, its parent, and the parent as an object, with which it came or went.
func (x recordIndex) of(parent string, f *fact) iter.Seq[*keptRecord] {
	return func(yield func(*keptRecord) bool) {
		places := []recordTarget{{typeName: f.Type, id: f.ID}, {typeName: f.Type}, {f.Type, f.ID, true}}
		for i, r := range f.ID {
			if r == '/' {
				places = append(places, recordTarget{f.Type, f.ID[:i], true})
			}
		}
		if f.Parent != "" {
			if !strings.HasPrefix(f.ID, f.Parent+"/") {
				places = append(places, recordTarget{f.Type, f.Parent, true})
			}
			places = append(places, recordTarget{typeName: parent, id: f.Parent})
		}
		for _, k := range places {
			for _, e := range x[k] {
				if !e.isGone && !yield(e) {
					return
				}
			}
		}
	}
}

// explaining returns the records that may explain one of the changes of an object, in their order.
func (x recordIndex) explaining(parent string, facts []fact) []*keptRecord {
	var found []*keptRecord
	for i := range facts {
		for e := range x.of(parent, &facts[i]) {
			if inSpan(&facts[i], e) {
				found = append(found, e)
			}
		}
	}
	slices.SortFunc(found, func(a, b *keptRecord) int { return cmp.Compare(a.key, b.key) })
	return slices.Compact(found)
}
