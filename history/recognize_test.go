package history

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// Two histories read the same random orgs, one of them without recognizing anything. They find, count
// and record the same, and call objects the same. Objects come, go, come back and change, in what is
// compared and in what is not, and go back to what they were; their names and markers are of either
// kind; they are listed twice, and compare by rules that change as well.
func TestRecognizedIsAsObserved(t *testing.T) {
	t.Parallel()
	total := 0
	for seed := range seeds(6) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 57))
			with, without := newHistory(t), newHistory(t)
			a, b := &fakeSource{}, &fakeSource{plain: true, apart: 1}
			type queue struct{ value, name, marker int }
			queues := map[int]queue{}
			for range 60 {
				for range r.IntN(4) {
					i := r.IntN(8)
					q, ok := queues[i]
					switch n := r.IntN(6); {
					case !ok:
						q = queue{value: r.IntN(3), marker: r.IntN(2)}
					case n == 0:
						delete(queues, i)
						continue
					case n < 3:
						q.name = r.IntN(3)
					case n == 3:
						q.marker = r.IntN(3)
					default:
						q.value = r.IntN(3)
					}
					queues[i] = q
				}
				if r.IntN(10) == 0 {
					a.rules = diff.Rules{Ignore: [][]string{{"name", "marker"}, {"value", "name"}}[r.IntN(2)]}
				}
				var list []Item
				for i := range 8 {
					if q, ok := queues[i]; ok {
						o := item(fmt.Sprint("q", i), "", "", fmt.Sprintf(`"value":%d,"name":%d,"marker":%d,"end":"}"`, q.value, q.name, q.marker))
						o.Name = strconv.Itoa(q.name)
						if q.marker > 0 {
							o.Marker = strconv.Itoa(q.marker)
						}
						list = append(list, o)
					}
				}
				if len(list) > 0 && r.IntN(5) == 0 {
					list = append(list, list[r.IntN(len(list))])
				}
				b.rules = a.rules
				a.lists = map[string][]Item{"": list}
				b.lists = a.lists
				sawA, sawB := a.mustRead(t, with, "queues", ReadOptions{}), b.mustRead(t, without, "queues", ReadOptions{})
				sawA.Started, sawA.Ended, sawA.AsOf = sawB.Started, sawB.Ended, sawB.AsOf
				require.Equal(t, sawB, sawA)
				require.Equal(t, labelsOf(t, without), labelsOf(t, with))
			}
			require.Equal(t, told(t, without), told(t, with))
			total += a.recognized
		})
	}
	require.Greater(t, total, 300)
}

// labelsOf returns what the heads say, but for when.
func labelsOf(t *testing.T, h *History) (all []string) {
	t.Helper()
	for hd, err := range h.Heads(t.Context(), "queues") {
		require.NoError(t, err)
		all = append(all, fmt.Sprint(hd.ID, hd.Name, hd.Parent, hd.Marker))
	}
	return all
}

// What has to be compared is not recognized, although its bytes are those that are stored; nor are
// other bytes.
func TestNotRecognized(t *testing.T) {
	t.Parallel()
	const id, text = "a", `{"id":"a","n":1},{"id":"b"}`
	body := []byte(text)[:len(`{"id":"a","n":1}`)]
	whole := Object{ID: id, Body: body}
	for name, c := range map[string]struct {
		text, id string
		last     func(h *History) *History // after the first pass; its result makes the second one
		before   func(p *Pass)
		rules    diff.Rules
		want     int
	}{
		"itself":              {text: text, want: len(body)},
		"at the end":          {text: string(body), want: len(body)},
		"other content":       {text: `{"id":"a","n":2},{"id":"b"}`},
		"a longer object":     {text: `{"id":"a","n":1,"m":2}`},
		"cut":                 {text: string(body[:len(body)-1])},
		"of another object":   {text: text, id: "b"},
		"of other rules":      {text: text, rules: diff.Rules{Ignore: []string{"m"}}},
		"seen by this pass":   {text: text, before: func(p *Pass) { require.NoError(t, p.Keep(id)) }},
		"deleted by this one": {text: text, before: func(p *Pass) { require.NoError(t, p.Remove(t.Context(), id)) }},
		"in doubt":            {text: text, before: func(p *Pass) { p.doubts[id] = reread{Left: 1} }},
		"once in doubt":       {text: text, before: func(p *Pass) { p.doubts[id] = reread{} }},
		"its turn":            {text: text, before: func(p *Pass) { p.due = map[string]bool{id: true} }},
		"of other labels":     {text: text, rules: diff.Rules{Labels: "other"}},
		"by a new process":    {text: text, want: len(body), last: func(h *History) *History { return open(t, h.store, nil) }},
		"written by an older version": {text: text, last: func(h *History) *History {
			hd, _, err := h.head(t.Context(), "queues", id)
			require.NoError(t, err)
			hd.Size = 0
			var b storage.Batch
			require.NoError(t, b.PutJSON(h.keys.head("queues", id), hd))
			require.NoError(t, h.store.Commit(t.Context(), &b))
			return h
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			if pass(t, h, diff.Rules{}, whole); c.last != nil {
				h = c.last(h)
			}
			p, err := h.Begin(t.Context(), "queues", c.rules)
			require.NoError(t, err)
			if c.before != nil {
				c.before(p)
			}
			asked := id
			if c.id != "" {
				asked = c.id
			}
			require.Equal(t, c.want, p.Recognize(asked, []byte(c.text)))
		})
	}
}

// A name that is not compared goes to another and back, and so does a marker.
func TestLabelsThatComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: -1})
		s := &fakeSource{rules: diff.Rules{Ignore: []string{"name", "marker"}}, lists: map[string][]Item{}}
		for _, label := range []string{"a", "a", "b", "b", "a", "a", "a"} {
			s.recognized = 0
			named, marked := obj("named", `"name":%q`, label), obj("marked", `"marker":%q`, label)
			named.Name, marked.Marker = label, label
			s.lists[""] = []Item{{Object: named}, {Object: marked}}
			s.mustRead(t, h, "queues", ReadOptions{})
			heads := collect(t, h.Heads(t.Context(), "queues"))
			require.Equal(t, label, heads[0].Marker)
			require.Equal(t, label, heads[1].Name)
		}
		require.Positive(t, s.recognized)
	})
}

// Another process, of a version that calls objects otherwise, reads one on a hint, or dies in a pass.
// The next pass calls it as before.
func TestLabelsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for _, hinted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			now, older := open(t, store, nil), open(t, store, nil)
			o := obj("q", `"n":1`)
			s := &fakeSource{rules: diff.Rules{Labels: "2"}, lists: map[string][]Item{"": {{Object: o}}}}
			s.mustRead(t, now, "queues", ReadOptions{})
			other := o
			other.Name = "what the other version calls it"
			p, err := older.Begin(t.Context(), "queues", diff.Rules{Labels: "1"})
			require.NoError(t, err)
			if hinted {
				_, _, err = p.ReadObjects(t.Context(), &fakeSource{lists: map[string][]Item{"": {{Object: other}}}, plain: true}, ReadOptions{}, "q")
				require.NoError(t, err)
			} else {
				require.NoError(t, p.Observe(t.Context(), other))
				p.keepFound(t.Context())
			}
			require.Equal(t, other.Name, collect(t, now.Heads(t.Context(), "queues"))[0].Name)
			s.mustRead(t, now, "queues", ReadOptions{})
			require.Equal(t, o.Name, collect(t, now.Heads(t.Context(), "queues"))[0].Name)
			require.Empty(t, told(t, now))
		})
	}
}
