package history

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// form is a body that names its object in "form" and its version in "id".
func form(id, of, name, modified string) Object {
	body, _ := json.Marshal(map[string]string{"id": id, "form": of, "name": name, "modified": modified})
	return Object{ID: id, Name: name, Body: body}
}

// as returns an object under another id.
func as(id string, o Object) Object {
	o.ID = id
	return o
}

// byForm is the identity of a form.
var byForm = &Identity{Rule: "form", Objects: func(parent string, body []byte) []Object {
	var o struct{ Form string }
	if json.Unmarshal(body, &o) != nil || o.Form == "" {
		return nil
	}
	return []Object{{ID: strings.TrimPrefix(parent+"/"+o.Form, "/")}}
}}

// byPart is the identity of what was one list.
var byPart = &Identity{Rule: "id", Objects: func(_ string, body []byte) (all []Object) {
	var parts []struct{ ID, Name string }
	if json.Unmarshal(body, &parts) != nil {
		return nil
	}
	for _, p := range parts {
		body, _ := json.Marshal(p)
		all = append(all, Object{ID: p.ID, Name: p.Name, Body: body})
	}
	return all
}}

// What was recorded while ids were made in another way is what it was, under the ids of today:
// whatever the first pass then sees, exactly that is changed which differs.
func TestIdentity(t *testing.T) {
	const jan, feb, mar = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"
	for _, c := range []struct {
		name     string
		identity *Identity
		before   []Object // in two passes, of which the last one counts as live
		deleted  []string // ids that the second pass does not see
		now      []Object
		want     []string
	}{
		{
			"nothing", byForm,
			[]Object{form("d1", "f1", "A", jan), form("d2", "f2", "B", jan)},
			nil,
			[]Object{as("f1", form("d1", "f1", "A", jan)), as("f2", form("d2", "f2", "B", jan))},
			nil,
		},
		{
			"an edit and a publication meanwhile", byForm,
			[]Object{form("d1", "f1", "A", jan), form("d2", "f2", "B", jan)},
			nil,
			[]Object{as("f1", form("d9", "f1", "A2", feb)), as("f2", form("d2", "f2", "B", jan))},
			[]string{"updated f1 /id,/modified,/name"},
		},
		{
			"a removal meanwhile", byForm,
			[]Object{form("d1", "f1", "A", jan), form("d2", "f2", "B", jan)},
			nil,
			[]Object{as("f1", form("d1", "f1", "A", jan))},
			[]string{"deleted f2"},
		},
		{
			"another one meanwhile", byForm,
			[]Object{form("d1", "f1", "A", jan)},
			nil,
			[]Object{as("f1", form("d1", "f1", "A", jan)), as("f3", form("d3", "f3", "C", jan))},
			[]string{"created f3"},
		},
		{
			"several versions side by side", byForm,
			[]Object{form("d1", "f1", "A", jan), form("d3", "f1", "A3", mar), form("d2", "f1", "A2", feb)},
			nil,
			[]Object{as("f1", form("d3", "f1", "A3", mar))},
			nil,
		},
		{
			"an earlier version, recorded as deleted", byForm,
			[]Object{form("d1", "f1", "A", mar), form("d2", "f1", "A2", feb)},
			[]string{"d1"},
			[]Object{as("f1", form("d2", "f1", "A2", feb))},
			nil,
		},
		{
			"a body that tells nothing", byForm,
			[]Object{form("d1", "", "A", jan), form("d2", "f2", "B", jan)},
			nil,
			[]Object{as("f1", form("d1", "f1", "A", jan)), as("f2", form("d2", "f2", "B", jan))},
			[]string{"imported f1"},
		},
		{
			"a list that was one object", byPart,
			[]Object{{ID: "all", Name: "all", Body: []byte(`[{"ID":"a","Name":"A"},{"ID":"b","Name":"B"}]`)}},
			nil,
			[]Object{{ID: "a", Name: "A", Body: []byte(`{"ID":"a","Name":"A"}`)}, {ID: "b", Name: "B2", Body: []byte(`{"ID":"b","Name":"B2"}`)}},
			[]string{"imported a", "imported b", "updated b /Name"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.New()
				h := open(t, s, nil)
				pass(t, h, diff.Rules{}, c.before...)
				live := slices.DeleteFunc(slices.Clone(c.before), func(o Object) bool { return slices.Contains(c.deleted, o.ID) })
				tick()
				pass(t, h, diff.Rules{}, live...)
				tick()
				pass(t, h, diff.Rules{}, live...)
				start, err := h.Cursor(t.Context())
				require.NoError(t, err)
				then := tick()
				was := collect(t, h.AsOf(t.Context(), "queues", then))
				tick()

				h = open(t, s, &Options{Models: map[string]Model{"queues": {Identity: c.identity}}})
				for range 3 {
					pass(t, h, diff.Rules{}, c.now...)
				}
				require.Equal(t, c.want, changesSince(t, h, start))
				require.Len(t, collect(t, h.Heads(t.Context(), "queues")), len(c.now))
				requireSameBodies(t, was, collect(t, h.AsOf(t.Context(), "queues", then)))
				for v, err := range h.Between(t.Context(), then, time.Now(), Query{}) {
					require.NoError(t, err)
					require.Contains(t, strings.Join(c.want, "\n"), string(v.Kind)+" "+v.ID)
				}
				requireReplayed(t, h)
			})
		})
	}
}

// requireReplayed requires that a Replay of the whole log ends with the files of an Export.
func requireReplayed(t *testing.T, h *History) {
	t.Helper()
	files, want := map[string]string{}, map[string]string{}
	for _, step := range collect(t, h.Replay(t.Context(), 0)) {
		for _, path := range step.Gone {
			delete(files, path)
		}
		for _, f := range step.Files {
			files[f.Path] = string(f.Data)
		}
	}
	for _, f := range collect(t, h.Export(t.Context(), &ExportOptions{At: time.Now()})) {
		want[f.Path] = string(f.Data)
	}
	require.Equal(t, want, files)
}

// A rule that is taken back, as with a program of before, brings the former ids back, and the object
// has its whole past.
func TestIdsThatComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := memory.New(), Object{ID: "a", Name: "A", Body: []byte(`{"n":1}`)}
		pass(t, open(t, s, nil), diff.Rules{}, o)
		for _, id := range []string{"b", "c", "b", "a", "c"} {
			tick()
			byID := &Identity{Rule: id, Objects: func(string, []byte) []Object { return []Object{{ID: id}} }}
			h := open(t, s, &Options{Models: map[string]Model{"queues": {Identity: byID}}})
			pass(t, h, diff.Rules{}, as(id, o))
			require.Equal(t, []string{"imported " + id}, kinds(t, h))
			for _, was := range []string{"a", id} {
				require.Len(t, collect(t, h.Versions(t.Context(), "queues", was)), 1)
			}
		}
	})
}

func changesSince(t *testing.T, h *History, seq uint64) (all []string) {
	t.Helper()
	for _, c := range collect(t, h.Changes(t.Context(), Query{AfterSeq: seq, Imported: true})) {
		line := string(c.Kind) + " " + c.ID
		var paths []string
		for _, f := range c.Fields {
			paths = append(paths, f.Path)
		}
		if len(paths) > 0 {
			line += " " + strings.Join(paths, ",")
		}
		all = append(all, line)
	}
	return all
}

func requireSameBodies(t *testing.T, want, got []Version) {
	t.Helper()
	bodies := func(versions []Version) (all []string) {
		for _, v := range versions {
			all = append(all, string(v.Body))
		}
		slices.Sort(all)
		return all
	}
	require.Equal(t, bodies(want), bodies(got))
}

// A moved object has its past, under its id of today: versions, changes, what was at a time, and what
// is forgotten. What is below it moves with it.
func TestMovedObjectsKeepTheirPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		h := open(t, s, nil)
		below := func(parent string) Object {
			return Object{ID: parent + "/v1", Name: "V", Parent: parent, Body: []byte(`{"n":1}`)}
		}
		complete := Walk{Complete: true}
		passOver(t, h, "forms", diff.Rules{}, complete, form("d1", "f1", "A", ""))
		passOver(t, h, "forms.versions", diff.Rules{}, complete, below("d1"))
		first := tick()
		tick()
		passOver(t, h, "forms", diff.Rules{}, complete, form("d1", "f1", "B", ""))
		second := tick()
		tick()

		h = open(t, s, &Options{Models: map[string]Model{"forms": {Identity: byForm}, "forms.versions": {Parent: "forms"}}})
		passOver(t, h, "forms.versions", diff.Rules{}, complete, below("d1")) // before its parent has moved
		passOver(t, h, "forms", diff.Rules{}, complete, as("f1", form("d2", "f1", "C", "")))
		passOver(t, h, "forms.versions", diff.Rules{}, complete, below("f1"))
		require.Equal(t, []string{"imported f1", "imported f1/v1", "updated f1", "updated f1"}, kinds(t, h))

		var names []string
		for _, v := range collect(t, h.Versions(t.Context(), "forms", "f1")) {
			require.Equal(t, "f1", v.ID)
			names = append(names, v.Name)
		}
		require.Equal(t, []string{"C", "B", "A"}, names)
		for _, id := range []string{"f1", "d1"} { // the former id is taken for that of today
			require.Len(t, collect(t, h.Changes(t.Context(), Query{Types: []string{"forms"}, ID: id, Imported: true})), 3)
			require.Len(t, collect(t, h.Versions(t.Context(), "forms", id)), 3)
			body, err := h.Body(t.Context(), "forms", id)
			require.NoError(t, err)
			require.Contains(t, string(body), `"C"`)
			v, err := h.ObjectAsOf(t.Context(), "forms", id, first)
			require.NoError(t, err)
			require.Equal(t, "f1", v.ID)
			require.Len(t, collect(t, h.Between(t.Context(), first, second, Query{Types: []string{"forms"}, ID: id})), 1)
		}
		_, err := h.Body(t.Context(), "forms", "d9")
		require.ErrorIs(t, err, ErrNotFound)
		for at, name := range map[time.Time]string{first: "A", second: "B"} {
			v, err := h.ObjectAsOf(t.Context(), "forms", "f1", at)
			require.NoError(t, err)
			require.Contains(t, string(v.Body), `"name":"`+name+`"`)
			all := collect(t, h.AsOf(t.Context(), "", at))
			require.Len(t, all, 2)
			require.ElementsMatch(t, []string{"f1", "f1/v1"}, []string{all[0].ID, all[1].ID})
		}
		between := collect(t, h.Between(t.Context(), first, second, Query{}))
		require.Len(t, between, 1)
		require.Equal(t, "updated f1", string(between[0].Kind)+" "+between[0].ID)
		plan, err := h.Undo(t.Context(), between[0].Seq)
		require.NoError(t, err)
		require.Equal(t, "f1", plan.Change.ID)

		require.NoError(t, h.Forget(t.Context(), "forms", "f1"))
		for e, err := range s.Scan(t.Context(), storage.Range{}) {
			require.NoError(t, err)
			require.NotContains(t, e.Key, "/forms/d1", "and none of its former ids")
			require.NotContains(t, string(e.Value), `"A"`)
		}
	})
}

// A pass that dies while it moves objects leaves what the next one completes.
func TestKilledWhileMoving(t *testing.T) {
	for _, made := range []bool{false, true} {
		for n := range 8 {
			s := &faultyStore{Store: memory.New()}
			var before, now []Object
			for i := range 10 {
				id := string(rune('a' + i))
				before = append(before, form("d"+id, "f"+id, id, ""))
				now = append(now, as("f"+id, before[i]))
			}
			pass(t, open(t, s, nil), diff.Rules{}, before...)
			opts := &Options{BatchObjects: 3, Models: map[string]Model{"queues": {Identity: byForm}}}
			left := n
			s.set(func() (error, bool) {
				if left--; left < 0 {
					return errStore, made
				}
				return nil, false
			})
			h := open(t, s, opts)
			if p, err := h.Begin(t.Context(), "queues", diff.Rules{}); err == nil {
				for _, o := range now {
					_ = p.Observe(t.Context(), o)
				}
				_, _ = p.Settle(t.Context(), Walk{Complete: true})
				_, _ = p.End(t.Context())
			}
			s.set(nil)
			h = open(t, s, opts)
			sum := pass(t, h, diff.Rules{}, now...)
			require.Equal(t, 10, sum.Unchanged)
			require.Len(t, kinds(t, h), 10, "the imports")
			require.Len(t, collect(t, h.Heads(t.Context(), "queues")), 10)
		}
	}
}
