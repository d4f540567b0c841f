package soak_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// A monthState is what an object was from an instant on, in the org's own words.
type monthState struct {
	at       time.Time
	raw      []byte // nil: it did not exist
	division string
	text     *monthText
}

// A monthText is a body as a history has to see it, written by this test's own
// rules and not by those of package history: ignored members are left out, sets
// sorted, numbers exact. Apart stand the member that a rule ignores at times, the members that an older catalogue does
// not read, and the fields that the platform brought.
type monthText struct{ main, toggled, newer, platform string }

// A monthObject is an object with all its states, oldest first.
type monthObject struct {
	id     string
	states []*monthState
}

// at returns the index of the state at an instant, -1 for before the first. An
// edit at that very instant is not seen.
func (o *monthObject) at(t time.Time) int {
	n, _ := slices.BinarySearchFunc(o.states, t, func(s *monthState, t time.Time) int { return s.at.Compare(t) })
	return n - 1
}

// steady reports whether the object is one and the same in [from, to], and its state.
func (o *monthObject) steady(from, to time.Time) (*monthState, bool) {
	i := o.at(from)
	if i+1 < len(o.states) && !o.states[i+1].at.After(to) {
		return nil, false
	}
	if i < 0 {
		return &monthState{}, true
	}
	return o.states[i], true
}

// A monthType is the truth about an object type of an org, and what the engine
// said and the org counted while it was read.
type monthType struct {
	genesys.ObjectType
	toggled    string          // member that a rule ignores at times
	omitted    map[string]bool // members of the objects that the list call leaves out
	ignored    [][]string
	sets       [][]string
	others     [][]string      // paths of members that are borrowed
	platform   [][]string      // paths of what releases brought or took
	releasedAt []time.Time     // when the platform was released; nobody audits that
	otherwise  bool            // an older catalogue read it in another way
	newer      map[string]bool // members that the older catalogue does not read
	objects    map[string]*monthObject
	live       []string // IDs, for a random choice
	lied       bool     // a page of it was lost without a trace

	reads  []monthRead // requests for the type, in their order
	passes []monthPass // that ended, in their order
	moves  []time.Time // instants at which an object came, went or changed its division
}

// A monthRead is a request that the org answered.
type monthRead struct {
	at    time.Time
	fault string
}

func newMonthType(t genesys.ObjectType, toggled string) *monthType {
	mt := &monthType{ObjectType: t, toggled: toggled, omitted: map[string]bool{}, newer: map[string]bool{}, objects: map[string]*monthObject{}}
	for _, path := range t.Ignored() {
		mt.ignored = append(mt.ignored, strings.Split(path, "."))
	}
	for _, path := range t.Sets {
		mt.sets = append(mt.sets, strings.Split(path, "."))
	}
	for _, path := range t.Borrowed {
		mt.others = append(mt.others, strings.Split(path, "."))
	}
	return mt
}

// exists reports whether a body is that of an object: languages and sites stay in their lists when they are deleted.
func (mt *monthType) exists(body []byte) bool {
	return body != nil && (!mt.soft() || !bytes.Contains(body, []byte(`"state":"deleted"`)))
}

func (mt *monthType) soft() bool {
	return mt.Name == "routing.languages" || mt.Name == "telephony.sites"
}

// textOf is the text of a state.
func (mt *monthType) textOf(s *monthState) monthText {
	if s.text == nil {
		text := mt.compared(s.raw, mt.omitted)
		s.text = &text
	}
	return *s.text
}

// compared makes the text of a body without the omitted members.
func (mt *monthType) compared(raw []byte, omitted map[string]bool) monthText {
	if !mt.exists(raw) {
		return monthText{}
	}
	tree := monthTree(raw)
	if top, ok := tree.(map[string]any); ok {
		maps.DeleteFunc(top, func(key string, _ any) bool { return omitted[key] })
	}
	monthPrune(tree, mt.ignored, false)
	monthPrune(tree, mt.others, true)
	var text monthText
	for _, path := range mt.platform {
		text.platform += monthPick(tree, path) + "\n"
	}
	monthPrune(tree, mt.platform, false)
	for _, f := range mt.Uncompared() {
		if f.Settles != nil {
			monthSettle(tree, strings.Split(f.Path, "."), f.Settles)
		}
	}
	for _, path := range mt.sets {
		monthSort(tree, path)
	}
	if top, ok := tree.(map[string]any); ok && mt.toggled != "" {
		if v, ok := top[mt.toggled]; ok {
			text.toggled = monthJSON(v)
			delete(top, mt.toggled)
		}
	}
	if top, ok := tree.(map[string]any); ok {
		text.newer = monthTake(top, mt.newer)
	}
	text.main = monthJSON(tree)
	return text
}

// monthTake takes members out of an object; "" if it has none of them.
func monthTake(object map[string]any, names map[string]bool) string {
	taken := map[string]any{}
	for name, value := range object {
		if names[name] {
			taken[name] = value
			delete(object, name)
		}
	}
	if len(taken) == 0 {
		return ""
	}
	return monthJSON(taken)
}

// monthSettle puts the value that a member settles at in place of one that is on its way to it.
func monthSettle(v any, path []string, settles map[string]string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			monthSettle(e, path, settles)
		}
	case map[string]any:
		if len(path) > 1 {
			monthSettle(v[path[0]], path[1:], settles)
		} else if text, ok := v[path[0]].(string); ok {
			v[path[0]] = cmp.Or(settles[text], text)
		}
	}
}

// monthTree decodes JSON with exact numbers.
func monthTree(raw []byte) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		panic(err) // the org and the history make JSON
	}
	return monthNumbers(tree)
}

func monthNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = monthNumbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = monthNumbers(v[i])
		}
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return "number " + r.RatString()
		}
	}
	return v
}

func monthJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	return string(raw)
}

// monthPrune removes what the paths name, perhaps only beside an id; * is any member, ** any depth.
func monthPrune(v any, paths [][]string, besideID bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			monthPrune(e, paths, besideID)
		}
	case map[string]any:
		id, _ := v["id"].(string)
		for key, value := range v {
			var below [][]string
			for _, path := range paths {
				below = append(below, monthStep(path, key)...)
			}
			isNamed := slices.ContainsFunc(below, func(path []string) bool { return len(path) == 0 })
			if isNamed && (!besideID || id != "" && key != "id") {
				delete(v, key)
				continue
			}
			monthPrune(value, below, besideID)
		}
	}
}

// monthStep returns what is left of a path behind a member.
func monthStep(path []string, key string) [][]string {
	if len(path) == 0 {
		return nil
	}
	switch path[0] {
	case "**":
		return append(monthStep(path[1:], key), path)
	case "*", key:
		return [][]string{path[1:]}
	}
	return nil
}

func monthSort(v any, path []string) {
	switch v := v.(type) {
	case []any:
		if len(path) > 0 {
			for _, e := range v {
				monthSort(e, path)
			}
			return
		}
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(monthIdentity(a), monthIdentity(b)) })
	case map[string]any:
		switch {
		case len(path) == 0:
		case path[0] == "**":
			for _, value := range v {
				monthSort(value, path)
			}
			monthSort(v, path[1:])
		case path[0] == "*":
			for _, value := range v {
				monthSort(value, path[1:])
			}
		default:
			monthSort(v[path[0]], path[1:])
		}
	}
}

func monthIdentity(v any) string {
	if o, ok := v.(map[string]any); ok {
		for _, key := range []string{"id", "key", "name"} {
			if s, ok := o[key].(string); ok && s != "" {
				return s
			}
		}
	}
	return monthJSON(v)
}

// enumerate notes every object of a type as it is now.
func (o *monthOrg) enumerate(mt *monthType) {
	for id, body := range o.Objects(mt.Name) {
		o.note(mt, id, body)
	}
}

// note adds to the truth that an object is this from now on; nil: it does not exist.
func (o *monthOrg) note(mt *monthType, id string, body []byte) {
	object := mt.objects[id]
	if object == nil {
		object = &monthObject{id: id}
		mt.objects[id] = object
	}
	i := slices.Index(mt.live, id)
	switch there := mt.exists(body); {
	case there && i < 0:
		mt.live = append(mt.live, id)
	case !there && i >= 0:
		mt.live = slices.Delete(mt.live, i, i+1)
		o.gone = append(o.gone, mt.Name+" "+id)
	}
	object.become(body)
}

// become adds to the truth that the object is this from now on, if it was something else.
func (o *monthObject) become(body []byte) {
	if last := len(o.states) - 1; last >= 0 && string(o.states[last].raw) == string(body) {
		return
	}
	o.states = append(o.states, &monthState{at: time.Now(), raw: slices.Clone(body), division: monthDivision(body)})
}
