package history

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/memory"
)

// Markers that moved say that something was edited, but not what: an object may only have been read
// because of another one, or of nothing at all.

var belowMarked = ReadOptions{Parent: "queues", ParentMarked: true}

// listQueues lists queues with markers, and nothing else of them.
func (s *fakeSource) listQueues(n int, marker func(i int) string) {
	s.lists[""] = nil
	for i := range n {
		s.lists[""] = append(s.lists[""], Item{Object: Object{ID: fmt.Sprintf("q%02d", i), Marker: marker(i), Body: []byte(`{}`)}})
	}
}

// Somebody adds a field below some parents, whose markers move. Only these are read, and they all show it, at once or when
// their lists no longer lag; the marker says that it is an edit.
func TestEditsBelowMarkersThatMoved(t *testing.T) {
	t.Parallel()
	for _, edits := range []int{8, 10} {
		for _, lags := range []bool{false, true} {
			t.Run(fmt.Sprint(edits, " edits, lag ", lags), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := open(t, memory.New(), &Options{Rotation: -1})
					s := queues(t, h, 40)
					for i := range s.lists[""] {
						s.lists[""][i].Marker = "1"
					}
					s.mustRead(t, h, "queues", ReadOptions{})
					for range 4 {
						s.mustRead(t, h, "codes", belowMarked)
					}
					cursor := cursorOf(t, h)
					for i := range edits {
						s.lists[""][i].Marker = "2"
					}
					s.mustRead(t, h, "queues", ReadOptions{})
					if lags {
						s.mustRead(t, h, "codes", belowMarked)
					}
					var want []string
					for _, q := range s.lists[""][:edits] {
						s.lists[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1,"flag":true`)}
						want = append(want, "updated w"+q.ID)
					}
					s.mustRead(t, h, "codes", belowMarked)
					s.mustRead(t, h, "codes", belowMarked)
					require.Equal(t, want, kindsOf(t, h, cursor))
				})
			})
		}
	}
}

// Somebody adds a field to ten of many, whose markers move, and the bodies come a pass later: that they were edited was known
// before.
func TestEditsWhoseBodiesCameLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: -1})
		s := &fakeSource{lists: map[string][]Item{}, gets: map[string]func() (Item, error){}}
		s.lists[""] = items(40, "v1", `"n":1`)
		for range 3 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		cursor := cursorOf(t, h)
		var want []string
		for i := range 10 {
			id := s.lists[""][i].ID
			old := item(id, "", "v1", `"n":1`)
			s.lists[""][i] = item(id, "", "v2", `"n":1,"flag":true`)
			s.gets[id] = func() (Item, error) { return old, nil }
			want = append(want, "updated "+id)
		}
		s.mustRead(t, h, "queues", ReadOptions{})
		clear(s.gets)
		for range 3 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		require.Equal(t, want, kindsOf(t, h, cursor))
	})
}

// All rows of a table show a release, in the hour in which somebody edited one of them.
func TestReleaseBesideAnEditBelowTheOnlyParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
		marker := func(m string) { s.lists[""] = []Item{{Object: Object{ID: "t", Marker: m, Body: []byte(`{}`)}}} }
		rows := func(more string, edited int) {
			s.lists["t"] = nil
			for i := range 50 {
				n := 1
				if i == 7 {
					n = edited
				}
				s.lists["t"] = append(s.lists["t"], item(fmt.Sprintf("r%02d", i), "t", "", fmt.Sprintf(`"n":%d%s`, n, more)))
			}
		}
		opts := ReadOptions{Parent: "queues", ParentMarked: true}
		marker("1")
		rows("", 1)
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 {
			s.mustRead(t, h, "rows", opts)
		}
		cursor := cursorOf(t, h)
		marker("2")
		rows(`,"new":false`, 2)
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 {
			s.mustRead(t, h, "rows", opts)
		}
		require.Equal(t, []string{"shape ", "updated r07"}, kindsOf(t, h, cursor))
	})
}

// The parent itself was saved, and nothing below it, before a release.
func TestReleaseAfterTheParentWasSaved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
		rows := func(more string) {
			s.lists["q00"] = nil
			for i := range 50 {
				s.lists["q00"] = append(s.lists["q00"], item(fmt.Sprintf("r%02d", i), "q00", "", `"n":1`+more))
			}
		}
		s.listQueues(1, func(int) string { return "1" })
		rows("")
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 {
			s.mustRead(t, h, "rows", belowMarked)
		}
		s.listQueues(1, func(int) string { return "2" })
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "rows", belowMarked)
		cursor := cursorOf(t, h)
		rows(`,"new":false`)
		s.mustRead(t, h, "rows", belowMarked)
		require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
	})
}

// Of many parents only one, which moved, has anything below it.
func TestReleaseBelowTheOnlyParentThatHasAnything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
		list := func(m, more string) {
			s.listQueues(13, func(i int) string {
				if i == 0 {
					return m
				}
				return "1"
			})
			s.lists["q00"] = nil
			for i := range 50 {
				s.lists["q00"] = append(s.lists["q00"], item(fmt.Sprintf("r%02d", i), "q00", "", `"n":1`+more))
			}
		}
		list("1", "")
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 {
			s.mustRead(t, h, "rows", belowMarked)
		}
		cursor := cursorOf(t, h)
		list("2", `,"new":false`)
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "rows", belowMarked)
		require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
	})
}

// All objects were saved without a change, an hour before a release; their bodies do not say which marker they have.
func TestReleaseAfterAllWereSaved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 4})
		s := &fakeSource{lists: map[string][]Item{}}
		list := func(m, body string) { s.lists[""] = items(13, m, body) }
		s.gets = map[string]func() (Item, error){}
		body := `"n":1`
		for i := range 13 {
			id := fmt.Sprintf("q%02d", i)
			s.gets[id] = func() (Item, error) { return item(id, "", "", body), nil }
		}
		list("v1", body)
		for range 8 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		list("v2", body)
		s.mustRead(t, h, "queues", ReadOptions{})
		cursor := cursorOf(t, h)
		body = `"n":1,"new":false`
		list("v2", body)
		for range 5 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
	})
}

// One object below a parent was edited, a release came, and the other parents cannot be read for a while.
func TestReleaseBesideAnEditWhileMostParentsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 4})
		s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
		list := func(more string, edited int, out bool) {
			s.listQueues(4, func(i int) string {
				if i == 0 {
					return strconv.Itoa(edited)
				}
				return "1"
			})
			for i := range 4 {
				id := fmt.Sprintf("q%02d", i)
				s.lists[id], s.ends[id] = nil, nil
				if out && i > 0 {
					s.ends[id] = errOut
					continue
				}
				for j := range 8 {
					n := 1
					if i == 0 && j == 0 {
						n = edited
					}
					s.lists[id] = append(s.lists[id], item(fmt.Sprintf("r%d%d", i, j), id, "", fmt.Sprintf(`"n":%d%s`, n, more)))
				}
			}
		}
		list("", 1, false)
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 10 {
			s.mustRead(t, h, "rows", belowMarked)
		}
		cursor := cursorOf(t, h)
		list(`,"new":false`, 2, true)
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "rows", belowMarked)
		list(`,"new":false`, 2, false)
		for range 40 {
			s.mustRead(t, h, "rows", belowMarked)
		}
		require.Equal(t, []string{"shape ", "updated r00"}, kindsOf(t, h, cursor))
	})
}
