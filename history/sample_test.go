package history

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// A release of the platform is told from edits also where markers spare nearly all reads: of the objects themselves, or of
// what is below marked parents. It costs a few requests once; what follows by rotation joins it.
func TestReleaseBehindMarkers(t *testing.T) {
	const n = 40
	for _, c := range []struct {
		name     string
		after    func(i int) string
		shapes   int
		updated  int // objects
		requests int // of the first pass after it, at most
	}{
		{"a new field", func(int) string { return `"n":1,"fresh":false` }, 1, 0, 13},
		{"a lost field", func(int) string { return `"x":1` }, 2, 0, 13},
		{"an edit that added a field", func(i int) string {
			if i == 0 {
				return `"n":1,"fresh":false`
			}
			return `"n":1`
		}, 0, 1, 13},
		{"a value for each", func(i int) string { return fmt.Sprintf(`"n":1,"fresh":%d`, i) }, 0, n, 13},
		{"a changed value", func(int) string { return `"n":2` }, 0, n, 3},
	} {
		for _, below := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " ", below), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := open(t, memory.New(), &Options{Rotation: n})
					s := &fakeSource{lists: map[string][]Item{}}
					typeName, opts := "queues", ReadOptions{}
					for i := range n {
						id := fmt.Sprintf("q%02d", i)
						q := item(id, "", "v1", `"n":1`)
						q.Partial = !below
						s.lists[""] = append(s.lists[""], q)
						s.lists[id] = []Item{item("w"+id, id, "", `"n":1`)}
					}
					s.mustRead(t, h, "queues", ReadOptions{})
					if below {
						typeName, opts = "codes", ReadOptions{Parent: "queues", ParentMarked: true}
						s.mustRead(t, h, typeName, opts)
					}
					cursor := cursorOf(t, h)
					for i := range n {
						if id := s.lists[""][i].ID; below {
							s.lists[id] = []Item{item("w"+id, id, "", c.after(i))}
						} else {
							s.lists[""][i] = item(id, "", "v1", c.after(i))
						}
					}
					for i := range 2 * n {
						r, asked, err := s.read(t, h, typeName, opts)
						require.NoError(t, err)
						require.True(t, r.Complete, r.Reason)
						require.Equal(t, n, r.Objects)
						if i == 0 {
							require.LessOrEqual(t, len(asked), c.requests)
						}
					}
					shapes, updated := 0, map[string]bool{}
					for _, change := range collect(t, h.Changes(t.Context(), Query{AfterSeq: cursor, Imported: true})) {
						if change.Kind == KindShape {
							shapes++
							require.Len(t, change.Objects, n)
							continue
						}
						require.Equal(t, KindUpdated, change.Kind)
						require.False(t, updated[change.ID], "twice")
						updated[change.ID] = true
					}
					require.Equal(t, c.shapes, shapes)
					require.Len(t, updated, c.updated)
				})
			})
		}
	}
}

// The first parents have nothing below them that could show a release.
func TestReleaseBelowFewOfManyParents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 60})
		s := queues(t, h, 60)
		list := func(body string) {
			for i := range s.lists[""] {
				q := &s.lists[""][i]
				q.Marker = "1"
				if s.lists[q.ID] = nil; i >= 49 {
					s.lists[q.ID] = []Item{item("w"+q.ID, q.ID, "", body)}
				}
			}
		}
		list(`"n":1`)
		marked := ReadOptions{Parent: "queues", ParentMarked: true}
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 {
			s.mustRead(t, h, "codes", marked)
		}
		cursor := cursorOf(t, h)
		list(`"n":1,"new":false`)
		for range 70 {
			s.mustRead(t, h, "codes", marked)
		}
		require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
	})
}

// Parents that were only read to tell a release from an edit, and failed, are read like all others once they can be.
func TestSampledParentsAreAskedAsBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 200})
		s := queues(t, h, 200)
		for i := range s.lists[""] {
			s.lists[""][i].Marker = "1"
		}
		marked := ReadOptions{Parent: "queues", ParentMarked: true}
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 {
			s.mustRead(t, h, "codes", marked)
		}
		// One parent shows a field, when it is its turn, and all others fail.
		shows, good := s.lists[""][10].ID, s.lists
		s.lists = map[string][]Item{"": good[""], shows: {item("w"+shows, shows, "", `"n":1,"flag":true`)}}
		for _, q := range s.lists[""] {
			if q.ID != shows {
				s.ends[q.ID] = errOut
			}
		}
		cursor, most := cursorOf(t, h), 0
		for range 25 {
			_, asked, err := s.read(t, h, "codes", marked)
			require.NoError(t, err)
			most = max(most, len(asked))
		}
		require.Greater(t, most, sampleSize)
		require.Less(t, most, sampleSize+5)
		require.Empty(t, kindsOf(t, h, cursor), "it waits")
		// They answer again, and something below one of them is edited.
		good[shows] = s.lists[shows]
		s.lists, s.ends = good, map[string]error{}
		edited := &s.lists[""][100]
		edited.Marker = "2"
		s.lists[edited.ID] = []Item{item("w"+edited.ID, edited.ID, "", `"n":2`)}
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "codes", marked)
		require.Equal(t, []string{"updated w" + shows, "updated w" + edited.ID}, kindsOf(t, h, cursor))
	})
}

// Twenty parents cannot be read for days, and the others can.
func TestSampleIsNotInTheWayOfItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 60})
		s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
		s.listQueues(60, func(int) string { return "1" })
		for _, q := range s.lists[""] {
			s.lists[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1`)}
		}
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "codes", belowMarked)
		for range 30 {
			s.mustRead(t, h, "codes", belowMarked)
		}
		cursor := cursorOf(t, h)
		for _, q := range s.lists[""][:20] {
			s.lists[q.ID], s.ends[q.ID] = nil, errOut
		}
		for i := 20; i < 60; i++ {
			id := fmt.Sprintf("q%02d", i)
			if i == 35 {
				s.lists[id] = []Item{item("w"+id, id, "", `"n":1,"flag":true`)}
			}
		}
		asked := 0
		n := 0
		for len(kindsOf(t, h, cursor)) == 0 && n < 200 {
			_, a, err := s.read(t, h, "codes", belowMarked)
			require.NoError(t, err)
			asked += len(a)
			n++
		}
		require.Less(t, n, 20)
	})
}

// Nothing else spoke for reading what a sample could not read.
func TestSampleThatFailsLeavesTheWalkComplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 13})
		s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}, gets: map[string]func() (Item, error){}}
		s.listQueues(13, func(int) string { return "1" })
		more := ""
		fail := false
		for i, q := range s.lists[""] {
			id := "w" + q.ID
			s.lists[q.ID] = []Item{{Object: Object{ID: id, Parent: q.ID, Body: []byte(`{}`)}, Partial: true}}
			s.gets[id] = func() (Item, error) {
				if fail && i != 5 {
					return Item{}, errOut
				}
				if i == 5 {
					fail = more != ""
					return item(id, q.ID, "", `"n":1`+more), nil
				}
				return item(id, q.ID, "", `"n":1`), nil
			}
		}
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 5 {
			s.mustRead(t, h, "codes", belowMarked)
		}
		more = `,"flag":true`
		waits := false
		for passes := 0; !waits; passes++ {
			require.Less(t, passes, 13)
			r := s.mustRead(t, h, "codes", belowMarked)
			hd, _, err := h.head(t.Context(), "codes", "wq05")
			require.NoError(t, err)
			if waits = hd.Waits != nil; waits {
				require.True(t, r.Complete, r.Reason)
			}
		}
	})
}

// An object that a list has twice is one, however often it is met.
func TestSampleTakesAnObjectOnce(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	objects := many(12, `"n":%d`)
	pass(t, h, diff.Rules{}, objects...)
	p, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	require.NoError(t, p.Keep(objects[0].ID))
	require.True(t, p.takeTurn(objects[0].ID))
	require.NoError(t, p.Observe(t.Context(), objects[0]))
	require.False(t, p.takeTurn(objects[0].ID))
	require.Equal(t, 1, p.compared)
}
