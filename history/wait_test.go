package history

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

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

// A list is cut as a release comes, and people have edited some of the objects.
func TestReleaseBesideEditsWhileAListIsCut(t *testing.T) {
	t.Parallel()
	for _, edited := range []int{2, 3, 4} {
		t.Run(fmt.Sprint(edited, " edits"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memory.New(), nil)
				list := func(edited int, more string) (all []Item) {
					for i := range 12 {
						version := 1
						if i < edited {
							version = 2
						}
						all = append(all, item(fmt.Sprintf("q%02d", i), "", "", fmt.Sprintf(`"version":%d%s`, version, more)))
					}
					return all
				}
				s := &fakeSource{lists: map[string][]Item{"": list(0, "")}, ends: map[string]error{}}
				for range 3 {
					s.mustRead(t, h, "queues", ReadOptions{})
				}
				cursor := cursorOf(t, h)
				s.lists[""], s.ends[""], s.lists["beyond"] = list(edited, `,"new":false`)[:6], errOut, list(edited, `,"new":false`)
				s.mustRead(t, h, "queues", ReadOptions{})
				s.lists[""], s.ends[""] = list(edited, `,"new":false`), nil
				s.mustRead(t, h, "queues", ReadOptions{})
				s.mustRead(t, h, "queues", ReadOptions{})
				var want []string
				want = append(want, "shape ")
				for i := range edited {
					want = append(want, fmt.Sprintf("updated q%02d", i))
				}
				require.Equal(t, want, kindsOf(t, h, cursor))
			})
		})
	}
}

// Most parents fail for so long that they are asked daily.
func TestReleaseInALongOutage(t *testing.T) {
	t.Parallel()
	for _, hours := range []int{20, 24, 26, 30, 40, 46} {
		t.Run(fmt.Sprint(hours, " hours"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memory.New(), nil)
				s := queues(t, h, 13)
				for range 3 {
					s.mustRead(t, h, "codes", below)
				}
				cursor := cursorOf(t, h)
				for i, q := range s.lists[""] {
					s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1,"new":false`)}, nil
					if i >= 5 {
						s.lists[q.ID], s.ends[q.ID] = nil, errOut
					}
				}
				for range hours {
					s.mustRead(t, h, "codes", below)
				}
				for _, q := range s.lists[""] {
					s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1,"new":false`)}, nil
				}
				for range 60 {
					s.mustRead(t, h, "codes", below)
				}
				require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
			})
		})
	}
}

// A list ends early without saying so, which looks like a sudden drop.
func TestReleaseWhileAListIsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{"": items(30, "", `"n":1`), "hidden": nil}, ends: map[string]error{}}
		for range 3 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		cursor := cursorOf(t, h)
		all := items(30, "", `"n":1,"new":false`)
		s.lists[""], s.lists["hidden"] = all[:6], all[6:]
		s.mustRead(t, h, "queues", ReadOptions{})
		s.lists[""] = all
		for range 3 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
	})
}

// A process that does not know the time cannot tell for how long an object waits.
func TestReleaseWhileTheTimeIsUnknown(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		t.Run(fmt.Sprint("first ", first), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				known := true
				clock := func() (time.Time, time.Time, bool) {
					if !known {
						return time.Time{}, time.Time{}, false
					}
					return time.Now(), time.Now(), true
				}
				h := open(t, memory.New(), &Options{Clock: clock})
				s := queues(t, h, 14)
				s.mustRead(t, h, "codes", below)
				bad := s.lists[""][13].ID // is not to be read for long
				s.lists[bad], s.ends[bad] = nil, &UnclearError{Err: errOut, Lasting: true}
				for range 21 * 24 {
					s.mustRead(t, h, "codes", below)
				}
				cursor := cursorOf(t, h)
				list := func(readable int) {
					for i, q := range s.lists[""][:13] {
						s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1,"new":false`)}, nil
						if i >= readable {
							s.lists[q.ID], s.ends[q.ID] = nil, errOut
						}
					}
				}
				list(5)
				known = !first
				s.mustRead(t, h, "codes", below)
				known = first
				s.mustRead(t, h, "codes", below)
				known = true
				list(13)
				for range 30 {
					s.mustRead(t, h, "codes", below)
				}
				require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
			})
		})
	}
}

// Objects that have been in doubt for days wait from when they show a field, like any other.
func TestReleaseInObjectsInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 13})
		s := &fakeSource{lists: map[string][]Item{}, gets: map[string]func() (Item, error){}}
		s.lists[""] = items(13, "v1", `"n":1`)
		for range 15 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		// Somebody saves two objects without a change: they are in doubt.
		for i := range 2 {
			id := s.lists[""][i].ID
			s.lists[""][i] = item(id, "", "v2", `"n":1`)
		}
		s.mustRead(t, h, "queues", ReadOptions{})
		// An outage of three days, in which a release comes.
		for i := range 13 {
			s.gets[s.lists[""][i].ID] = func() (Item, error) { return Item{}, errOut }
		}
		for range 72 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		cursor := cursorOf(t, h)
		for i := range 13 {
			o := &s.lists[""][i]
			*o = item(o.ID, "", o.Marker, `"n":1,"new":false`)
		}
		for i := range 2 {
			delete(s.gets, s.lists[""][i].ID)
		}
		s.mustRead(t, h, "queues", ReadOptions{}) // the first pass that sees it
		clear(s.gets)
		for range 15 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
	})
}
