package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// An estate is a random org: queues that refer to users, flows and each other, and below each
// queue its members, whose ids end with those of users.
type estate struct {
	rnd     *rand.Rand
	objects map[string]map[string]map[string]any // by type and id
	parents map[string]string                    // of the members, by id
	uuid    map[string]string                    // what stands for the ids of the first estate in this one
	ignored []string                             // more than estateRules ignore
}

var estateTypes = []string{"flows", "queues", "users", "queues.members", "languages"}

var estateModels = map[string]Model{
	"queues":         {NaturalKey: []string{"name"}, Provenance: []string{"modifiedBy"}, References: []TypedReference{{"language", "languages"}}},
	"queues.members": {Parent: "queues"},
}

var estateRules = diff.Rules{Ignore: []string{"version", "**.selfUri"}, Sets: []string{"skills"}}

func newUUID(rnd *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rnd.Uint32(), rnd.IntN(1<<16), rnd.IntN(1<<12), rnd.IntN(1<<12), rnd.Int64N(1<<48))
}

func newEstate(seed uint64) *estate {
	e := &estate{rnd: rand.New(rand.NewPCG(seed, 7)), objects: map[string]map[string]map[string]any{}, parents: map[string]string{}}
	for _, typeName := range estateTypes {
		e.objects[typeName] = map[string]map[string]any{}
	}
	for n := range 12 {
		for _, typeName := range []string{"flows", "queues", "users"} {
			id := newUUID(e.rnd)
			e.objects[typeName][id] = map[string]any{"id": id, "name": fmt.Sprint(typeName, " ", n), "selfUri": "/api/v2/" + typeName + "/" + id}
		}
	}
	for _, code := range []string{"en-us", "de-at"} {
		e.objects["languages"][code] = map[string]any{"id": code, "name": code}
	}
	for _, id := range e.ids("queues") {
		for _, user := range e.ids("users") {
			if e.rnd.IntN(4) == 0 {
				key := id + "/" + user
				e.objects["queues.members"][key] = map[string]any{"id": user, "name": "row", "ring": e.rnd.IntN(3)}
				e.parents[key] = id
			}
		}
	}
	for range 100 {
		e.edit()
	}
	return e
}

func (e *estate) ids(typeName string) []string { return slices.Sorted(maps.Keys(e.objects[typeName])) }

func (e *estate) any(typeName string) string {
	ids := e.ids(typeName)
	return ids[e.rnd.IntN(len(ids))]
}

// edit changes something in an object, and returns the object; it renames nothing.
func (e *estate) edit() Ref {
	typeName := []string{"flows", "queues"}[e.rnd.IntN(2)]
	id := e.any(typeName)
	o := e.objects[typeName][id]
	other := e.any([]string{"flows", "queues", "users"}[e.rnd.IntN(3)])
	nested, _ := json.Marshal(map[string]any{"target": other, "n": e.rnd.IntN(1e9)})
	switch e.rnd.IntN(8) {
	case 0:
		o["flow"] = map[string]any{"id": other, "n": e.rnd.IntN(1e9)}
	case 1:
		o["text"] = string(nested)
	case 2:
		o["uri"] = fmt.Sprintf("/api/v2/flows/%s/x%d", other, e.rnd.IntN(1e9))
	case 3:
		o["byID"] = map[string]any{other: e.rnd.IntN(1e9)}
	case 4:
		o["skills"] = []any{map[string]any{"id": other, "n": e.rnd.IntN(1e9)}, map[string]any{"id": e.any("users")}}
	case 5:
		o["modifiedBy"] = map[string]any{"id": e.any("users"), "n": e.rnd.IntN(1e9)}
	case 6:
		o["language"] = []string{"en-us", "de-at", "xx"}[e.rnd.IntN(3)]
		o["n"] = e.rnd.IntN(1e9)
	case 7:
		o["list"] = []any{"a\n" + other, "x" + other, "\u00e9" + other + "é", e.rnd.IntN(1e9)}
	}
	return Ref{Type: typeName, ID: id}
}

// record makes a pass over each type.
func (e *estate) record(t *testing.T, h *History) {
	t.Helper()
	rules := estateRules
	rules.Ignore = append(slices.Clone(rules.Ignore), e.ignored...)
	for _, typeName := range estateTypes {
		var all []Object
		for _, id := range e.ids(typeName) {
			body, err := json.Marshal(e.translate(e.objects[typeName][id]))
			require.NoError(t, err)
			name, _ := e.objects[typeName][id]["name"].(string)
			all = append(all, Object{ID: e.as(id), Name: name, Parent: e.as(e.parents[id]), Body: body})
		}
		passOver(t, h, typeName, rules, Walk{Complete: true}, all...)
		passOver(t, h, typeName, rules, Walk{Complete: true}, all...) // confirms removals
	}
}

var word = regexp.MustCompile(`[0-9A-Za-z-]+`)

// translate returns a value with the ids of this estate in place of those of the first one.
func (e *estate) translate(v any) any {
	text := func(s string) string {
		return word.ReplaceAllStringFunc(s, func(w string) string { return cmp.Or(e.uuid[w], w) })
	}
	switch v := v.(type) {
	case string:
		return text(v)
	case []any:
		list := []any{}
		for _, x := range v {
			list = append(list, e.translate(x))
		}
		return list
	case map[string]any:
		o := map[string]any{}
		for k, x := range v {
			o[text(k)] = e.translate(x)
		}
		return o
	}
	return v
}

// as returns the id that stands for one of the first estate.
func (e *estate) as(id string) string {
	parts := strings.Split(id, "/")
	for i, part := range parts {
		if to := e.uuid[part]; to != "" {
			parts[i] = to
		}
	}
	return strings.Join(parts, "/")
}

func openEstate(t *testing.T, environment int64) *History {
	t.Helper()
	h, err := Open(t.Context(), memory.New(), environment, &Options{Models: estateModels})
	require.NoError(t, err)
	return h
}

var bruteUUID = regexp.MustCompile(`(?:^|[^0-9A-Za-z])([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:$|[^0-9A-Za-z])`)

// bruteReferences finds all references at a time by decoding every body of AsOf.
func bruteReferences(t *testing.T, h *History, at time.Time, known map[string]map[string]bool) (found []string, live map[string]bool) {
	t.Helper()
	live = map[string]bool{}
	var all []Version
	for _, typeName := range estateTypes {
		for _, v := range collect(t, h.AsOf(t.Context(), typeName, at)) {
			live[typeName+" "+v.ID] = true
			all = append(all, v)
		}
	}
	refs := map[string]bool{}
	for _, v := range all {
		add := func(path, text string) {
			for _, match := range bruteUUID.FindAllStringSubmatch(text, -1) {
				for _, typeName := range []string{"flows", "queues", "users"} {
					if known[typeName][match[1]] && (typeName != v.Type || match[1] != v.ID) {
						refs[fmt.Sprintf("%s %s -> %s %s at %s", v.Type, v.ID, typeName, match[1], path)] = true
					}
				}
			}
			if v.Type == "queues" && path == "/language" && known["languages"][text] {
				refs[fmt.Sprintf("%s %s -> languages %s at %s", v.Type, v.ID, text, path)] = true
			}
		}
		var body any
		require.NoError(t, json.Unmarshal(v.Body, &body))
		var walk func(path string, x any)
		walk = func(path string, x any) {
			switch x := x.(type) {
			case string:
				add(path, x)
			case []any:
				for i, e := range x {
					walk(fmt.Sprint(path, "/", i), e)
				}
			case map[string]any:
				for k, e := range x {
					if k == "selfUri" || v.Type == "queues" && path == "" && k == "modifiedBy" {
						continue
					}
					p := path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
					add(p, k)
					walk(p, e)
				}
			}
		}
		walk("", body)
	}
	return slices.Sorted(maps.Keys(refs)), live
}

func flat(refs []Reference) (all []string) {
	for _, r := range refs {
		for _, p := range r.Paths {
			all = append(all, fmt.Sprintf("%s %s -> %s %s at %s", r.From.Type, r.From.ID, r.To.Type, r.To.ID, p))
		}
	}
	sort.Strings(all)
	return all
}

// References, Referrers and Dangling say what a search by brute force says, now and at any time.
func TestReferencesEqualBruteForce(t *testing.T) {
	for seed := range seeds(1) {
		synctest.Test(t, func(t *testing.T) {
			e, h := newEstate(seed), openEstate(t, 1)
			known := map[string]map[string]bool{}
			var times []time.Time
			for range 4 {
				for _, typeName := range estateTypes {
					if known[typeName] == nil {
						known[typeName] = map[string]bool{}
					}
					for id := range e.objects[typeName] {
						known[typeName][id] = true
					}
				}
				e.record(t, h)
				times = append(times, tick())
				tick()
				for range 15 {
					e.edit()
				}
				for _, typeName := range []string{"users", "flows"} {
					id := e.any(typeName)
					delete(e.objects[typeName], id)
				}
			}
			for _, at := range []time.Time{times[seed%2], times[seed%2+2], {}} {
				brute := at
				if at.IsZero() {
					brute = time.Now()
				}
				want, live := bruteReferences(t, h, brute, known)
				require.NotEmpty(t, want)
				opts := &ReferenceOptions{At: at}
				var out, in []Reference
				for _, typeName := range estateTypes {
					for id := range known[typeName] {
						if live[typeName+" "+id] {
							some, err := h.References(t.Context(), typeName, id, opts)
							require.NoError(t, err)
							out = append(out, some...)
						} else if _, err := h.References(t.Context(), typeName, id, opts); !errors.Is(err, ErrNotFound) {
							t.Fatalf("references of an object that was not there: %v", err)
						}
						in = append(in, collect(t, h.Referrers(t.Context(), typeName, id, opts))...)
					}
				}
				require.Equal(t, want, flat(out))
				require.Equal(t, want, flat(in))
				var broken []Reference
				for _, r := range out {
					require.Equal(t, live[r.To.Type+" "+r.To.ID], r.Live)
					if !r.Live {
						broken = append(broken, r)
					}
				}
				require.Equal(t, flat(broken), flat(collect(t, h.Dangling(t.Context(), opts))))
			}
		})
	}
}

// clone returns the estate with other ids in place of all.
func (e *estate) clone() *estate {
	c := *e
	c.uuid = map[string]string{}
	for _, typeName := range []string{"flows", "queues", "users"} {
		for _, id := range e.ids(typeName) {
			c.uuid[id] = newUUID(e.rnd)
		}
	}
	c.objects = map[string]map[string]map[string]any{}
	for typeName, objects := range e.objects {
		c.objects[typeName] = map[string]map[string]any{}
		for id, o := range objects {
			c.objects[typeName][id] = maps.Clone(o)
		}
	}
	return &c
}

// Two orgs whose every id differs compare as equal, and after edits exactly these differ.
func TestCompareOfAClone(t *testing.T) {
	for seed := range seeds(4) {
		synctest.Test(t, func(t *testing.T) {
			e := newEstate(seed)
			c := e.clone()
			a, b := openEstate(t, 1), openEstate(t, 2)
			e.record(t, a)
			c.record(t, b)
			require.Empty(t, collect(t, Compare(t.Context(), Side{History: a}, Side{History: b}, nil)))
			before := tick()
			tick()
			want := map[string]bool{}
			for range seed + 1 {
				r := c.edit()
				if r.Type == "queues" && string(must(json.Marshal(c.objects[r.Type][r.ID]["modifiedBy"]))) !=
					string(must(json.Marshal(e.objects[r.Type][r.ID]["modifiedBy"]))) {
					c.objects[r.Type][r.ID]["n"] = 1e12 // who did it is no difference
				}
				want[r.Type+" "+c.as(r.ID)] = true
			}
			lost := c.any("users")
			delete(c.objects["users"], lost)
			c.record(t, b)
			got := map[string]bool{}
			for _, d := range collect(t, Compare(t.Context(), Side{History: a}, Side{History: b}, nil)) {
				switch d.Kind {
				case DifferenceOnlyA:
					require.Equal(t, "users "+lost, d.A[0].Type+" "+d.A[0].ID)
				default:
					require.Equal(t, DifferenceFields, d.Kind)
					require.NotEmpty(t, d.Fields)
					got[d.Type+" "+d.B[0].ID] = true
				}
			}
			require.Equal(t, want, got)
			require.Empty(t, collect(t, Compare(t.Context(), Side{History: a}, Side{History: b, At: before}, nil)))
			// One org at two times.
			got = map[string]bool{}
			for _, d := range collect(t, Compare(t.Context(), Side{History: b, At: before}, Side{History: b}, nil)) {
				if d.Kind == DifferenceFields {
					got[d.Type+" "+d.B[0].ID] = true
				}
			}
			require.Equal(t, want, got)
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCompareSaysWhatItCannot(t *testing.T) {
	a, b := openEstate(t, 1), openEstate(t, 2)
	named := func(id, name, n string) Object {
		return Object{ID: id, Name: name, Body: fmt.Appendf(nil, `{"name":%q,"n":%s}`, name, n)}
	}
	pass := func(h *History, typeName string, objects ...Object) {
		passOver(t, h, typeName, diff.Rules{}, Walk{Complete: true}, objects...)
	}
	pass(a, "queues", named("1", "Support-test", "1"), named("2", "Twin", "1"), named("3", "Twin", "2"), named("4", "Old", "1"))
	pass(b, "queues", named("5", "Support-prod", "1"), named("6", "Twin", "1"), named("7", "New", "2"))
	pass(a, "users")
	pass(a, "flows")
	pass(b, "flows")
	short := func(opts *CompareOptions, unreadable func(string) string) (all []string) {
		for _, d := range collect(t, Compare(t.Context(), Side{History: a}, Side{History: b, Unreadable: unreadable}, opts)) {
			all = append(all, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", d.Kind, d.Type, d.Key, d.Reason)), " "))
		}
		return all
	}
	require.Equal(t, []string{
		"only_b queues New", "only_a queues Old", "only_b queues Support-prod", "only_a queues Support-test",
		"ambiguous queues Twin several objects have this natural key",
		"unreadable users the second side: the type was never read",
	}, short(nil, nil))
	require.Equal(t, []string{
		"unreadable flows the second side: missing permission",
		"fields queues New", "ambiguous queues Twin several objects have this natural key",
		"unreadable users the second side: the type was never read",
	}, short(&CompareOptions{
		Substitute: []Substitution{{"-test", "-prod"}},
		Match:      map[Ref]Ref{{Type: "queues", ID: "4"}: {Type: "queues", ID: "7"}},
	}, func(typeName string) string {
		if typeName == "flows" {
			return "missing permission"
		}
		return ""
	}))
	require.Equal(t, []string{"ambiguous queues Twin several objects have this natural key"}, short(&CompareOptions{
		Types: []string{"queues"}, Substitute: []Substitution{{"-test", "-prod"}}, Ignore: []IgnoredField{{"queues", "n"}, {"queues", "name"}},
		Match: map[Ref]Ref{{Type: "queues", ID: "4"}: {Type: "queues", ID: "7"}},
	}, nil))
}

func TestSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		pass(t, h, diff.Rules{Ignore: []string{"noise"}}, obj("a", `"phone":"+43 1 \"x\"","n":42,"noise":"secret word"`), obj("b", `"list":[{"phone":"+44"},{"phone":"+43"}]`))
		then := tick()
		tick()
		pass(t, h, diff.Rules{Ignore: []string{"noise"}}, obj("a", `"phone":"none","n":42`), obj("b", `"list":[]`))
		find := func(q Search) (all []string) {
			for _, hit := range collect(t, h.Search(t.Context(), q)) {
				all = append(all, hit.ID+" "+strings.Join(hit.Paths, ","))
			}
			return all
		}
		require.Equal(t, []string{"a /phone", "b /list/1/phone"}, find(Search{Text: "+43", At: then}))
		require.Empty(t, find(Search{Text: "+43"}))
		require.Equal(t, []string{"a /phone"}, find(Search{Text: `1 "x"`, At: then}))
		require.Equal(t, []string{"b /list/0/phone,/list/1/phone"}, find(Search{Pattern: regexp.MustCompile(`^\+4[34]$`), At: then}))
		require.Equal(t, []string{"a /n"}, find(Search{Text: "42"}))
		require.Equal(t, []string{"b /list/1/phone"}, find(Search{Text: "43", Fields: []string{"list.phone"}, At: then}))
		require.Empty(t, find(Search{Text: "42", Fields: []string{"name"}}))
		for _, q := range []Search{{}, {Text: "x", Pattern: regexp.MustCompile("x")}, {Pattern: regexp.MustCompile("x*")}, {Text: "x", Fields: []string{""}}} {
			for _, err := range h.Search(t.Context(), q) {
				require.Error(t, err)
			}
		}
	})
}

// Undo of each change of a random log, alone, gives the body in which the edit had not been made;
// where a later edit changed the same field, that one stays and is a conflict.
func TestUndoOfARandomLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(30) {
			h := newHistory(t)
			rnd := rand.New(rand.NewPCG(seed, 3))
			type edit struct {
				field, value int
				seq          uint64
			}
			const fields = 6
			body := func(edits []edit, without int) map[string]any {
				members := []any{}
				o := map[string]any{"id": "a", "version": len(edits)}
				values := [fields]int{}
				for i, e := range edits {
					if i != without {
						values[e.field] = e.value
					}
				}
				for i, v := range values {
					if i < 3 {
						o[fmt.Sprint("f", i)] = v
					} else if v > 0 {
						members = append(members, map[string]any{"id": fmt.Sprint("m", i), "ring": v, "selfUri": "/x"})
					}
				}
				o["members"] = members
				return o
			}
			rules := diff.Rules{Ignore: []string{"version", "**.selfUri"}}
			var edits []edit
			record := func() {
				pass(t, h, rules, Object{ID: "a", Name: "A", Body: must(json.Marshal(body(edits, -1)))})
			}
			record()
			for range 8 {
				edits = append(edits, edit{field: rnd.IntN(fields), value: rnd.IntN(1e9)})
				record()
				edits[len(edits)-1].seq = must(h.Cursor(t.Context()))
			}
			for i, e := range edits {
				plan, err := h.Undo(t.Context(), e.seq)
				require.NoError(t, err)
				require.JSONEq(t, string(must(json.Marshal(body(edits, i)))), string(plan.Body), "seed %d, edit %d", seed, i)
				later := slices.ContainsFunc(edits[i+1:], func(x edit) bool { return x.field == e.field })
				require.Equal(t, later, len(plan.Conflicts) > 0, "seed %d, edit %d of %v: %v", seed, i, edits, plan.Conflicts)
			}
		}
	})
}

func TestUndoOfComingAndGoing(t *testing.T) {
	h := openEstate(t, 1)
	a, b := newUUID(rand.New(rand.NewPCG(1, 1))), newUUID(rand.New(rand.NewPCG(2, 1)))
	first, second := obj(a, `"n":1`), obj(b, `"friend":%q`, a)
	pass(t, h, diff.Rules{}, second)
	_, err := h.Undo(t.Context(), must(h.Cursor(t.Context())))
	require.ErrorIs(t, err, ErrUndone, "nobody made what was there before")
	pass(t, h, diff.Rules{}, first, second)
	created := must(h.Cursor(t.Context()))
	plan, err := h.Undo(t.Context(), created)
	require.NoError(t, err)
	require.True(t, plan.Delete)
	require.Equal(t, []string{"/friend"}, plan.Referrers[0].Paths)
	pass(t, h, diff.Rules{}, second)
	pass(t, h, diff.Rules{}, second)
	deleted := must(h.Cursor(t.Context()))
	plan, err = h.Undo(t.Context(), deleted)
	require.NoError(t, err)
	require.True(t, plan.Create)
	require.JSONEq(t, string(first.Body), string(plan.Body))
	require.Len(t, plan.Referrers, 1)
	_, err = h.Undo(t.Context(), created)
	require.ErrorIs(t, err, ErrUndone)
	_, err = h.Undo(t.Context(), deleted+10)
	require.ErrorIs(t, err, ErrNotFound)
}

// Exports are the same byte for byte while nothing changes, and in them each path is taken by every file system.
func TestExport(t *testing.T) {
	e, h := newEstate(1), openEstate(t, 1)
	for i, name := range []string{"CON", "a/b", "A", "a", "", strings.Repeat("ü", 300), "..", "x:y ", "e\u0301"} {
		id := fmt.Sprint("odd", i)
		e.objects["flows"][id] = map[string]any{"id": id, "name": name}
	}
	e.record(t, h)
	files := collect(t, h.Export(t.Context(), nil))
	require.Equal(t, files, collect(t, h.Export(t.Context(), nil)))
	paths := map[string]bool{}
	for _, f := range files {
		require.Regexp(t, `^[a-z.]+(/[^%/\\:*?"<>|.\x00-\x1f ]([^/\\:*?"<>|\x00-\x1f]*[^/\\:*?"<>|\x00-\x1f ])?|/%[^/\\:*?"<>|\x00-\x1f]*)+\.json$`, f.Path)
		require.False(t, paths[strings.ToLower(f.Path)], f.Path)
		paths[strings.ToLower(f.Path)] = true
		require.True(t, json.Valid(f.Data))
		require.NotContains(t, string(f.Data), "selfUri")
	}
	require.Contains(t, paths, "flows/%43on.json")
	require.Contains(t, paths, "flows/a%2fb.json")
	require.Contains(t, paths, "flows/a odd2.json")
	require.Contains(t, paths, "flows/a odd3.json")
	require.Contains(t, paths, "queues/queues 3.json")
}

// Files that follow the log step by step are at any time those of an export as of then, wherever the replay was
// interrupted.
func TestReplayEqualsExports(t *testing.T) {
	for seed := range seeds(1) {
		synctest.Test(t, func(t *testing.T) {
			e, h := newEstate(seed), openEstate(t, 1)
			rename := func() {
				typeName := []string{"queues", "users", "flows"}[e.rnd.IntN(3)]
				e.objects[typeName][e.any(typeName)]["name"] = []string{"Twin", "twin", fmt.Sprint("New ", e.rnd.IntN(100))}[e.rnd.IntN(3)]
			}
			for range 4 {
				e.record(t, h)
				tick()
				for range 6 {
					e.edit()
					rename()
				}
				deleted := e.any("queues")
				kept := e.objects["queues"][deleted]
				delete(e.objects["queues"], deleted)
				e.record(t, h)
				tick()
				e.record(t, h) // which confirms it
				tick()
				kept["name"] = fmt.Sprint("Back ", e.rnd.IntN(100)) // what is listed below it was below another name
				e.objects["queues"][deleted] = kept
				e.ignored = []string{"uri", "list"}[:e.rnd.IntN(3)]
			}
			e.record(t, h)
			files := map[string]string{}
			seq, steps, compared := uint64(0), 0, 0
			for more := true; more; {
				more = false
				for step, err := range h.Replay(t.Context(), seq) {
					require.NoError(t, err)
					for _, path := range step.Gone {
						require.Contains(t, files, path)
						delete(files, path)
					}
					for _, f := range step.Files {
						files[f.Path] = string(f.Data)
					}
					seq = step.Seq
					entries := 0
					for r, err := range h.records(t.Context(), &filter{Query: Query{AfterSeq: seq}}) {
						require.NoError(t, err)
						if r.Seq > seq && !r.at.After(step.At) {
							entries++
						}
					}
					if entries == 0 {
						want := map[string]string{}
						for _, f := range collect(t, h.Export(t.Context(), &ExportOptions{At: step.At})) {
							want[f.Path] = string(f.Data)
						}
						require.Equal(t, want, files, "seed %d, after change %d", seed, seq)
						compared++
					}
					if steps++; steps%7 == 0 { // and go on from here
						more = true
						break
					}
				}
			}
			require.Greater(t, compared, 3)
		})
	}
}
