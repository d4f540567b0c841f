package environment

import (
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
)

// Selected returns the object types that an environment syncs, each type after
// the one it is listed under.
func (e *Engine) Selected(r Record) []genesys.ObjectType {
	return selected(e.types, r)
}

func selected(types []genesys.ObjectType, r Record) []genesys.ObjectType {
	resolve := resolver(types)
	byName := make(map[string]genesys.ObjectType, len(types))
	want := map[string]bool{}
	for _, t := range types {
		byName[t.Name] = t
		want[t.Name] = t.Default && len(r.Objects) == 0
	}
	for _, object := range r.Objects {
		if name, ok := resolve(object); ok {
			want[name] = true
		}
	}
	if len(r.Objects) == 0 {
		for _, entry := range r.Polling {
			if name, ok := resolve(entry.Object); ok {
				want[name] = !isOff(entry.Cron)
			}
		}
	}
	for _, t := range types {
		if want[t.Name] {
			for parent := t.Parent; parent != "" && !want[parent]; parent = byName[parent].Parent {
				want[parent] = true
			}
		}
	}
	var chosen []genesys.ObjectType
	for _, t := range types {
		if want[t.Name] {
			chosen = append(chosen, t)
		}
	}
	slices.SortStableFunc(chosen, func(a, b genesys.ObjectType) int { return depth(byName, a) - depth(byName, b) })
	return chosen
}

// depth counts the types that a type is listed under.
func depth(byName map[string]genesys.ObjectType, t genesys.ObjectType) int {
	n := 0
	for ; t.Parent != "" && n <= len(byName); n++ {
		t = byName[t.Parent]
	}
	return n
}

func isOff(cron string) bool { return strings.EqualFold(strings.TrimSpace(cron), "off") }
