package history

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// A field that is ignored for a while: no change of the rules shows as a change
// of the object, and answers hold what was compared at the time.
func TestRulesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		without := diff.Rules{Ignore: []string{"x"}}
		asOf := func(at time.Time) string {
			t.Helper()
			v, err := h.ObjectAsOf(t.Context(), "queues", "a", at)
			require.NoError(t, err)
			return string(v.Body)
		}
		steps := []struct {
			shape   diff.Rules
			object  Object
			changes int // in the feed by then
			body    string
		}{
			{diff.Rules{}, obj("a", `"n":1,"x":1`), 1, `{"id":"a","n":1,"x":1}`},
			{without, obj("a", `"n":1,"x":1`), 1, `{"id":"a","n":1}`},
			{without, obj("a", `"n":1,"x":2`), 1, `{"id":"a","n":1}`},
			{without, obj("a", `"n":2,"x":3`), 2, `{"id":"a","n":2}`},
			{without, obj("a", `"n":2,"x":4`), 2, `{"id":"a","n":2}`},
			{diff.Rules{}, obj("a", `"n":2,"x":5`), 2, `{"id":"a","n":2,"x":5}`},
			{diff.Rules{}, obj("a", `"n":2,"x":6`), 3, `{"id":"a","n":2,"x":6}`},
			{without, obj("a", `"n":3,"x":7`), 4, `{"id":"a","n":3}`}, // both at once
		}
		var times []time.Time
		for _, s := range steps {
			times = append(times, tick())
			sum := pass(t, h, s.shape, s.object)
			require.Zero(t, sum.Deleted+sum.Created)
			require.Len(t, kinds(t, h), s.changes)
			for i, at := range times {
				require.JSONEq(t, steps[i].body, asOf(at), "at step %d", i)
			}
		}
		last := collect(t, h.Changes(t.Context(), Query{Newest: true, Limit: 1}))[0]
		require.Len(t, last.Fields, 1)
		require.Equal(t, "/n", last.Fields[0].Path, "that x is no longer compared is no change of it")

		var bodies []string
		for _, v := range collect(t, h.Versions(t.Context(), "queues", "a")) {
			bodies = append(bodies, string(v.Body))
		}
		require.Equal(t, []string{`{"id":"a","n":3}`, `{"id":"a","n":2,"x":6}`, `{"id":"a","n":2}`, `{"id":"a","n":1,"x":1}`}, bodies)
	})
}

// A deleted object comes back under other rules.
func TestRestoredUnderOtherRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		t1 := tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":1,"x":1,"tags":["p","q"]`))
		tick()
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		require.NoError(t, p.Remove(t.Context(), "a"))
		_, err = p.End(t.Context())
		require.NoError(t, err)
		t3 := tick()
		sum := pass(t, h, diff.Rules{Ignore: []string{"x"}, Sets: []string{"tags"}}, obj("a", `"n":1,"x":2,"tags":["q","p"]`))
		require.Equal(t, 1, sum.Restored)
		c := collect(t, h.Changes(t.Context(), Query{Kinds: []Kind{KindRestored}}))
		require.Empty(t, c[0].Fields)
		v, err := h.ObjectAsOf(t.Context(), "queues", "a", t1)
		require.NoError(t, err)
		require.JSONEq(t, `{"id":"a","n":1,"x":1,"tags":["p","q"]}`, string(v.Body))
		_, err = h.ObjectAsOf(t.Context(), "queues", "a", t3.Add(-1))
		require.ErrorIs(t, err, ErrNotFound)
		_, err = h.ObjectAsOf(t.Context(), "queues", "a", t1.Add(-1))
		require.ErrorIs(t, err, ErrUnknown)
	})
}

// What is read of an object may grow and shrink: what is read for the first time, or no more, is no change, and what is
// edited at the same time is one. The first pass is that of a store from before anything was said about what is read.
func TestWhatIsReadChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		reads := func(s string) diff.Rules { return diff.Rules{Sets: []string{"l"}, Reads: s} }
		steps := []struct {
			rules  diff.Rules
			object Object
			fields []string // that changed
			body   string
		}{
			{reads(""), obj("a", `"n":1,"l":[{"id":"x"}]`), nil, `{"id":"a","l":[{"id":"x"}],"n":1}`},
			{reads("charts"), obj("a", `"n":1,"l":[{"id":"x","p":1}],"charts":[1]`), nil, `{"charts":[1],"id":"a","l":[{"id":"x","p":1}],"n":1}`},
			{reads("charts"), obj("a", `"n":1,"l":[{"id":"x","p":2}],"charts":[1],"new":1`), []string{"/l/0/p", "/new"}, `{"charts":[1],"id":"a","l":[{"id":"x","p":2}],"n":1,"new":1}`},
			{reads("charts, parts"), obj("a", `"n":2,"l":[{"id":"y","p":2,"q":1}],"charts":[2],"new":1,"parts":{}`), []string{"/charts/0", "/l/0", "/l/0", "/n"}, `{"charts":[2],"id":"a","l":[{"id":"y","p":2,"q":1}],"n":2,"new":1,"parts":{}}`},
			{reads("parts"), obj("a", `"n":3,"l":[{"id":"y","q":1}],"new":1,"parts":{}`), []string{"/n"}, `{"id":"a","l":[{"id":"y","q":1}],"n":3,"new":1,"parts":{}}`},
		}
		var times []time.Time
		seen := 1
		for n, s := range steps {
			times = append(times, tick())
			pass(t, h, s.rules, s.object)
			changes := collect(t, h.Changes(t.Context(), Query{Imported: true}))
			if s.fields != nil {
				seen++
				var paths []string
				for _, f := range changes[len(changes)-1].Fields {
					paths = append(paths, f.Path)
				}
				require.Equal(t, s.fields, paths, "step %d", n)
			}
			require.Len(t, changes, seen, "step %d", n)
			for i, at := range times {
				v, err := h.ObjectAsOf(t.Context(), "queues", "a", at)
				require.NoError(t, err)
				require.Equal(t, steps[i].body, string(v.Body), "at step %d", i)
			}
			for c, err := range h.Between(t.Context(), times[0], times[n], Query{}) {
				require.NoError(t, err)
				require.NotContains(t, c.Fields, diff.FieldChange{Path: "/parts", Op: diff.OpAdd, New: []byte("{}")})
			}
		}
	})
}

// A borrowed name is no change, not even in a store that was written before it was one, and an id that moves brings both
// names, as the change is read and between two times. To undo it does not leave the name of the one with the id of the other.
func TestBorrowedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		rules := diff.Rules{Borrowed: []string{"division.name"}}
		at := func(id, name string) Object {
			return obj("a", `"n":1,"division":{"id":%q,"name":%q,"selfUri":"/divisions/%s"}`, id, name, id)
		}
		pass(t, h, diff.Rules{}, at("1", "Home"))
		require.Equal(t, 1, pass(t, h, rules, at("1", "Home 2")).Rebased)
		require.Equal(t, 1, pass(t, h, rules, at("1", "Home 3")).Unchanged)
		time.Sleep(time.Hour)
		before := time.Now()
		time.Sleep(time.Hour)
		require.Equal(t, 1, pass(t, h, rules, at("2", "Sales")).Updated)

		changes := collect(t, h.Changes(t.Context(), Query{}))
		require.Len(t, changes, 1)
		require.Equal(t, `~ /division/id: "1" (Home 2) -> "2" (Sales)`, changes[0].Fields[0].String())
		between := collect(t, h.Between(t.Context(), before, time.Now(), Query{}))
		require.Len(t, between, 1)
		require.Equal(t, changes[0].Fields, between[0].Fields)

		plan, err := h.Undo(t.Context(), changes[0].Seq)
		require.NoError(t, err)
		require.JSONEq(t, `{"id":"a","n":1,"division":{"id":"1","selfUri":"/divisions/1"}}`, string(plan.Body))
	})
}

// A pass gives the rules of its type, and those of the pass before need not be compiled again.
func TestRulesAreCompiledOnce(t *testing.T) {
	h := open(t, memory.New(), nil)
	rules := diff.Rules{Sets: []string{"a.b"}, Reads: "x"}
	for i := range 50 {
		rules.Ignore = append(rules.Ignore, fmt.Sprint("**.a", i), fmt.Sprint("b", i, ".c"))
	}
	first, err := h.addRules(rules)
	require.NoError(t, err)
	require.Less(t, testing.AllocsPerRun(10, func() {
		again, err := h.addRules(rules)
		require.NoError(t, err)
		require.Same(t, first, again)
	}), 50.0)
	for _, other := range []diff.Rules{
		{Ignore: rules.Ignore, Reads: "x"},
		{Ignore: rules.Ignore, Sets: []string{"a.b"}},
		{Ignore: rules.Ignore, Borrowed: []string{"a.b"}, Reads: "x"},
		{Ignore: rules.Ignore, Sets: []string{"a", "b"}, Reads: "x"},
	} {
		known, err := h.addRules(other)
		require.NoError(t, err)
		require.NotSame(t, first, known)
	}
}
