package soak_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
)

// edited notes what an object is after an edit of it, and what that made of its
// parent and of its children.
func (m *month) edited(o *monthOrg, objectType, id string) {
	mt := o.byName[objectType]
	if mt == nil {
		return
	}
	body, _ := o.Object(objectType, id)
	o.note(mt, id, body)
	if parent := o.byName[mt.Parent]; parent != nil {
		body, _ := o.Object(parent.Name, monthParent(id))
		o.note(parent, monthParent(id), body)
	}
	for _, child := range o.types {
		if child.Parent != objectType {
			continue
		}
		for childID := range child.objects {
			if monthParent(childID) == id {
				below, _ := o.Object(child.Name, childID)
				if body == nil {
					below = nil // Object knows what was made below a parent that is gone
				}
				o.note(child, childID, below)
			}
		}
		if child.Paging == genesys.PagingSingleton {
			for childID, body := range o.Objects(child.Name) {
				if monthParent(childID) == id {
					o.note(child, childID, body)
				}
			}
		}
	}
}

// monthParent is the ID of the object that a child is listed under.
func monthParent(id string) string {
	parent, _, _ := strings.Cut(id, "/")
	return parent
}

// edit makes a random edit.
func (m *month) edit(o *monthOrg) {
	mt := o.types[m.random.IntN(len(o.types))]
	o.serial++
	kind := m.random.IntN(100)
	singleton := mt.Paging == genesys.PagingSingleton
	switch {
	case singleton && len(mt.live) == 0:
	case kind < 10 && !singleton:
		m.create(o, mt)
	case kind < 18 && !singleton:
		m.remove(o, mt)
	case kind < 22:
		m.restore(o)
	case kind < 32:
		id := m.one(mt)
		if o.Touch(mt.Name, id) == nil { // some types have nothing to touch
			m.counts["touched"]++
			m.edited(o, mt.Name, id)
		}
	case len(mt.live) > 0:
		m.modify(o, mt, m.one(mt))
	}
}

func (m *month) one(mt *monthType) string {
	if len(mt.live) == 0 {
		return "none"
	}
	return mt.live[m.random.IntN(len(mt.live))]
}

func (m *month) create(o *monthOrg, mt *monthType) {
	parent := ""
	if mt.Parent != "" {
		parent = m.one(o.byName[mt.Parent])
	}
	id, err := o.CreateChild(mt.Name, parent, map[string]any{"name": fmt.Sprint("New ", o.serial)})
	if err == nil { // the members of a group may all be in it
		m.counts["created"]++
		m.edited(o, mt.Name, id)
	}
}

func (m *month) remove(o *monthOrg, mt *monthType) {
	id := m.one(mt)
	if mt.Name == "oauth.clients" || len(mt.live) < 3 {
		return
	}
	if o.Delete(mt.Name, id) == nil {
		m.counts["deleted"]++
		m.edited(o, mt.Name, id)
	}
}

// removeMany deletes a large part of a type at once.
func (m *month) removeMany(o *monthOrg, mt *monthType) {
	for range len(mt.live) / 3 {
		m.remove(o, mt)
	}
	m.counts["mass deletions"]++
}

// restore brings a deleted object back, with the ID that it had.
func (m *month) restore(o *monthOrg) {
	if len(o.gone) == 0 {
		return
	}
	i := m.random.IntN(len(o.gone))
	name, id, _ := strings.Cut(o.gone[i], " ")
	o.gone = slices.Delete(o.gone, i, i+1)
	mt := o.byName[name]
	if slices.Contains(mt.live, id) || o.marksChildren(mt) || len(mt.Former) > 0 { // it would be another version
		return
	}
	if mt.soft() {
		require.NoError(m.t, o.Update(name, id, map[string]any{"state": "active"}))
	} else {
		parts := genesys.SplitID(id)
		parent := ""
		if mt.Parent != "" {
			parent = monthParent(id)
		}
		if _, err := o.CreateChild(name, parent, map[string]any{"id": parts[len(parts)-1], "name": fmt.Sprint("Back ", o.serial)}); err != nil {
			return // its parent is gone
		}
	}
	m.counts["restored"]++
	m.edited(o, name, id)
}

// marksChildren reports whether the marker of a type's objects stands for their
// children. The local org gives back an object with a marker that it had before.
func (o *monthOrg) marksChildren(mt *monthType) bool {
	return slices.ContainsFunc(o.types, func(child *monthType) bool { return child.Parent == mt.Name && len(child.Marker) > 0 })
}

// modify changes a member of an object, and sometimes takes that back at once.
func (m *month) modify(o *monthOrg, mt *monthType, id string) {
	body, ok := o.Object(mt.Name, id)
	require.True(m.t, ok)
	var object map[string]json.RawMessage
	require.NoError(m.t, json.Unmarshal(body, &object))
	patch, back := m.patch(o, mt, object)
	if patch == nil {
		return
	}
	require.NoError(m.t, o.Update(mt.Name, id, patch))
	m.counts["updated"]++
	m.edited(o, mt.Name, id)
	if back != nil && m.random.IntN(12) == 0 {
		m.at(m.later(time.Second, 20*time.Minute), func() {
			if o.Update(mt.Name, id, back) == nil { // it may be gone meanwhile
				m.counts["taken back"]++
				m.edited(o, mt.Name, id)
			}
		})
	}
}

// patch draws a change of an object, and the one that takes it back.
func (m *month) patch(o *monthOrg, mt *monthType, object map[string]json.RawMessage) (patch, back map[string]any) {
	n := o.serial
	set := func(key string, value any) (map[string]any, map[string]any) {
		return map[string]any{key: value}, map[string]any{key: object[key]}
	}
	switch kind := m.random.IntN(10); {
	case mt.Name == "oauth.clients" && kind < 4:
		m.counts["secrets rotated"]++
		return set("secret", fmt.Sprint("rotated-", n))
	case kind == 0 && object["division"] != nil:
		m.counts["moved"]++
		return set("division", map[string]any{"id": m.division(o), "name": "Moved"})
	case mt.otherwise: // values only; see monthupgrade_test.go
		if kind < 6 && object["description"] != nil {
			return set("description", fmt.Sprint("Description ", n))
		}
		return set(mt.Title, fmt.Sprint("Name ", n))
	case kind < 3 && mt.Title == "name":
		return set("name", fmt.Sprint("Name ", n))
	case kind < 5:
		return set("limit", json.RawMessage([]string{"9007199254740993", "9007199254740992", "9007199254740992.0", "1e3", "1000"}[n%5]))
	case kind < 6 && mt.toggled == "":
		return map[string]any{"settings": map[string]any{"nested": map[string]any{"depth": n, "text": "ümlaut\u2028"}, "list": []int{n, 2, 3}}},
			map[string]any{"settings": nil}
	case kind < 8:
		if patch, back := m.reorder(mt, object); patch != nil {
			return patch, back
		}
	}
	if _, ok := object["description"]; ok && m.random.IntN(5) == 0 {
		return set("description", nil)
	}
	return set("description", fmt.Sprint("Description ", n))
}

// reorder turns a list of an object round, takes an element out of it or adds one.
func (m *month) reorder(mt *monthType, object map[string]json.RawMessage) (patch, back map[string]any) {
	for _, key := range sortedKeys(object) {
		var list []json.RawMessage
		if json.Unmarshal(object[key], &list) != nil || len(list) < 2 || slices.Contains(mt.Volatile, key) {
			continue
		}
		back = map[string]any{key: slices.Clone(list)}
		switch m.random.IntN(3) {
		case 0:
			list = list[1:]
		default:
			list = append(list[1:], list[0])
			m.counts["reordered"]++
		}
		return map[string]any{key: list}, back
	}
	return nil, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
