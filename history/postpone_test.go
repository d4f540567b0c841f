package history

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/memory"
)

var errOut = &UnclearError{Err: errors.New("503")}

// A release comes while few of what would tell it from an edit can be read. Whoever reads them later
// sees one release, and nothing is said of what could not be known.
func TestReleaseWhileLittleCanBeRead(t *testing.T) {
	t.Parallel()
	for _, readable := range []int{3, 6, 9, 13} {
		t.Run(fmt.Sprint("objects ", readable), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memory.New(), &Options{Rotation: 4})
				s := &fakeSource{lists: map[string][]Item{}, gets: map[string]func() (Item, error){}}
				body, left := `"n":1`, 1000
				for i := range 13 {
					id := fmt.Sprintf("q%02d", i)
					s.lists[""] = append(s.lists[""], item(id, "", "1", `"n":1`))
					s.gets[id] = func() (Item, error) {
						if left--; left < 0 {
							return Item{}, errOut
						}
						return Item{Object: item(id, "", "1", body).Object}, nil
					}
				}
				for range 6 {
					s.mustRead(t, h, "queues", ReadOptions{})
				}
				cursor := cursorOf(t, h)
				body, left = `"n":1,"new":false`, readable
				s.mustRead(t, h, "queues", ReadOptions{})
				left = 1000
				s.mustRead(t, h, "queues", ReadOptions{})
				require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
			})
		})
		t.Run(fmt.Sprint("parents ", readable), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memory.New(), &Options{Rotation: 4})
				s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
				list := func(body string, readable int) {
					s.lists[""] = nil
					for i := range 13 {
						id := fmt.Sprintf("q%02d", i)
						s.lists[""] = append(s.lists[""], Item{Object: Object{ID: id, Marker: "1", Body: []byte(`{}`)}})
						if s.lists[id], s.ends[id] = []Item{item("w"+id, id, "", body)}, nil; i >= readable {
							s.lists[id], s.ends[id] = nil, errOut
						}
					}
				}
				marked := ReadOptions{Parent: "queues", ParentMarked: true}
				list(`"n":1`, 13)
				s.mustRead(t, h, "queues", ReadOptions{})
				for range 6 {
					s.mustRead(t, h, "codes", marked)
				}
				cursor := cursorOf(t, h)
				list(`"n":1,"new":false`, readable)
				s.mustRead(t, h, "codes", marked)
				list(`"n":1,"new":false`, 13)
				for range 4 {
					s.mustRead(t, h, "codes", marked)
				}
				require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
			})
		})
	}
}

// The list itself is cut, in as many passes as an outage takes. What comes before the cut shows a
// release, or it is what the rotation reads of it.
func TestReleaseWhileListsAreCut(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		name  string
		list  func(body string) []Item
		opts  ReadOptions
		edges []int // how much comes before the cut
	}{
		{"whole objects", func(body string) (list []Item) {
			for i := range 13 {
				list = append(list, item(fmt.Sprintf("q%02d", i), "", "", body))
			}
			return list
		}, ReadOptions{}, []int{1, 5, 9}},
		{"objects read by turns", func(body string) (list []Item) {
			for i := range 13 {
				list = append(list, Item{Object: Object{ID: fmt.Sprintf("q%02d", i), Marker: "1", Body: []byte(`{}`)}, Partial: true})
			}
			return list
		}, ReadOptions{}, []int{1, 5, 9, 12}},
	}
	for _, kind := range kinds {
		for _, edge := range kind.edges {
			for _, passes := range []int{1, 2, 5, 20} {
				t.Run(fmt.Sprint(kind.name, " ", edge, " ", passes), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						h := open(t, memory.New(), &Options{Rotation: 4})
						body := `"n":1`
						s := &fakeSource{lists: map[string][]Item{"": kind.list(body)}, ends: map[string]error{}, gets: map[string]func() (Item, error){}}
						for i := range 13 {
							id := fmt.Sprintf("q%02d", i)
							s.gets[id] = func() (Item, error) { return Item{Object: item(id, "", "1", body).Object}, nil }
						}
						for range 6 {
							s.mustRead(t, h, "queues", kind.opts)
						}
						cursor := cursorOf(t, h)
						body = `"n":1,"new":false`
						for range passes {
							s.lists[""], s.ends[""] = kind.list(body)[:edge], errOut
							s.mustRead(t, h, "queues", kind.opts)
						}
						s.lists[""], s.ends[""] = kind.list(body), nil
						for range 5 {
							s.mustRead(t, h, "queues", kind.opts)
						}
						require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
					})
				})
			}
		}
	}
}

// An outage below most parents, in as many passes as it takes. The rest shows a release.
func TestReleaseWhileMostParentsFail(t *testing.T) {
	t.Parallel()
	for _, isMarked := range []bool{false, true} {
		for _, readable := range []int{1, 5, 9} {
			for _, passes := range []int{1, 2, 5, 20} {
				t.Run(fmt.Sprint(isMarked, " ", readable, " ", passes), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						h := open(t, memory.New(), &Options{Rotation: 4})
						s := queues(t, h, 13)
						opts := ReadOptions{Parent: "queues", ParentMarked: isMarked}
						list := func(body string, readable int) {
							for i := range s.lists[""] {
								q := &s.lists[""][i]
								if q.Marker = ""; isMarked {
									q.Marker = "1"
								}
								if s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", body)}, nil; i >= readable {
									s.lists[q.ID], s.ends[q.ID] = nil, errOut
								}
							}
						}
						list(`"n":1`, 13)
						s.mustRead(t, h, "queues", ReadOptions{})
						for range 6 {
							s.mustRead(t, h, "codes", opts)
						}
						cursor := cursorOf(t, h)
						list(`"n":1,"new":false`, readable)
						for range passes {
							s.mustRead(t, h, "codes", opts)
						}
						list(`"n":1,"new":false`, 13)
						for range 25 { // parents that refuse are asked again daily
							s.mustRead(t, h, "codes", opts)
						}
						require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
					})
				})
			}
		}
	}
}

// Somebody adds a field to what is below one parent, and what would tell that from a release can never
// be read. The edit is recorded after two days, and counts from before the first pass that saw it.
func TestEditWhileNothingElseCanBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: -1})
		s := queues(t, h, 13)
		for i := range s.lists[""] {
			s.lists[""][i].Marker = "1"
		}
		marked := ReadOptions{Parent: "queues", ParentMarked: true}
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 {
			s.mustRead(t, h, "codes", marked)
		}
		last, _, err := h.LastPass(t.Context(), "codes")
		require.NoError(t, err)
		cursor := cursorOf(t, h)
		for i, q := range s.lists[""] {
			if s.ends[q.ID] = errOut; i == 5 {
				s.ends[q.ID] = nil
				s.lists[""][i].Marker = "2"
				s.lists[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1,"new":false`)}
			} else {
				s.lists[q.ID] = nil
			}
		}
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 48 {
			s.mustRead(t, h, "codes", marked)
			require.Empty(t, kindsOf(t, h, cursor))
		}
		s.mustRead(t, h, "codes", marked)
		require.Equal(t, []string{"updated wq00005"}, kindsOf(t, h, cursor))
		for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
			require.NoError(t, err)
			require.False(t, c.After.After(last.AsOf), "%v %v", c.After, last.AsOf)
		}
	})
}
