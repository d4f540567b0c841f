package history

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/memory"
)

var optional = ReadOptions{Parent: "queues", Optional: true}

// The API of a type with one object or none below each parent is withdrawn: below all parents there
// is none. What comes next is a script of the parents that have one again, walk by walk; how many of
// the 30 objects are recorded as deleted after it; and whether some are still withheld.
func TestATypeThatIsOfferedNoMore(t *testing.T) {
	t.Parallel()
	none, last, half, all := [2]int{}, [2]int{29, 30}, [2]int{15, 30}, [2]int{0, 30}
	for name, c := range map[string]struct {
		walks    [][2]int // parents from, to
		deleted  int
		withheld bool
	}{
		"for good":                        {walks: [][2]int{none, none, none, none}, withheld: true},
		"and again":                       {walks: [][2]int{none, none, all}},
		"and again in mid-walk":           {walks: [][2]int{none, half}, withheld: true},
		"and again in mid-walk, then all": {walks: [][2]int{none, none, half, all, all}},
		"and again for one":               {walks: [][2]int{none, none, none, last}, withheld: true},
		"and then half are really gone":   {walks: [][2]int{none, half, half}, deleted: 15},
		"half are really gone":            {walks: [][2]int{half, half}, deleted: 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(t)
				s := queues(t, h, 30)
				s.noGet = true
				s.mustRead(t, h, "codes", optional)
				cursor, whole := cursorOf(t, h), s.lists
				var r Reading
				for _, has := range c.walks {
					s.lists = map[string][]Item{"": whole[""]}
					for _, q := range whole[""][has[0]:has[1]] {
						s.lists[q.ID] = whole[q.ID]
					}
					r = s.mustRead(t, h, "codes", optional)
				}
				require.Len(t, kindsOf(t, h, cursor), c.deleted)
				require.Equal(t, c.withheld, r.Withheld > 0, "%+v", r.Summary)
			})
		})
	}
}

// Its parents become fewer over the months. With each goes the object below it, and no other, also
// when fewer than 20 are left.
func TestFewAreLeftOfATypeThatIsOfferedNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		s := queues(t, h, 23)
		s.noGet = true
		s.mustRead(t, h, "codes", optional)
		s.lists = map[string][]Item{"": s.lists[""]}
		for n := range 8 {
			r := s.mustRead(t, h, "codes", optional)
			require.LessOrEqual(t, r.Deleted, 1, n)
			require.Contains(t, r.Reason, "the org may no longer offer the type")
			s.lists[""] = s.lists[""][1:]
			s.mustRead(t, h, "queues", ReadOptions{})
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		for w, err := range h.Withheld(t.Context(), "codes") {
			require.NoError(t, err)
			require.Contains(t, w.Reason, "the org may no longer offer the type")
		}
		s.ends["q00009"] = &UnclearError{Err: errors.New("q00009 answers 403"), Lasting: true}
		require.Contains(t, s.mustRead(t, h, "codes", optional).Reason, "403", "the first reason is why the walk is not complete")
		require.NoError(t, h.AcceptRemovals(t.Context(), "codes", "wq00010"))
	})
}

// Where markers spare nearly all parents, a walk reads only the one whose object is gone. Others that
// have one are asked, so it is deleted by the second walk, whatever the rotation, and also where few
// parents have an object.
func TestOneOfAnOptionalTypeGoesWhereMarkersSpareTheOthers(t *testing.T) {
	t.Parallel()
	for _, rotation := range []int{-1, 0} {
		for _, parents := range []int{30, 120} {
			t.Run(fmt.Sprint(rotation, " ", parents), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := open(t, memory.New(), &Options{Rotation: rotation})
					s := &fakeSource{lists: map[string][]Item{}, noGet: true}
					for i := range parents {
						id := fmt.Sprintf("q%05d", i)
						s.lists[""] = append(s.lists[""], Item{Object: Object{ID: id, Marker: "1", Body: []byte(`{}`)}})
						if i < 25 {
							s.lists[id] = []Item{item("w"+id, id, "", `"n":1`)}
						}
					}
					opts := ReadOptions{Parent: "queues", Optional: true, ParentMarked: true}
					s.mustRead(t, h, "queues", ReadOptions{})
					for range 4 {
						s.mustRead(t, h, "codes", opts)
					}
					s.lists["q00007"] = nil
					s.lists[""][7].Marker, s.lists[""][7].Body = "2", []byte(`{"v":2}`)
					s.mustRead(t, h, "queues", ReadOptions{})
					require.Zero(t, s.mustRead(t, h, "codes", opts).Deleted)
					require.Equal(t, 1, s.mustRead(t, h, "codes", opts).Deleted)
				})
			})
		}
	}
}
