package history

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/memory"
)

// A marker belongs to the body it came with: a GET that lags behind its list, for
// as many passes as it is doubted, hides nothing, and its change counts from before.
func TestLaggingBodies(t *testing.T) {
	for lag := range rereads + 1 {
		for _, says := range []bool{true, false} { // the body has its own marker
			t.Run(fmt.Sprint(lag, " ", says), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := open(t, memory.New(), &Options{Rotation: -1})
					s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "v1", `"n":1`)}}}
					s.mustRead(t, h, "queues", ReadOptions{})
					steady := s.mustRead(t, h, "queues", ReadOptions{})
					require.Len(t, s.asked, 1)
					s.lists[""] = []Item{item("a", "", "v2", `"n":2`)}
					left := lag
					s.gets = map[string]func() (Item, error){"a": func() (Item, error) {
						got := item("a", "", "v2", `"n":2`)
						if left--; left >= 0 {
							got = item("a", "", "v1", `"n":1`)
						}
						if !says {
							got.Marker = ""
						}
						return got, nil
					}}
					cursor := cursorOf(t, h)
					for range lag + 1 {
						s.mustRead(t, h, "queues", ReadOptions{})
					}
					require.Equal(t, []string{"updated a"}, kindsOf(t, h, cursor))
					for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
						require.NoError(t, err)
						require.Equal(t, steady.AsOf, c.After)
					}
					s.mustRead(t, h, "queues", ReadOptions{})
					require.Len(t, s.asked, 1, "it is believed")
				})
			})
		}
	}
}

// The same below a parent whose marker moved.
func TestLaggingBelowAParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: -1})
		marked := ReadOptions{Parent: "queues", ParentMarked: true}
		s := &fakeSource{lists: map[string][]Item{"": {item("q", "", "v1", `"n":1`)}, "q": {item("w", "q", "", `"n":1`)}}}
		s.lists[""][0].Partial = false
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "codes", marked)
		s.mustRead(t, h, "codes", marked)
		require.Empty(t, s.asked, "the marker did not move")
		s.lists[""][0].Marker = "v2"
		s.mustRead(t, h, "queues", ReadOptions{})
		cursor := cursorOf(t, h)
		s.mustRead(t, h, "codes", marked)
		require.Len(t, s.asked, 1)
		s.lists["q"] = []Item{item("w", "q", "", `"n":2`)}
		s.mustRead(t, h, "codes", marked)
		require.Equal(t, []string{"updated w"}, kindsOf(t, h, cursor))
		s.mustRead(t, h, "codes", marked)
		require.Empty(t, s.asked)
	})
}

// The rotation reads every object within so many passes, at least one in each,
// and finds what no marker moved.
func TestRotation(t *testing.T) {
	for _, n := range []int{1, 9, 10, 11, 95} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, memory.New(), &Options{Rotation: 10})
			s := &fakeSource{lists: map[string][]Item{}}
			for i := range n {
				s.lists[""] = append(s.lists[""], item(fmt.Sprintf("%02d", i), "", "v1", `"n":1`))
			}
			s.mustRead(t, h, "queues", ReadOptions{})
			cursor := cursorOf(t, h)
			for i := range s.lists[""] {
				s.lists[""][i] = item(fmt.Sprintf("%02d", i), "", "v1", `"n":2`)
			}
			for range 10 {
				r, asked, err := s.read(t, h, "queues", ReadOptions{})
				require.NoError(t, err)
				require.Len(t, asked, 1+(n+9)/10)
				require.InDelta(t, len(asked), r.Steady, 0.01)
			}
			require.Len(t, kindsOf(t, h, cursor), n)
			s.gets = map[string]func() (Item, error){}
			for _, i := range s.lists[""] {
				s.gets[i.ID] = func() (Item, error) { return Item{}, &UnclearError{Err: errors.New("500")} }
			}
			require.True(t, s.mustRead(t, h, "queues", ReadOptions{}).Complete, "nothing spoke for reading it")
		})
	}
}
