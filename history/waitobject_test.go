package history

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// Somebody adds a field to what is below one parent, and what would tell that from a release can never
// be read. The edit is recorded after three days, and counts from before the first pass that saw it.
func TestEditWhileNothingElseCanBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := queues(t, h, 13)
		for range 4 {
			s.mustRead(t, h, "codes", below)
		}
		last, _, err := h.LastPass(t.Context(), "codes")
		require.NoError(t, err)
		cursor := cursorOf(t, h)
		for i, q := range s.lists[""] {
			if s.ends[q.ID] = errOut; i == 5 {
				s.ends[q.ID] = nil
				s.lists[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1,"new":false`)}
			} else {
				s.lists[q.ID] = nil
			}
		}
		for range 72 {
			s.mustRead(t, h, "codes", below)
			require.Empty(t, kindsOf(t, h, cursor))
		}
		s.mustRead(t, h, "codes", below)
		require.Equal(t, []string{"updated wq00005"}, kindsOf(t, h, cursor))
		for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
			require.NoError(t, err)
			require.Equal(t, last.Started, c.After)
		}
	})
}

// A clock that is set back meanwhile does not make it wait for longer than that from then on.
func TestWaitWhileTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		back := time.Duration(0)
		h := open(t, memory.New(), &Options{Clock: func() (time.Time, time.Time, bool) { return time.Now().Add(-back), time.Now().Add(-back), true }})
		s := &fakeSource{lists: map[string][]Item{"": items(13, "", `"n":1`)}, ends: map[string]error{}, noGet: true}
		time.Sleep(30 * 24 * time.Hour)
		s.mustRead(t, h, "queues", ReadOptions{})
		cursor := cursorOf(t, h)
		s.lists[""], s.ends[""] = items(1, "", `"n":1,"flag":true`), errOut
		s.mustRead(t, h, "queues", ReadOptions{})
		back = 10 * 24 * time.Hour
		for range 73 {
			require.Empty(t, kindsOf(t, h, cursor))
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		require.Equal(t, []string{"updated q00"}, kindsOf(t, h, cursor))
	})
}

// An object that waits is read in the next pass, though its marker has not moved and it is not its turn.
func TestWaitingObjectIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 13})
		s := &fakeSource{lists: map[string][]Item{"": items(13, "v1", `"n":1`)}, gets: map[string]func() (Item, error){}}
		for range 3 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		for i, q := range s.lists[""] {
			if i != 5 {
				s.gets[q.ID] = func() (Item, error) { return Item{}, errOut }
			}
		}
		s.lists[""][5] = item("q05", "", "v1", `"n":1,"flag":true`)
		waits := func() bool {
			hd, _, err := h.head(t.Context(), "queues", "q05")
			require.NoError(t, err)
			return hd.Waits != nil
		}
		cursor := cursorOf(t, h)
		for passes := 0; !waits(); passes++ {
			require.Less(t, passes, 13)
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		clear(s.gets)
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"updated q05"}, kindsOf(t, h, cursor))
	})
}

// What another process has recorded meanwhile does not wait.
func TestWhatIsRecordedDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		slow, other := open(t, store, &Options{BatchObjects: 1}), open(t, store, nil)
		s := &fakeSource{lists: map[string][]Item{"": items(13, "", `"n":1`)}}
		for range 3 {
			s.mustRead(t, slow, "queues", ReadOptions{})
		}
		s.lists[""][0] = item("q00", "", "", `"n":1,"flag":true`)
		p, err := slow.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		for _, i := range s.lists[""][:6] {
			require.NoError(t, p.Observe(t.Context(), i.Object))
		}
		require.Len(t, p.held, 1)
		s.mustRead(t, other, "queues", ReadOptions{})
		_, err = p.Settle(t.Context(), Walk{Reason: "cut"})
		require.NoError(t, err)
		_, err = p.End(t.Context())
		require.NoError(t, err)
		require.Len(t, changesOf(t, other, KindUpdated), 1)
		hd, _, err := other.head(t.Context(), "queues", "q00")
		require.NoError(t, err)
		require.Nil(t, hd.Waits)
	})
}

// An edit whose marker moved is recorded when its body comes, also where nothing else can be read: a pass
// after its marker, or after the body of another edit came under that.
func TestLateEditDoesNotWait(t *testing.T) {
	t.Parallel()
	for marker, first := range map[string]struct {
		body string
		want []string
	}{
		"v1": {`"n":1`, []string{"updated q00"}},
		"v2": {`"n":2`, []string{"updated q00", "updated q00"}},
	} {
		t.Run(marker, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memory.New(), &Options{Rotation: -1})
				s := &fakeSource{lists: map[string][]Item{"": items(13, "v1", `"n":1`)}, gets: map[string]func() (Item, error){}}
				for range 3 {
					s.mustRead(t, h, "queues", ReadOptions{})
				}
				cursor := cursorOf(t, h)
				for _, q := range s.lists[""] {
					s.gets[q.ID] = func() (Item, error) { return Item{}, errOut }
				}
				old, now := item("q00", "", marker, first.body), item("q00", "", "v3", `"n":2,"flag":true`)
				s.lists[""][0] = now
				s.gets["q00"] = func() (Item, error) { return old, nil }
				s.mustRead(t, h, "queues", ReadOptions{})
				s.gets["q00"] = func() (Item, error) { return now, nil }
				for range 3 {
					s.mustRead(t, h, "queues", ReadOptions{})
				}
				require.Equal(t, first.want, kindsOf(t, h, cursor))
			})
		})
	}
}

// An object that waits has moved to another parent. Its former one is deleted, and the other cannot be read.
func TestWaitingObjectGoesNotWithItsFormerParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := queues(t, h, 13)
		for range 3 {
			s.mustRead(t, h, "codes", below)
		}
		cursor := cursorOf(t, h)
		all := s.lists[""]
		for i, q := range all {
			if i > 1 {
				s.lists[q.ID], s.ends[q.ID] = nil, errOut
			}
		}
		x, y := all[0].ID, all[1].ID
		s.lists[y] = append(s.lists[y], item("w"+x, y, "", `"n":1,"flag":true`))
		s.lists[x] = nil
		s.lists[""] = all[1:]
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "codes", below)
		was := s.lists[y]
		s.lists[y], s.ends[y] = nil, errOut
		s.lists[all[2].ID], s.ends[all[2].ID] = []Item{item("w"+all[2].ID, all[2].ID, "", `"n":1`)}, nil
		s.mustRead(t, h, "codes", below)
		s.lists[y], s.ends[y] = was, nil
		for _, q := range all[1:] {
			if s.ends[q.ID] != nil {
				s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1`)}, nil
			}
		}
		for range 30 {
			s.mustRead(t, h, "codes", below)
		}
		require.Equal(t, []string{"deleted q00000", "updated wq00000"}, kindsOf(t, h, cursor))
	})
}

// So has another, whose former parent lists it no more.
func TestWaitingObjectIsNotAbsentBelowItsFormerParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := queues(t, h, 13)
		s.noGet = true
		for range 3 {
			s.mustRead(t, h, "codes", below)
		}
		cursor := cursorOf(t, h)
		all := s.lists[""]
		for i, q := range all {
			if i > 1 {
				s.lists[q.ID], s.ends[q.ID] = nil, errOut
			}
		}
		x, y := all[0].ID, all[1].ID
		s.lists[y] = append(s.lists[y], item("w"+x, y, "", `"n":1,"flag":true`))
		s.lists[x] = nil
		s.mustRead(t, h, "codes", below)
		was := s.lists[y]
		s.lists[y], s.ends[y] = nil, errOut
		s.mustRead(t, h, "codes", below)
		s.mustRead(t, h, "codes", below)
		s.lists[y], s.ends[y] = was, nil
		for i, q := range all {
			if i > 1 {
				s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1`)}, nil
			}
		}
		for range 30 {
			s.mustRead(t, h, "codes", below)
		}
		require.Equal(t, []string{"updated wq00000"}, kindsOf(t, h, cursor))
	})
}

// An object that waited was deleted. When it comes back, that is no older than the last pass that did not have it.
func TestWaitEndsWithItsObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		list := func(more string) []Item {
			all := items(13, "", `"n":1`)
			all[0] = item("q00", "", "", `"n":1`+more)
			return all
		}
		s := &fakeSource{lists: map[string][]Item{"": list("")}, ends: map[string]error{}}
		for range 3 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		s.lists[""], s.ends[""] = list(`,"flag":true`)[:6], errOut
		s.mustRead(t, h, "queues", ReadOptions{})
		s.ends[""], s.lists[""] = nil, list("")[1:]
		for range 3 {
			s.mustRead(t, h, "queues", ReadOptions{})
		}
		cursor := cursorOf(t, h)
		time.Sleep(24 * time.Hour)
		last := s.mustRead(t, h, "queues", ReadOptions{})
		s.lists[""] = list(`,"flag":true`)
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"restored q00"}, kindsOf(t, h, cursor))
		for _, c := range collect(t, h.Changes(t.Context(), Query{AfterSeq: cursor})) {
			require.Equal(t, last.AsOf, c.After)
		}
	})
}

// An object waits, and is then what it was. The next change of it has the span of any other.
func TestWaitEndsWhereNothingIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{"": items(13, "", `"n":1`)}, ends: map[string]error{}, noGet: true}
		s.mustRead(t, h, "queues", ReadOptions{})
		cursor := cursorOf(t, h)
		s.lists[""], s.ends[""] = items(1, "", `"n":1,"flag":true`), errOut
		s.mustRead(t, h, "queues", ReadOptions{})
		s.lists[""], s.ends[""] = items(13, "", `"n":1`), nil
		s.mustRead(t, h, "queues", ReadOptions{})
		last := s.mustRead(t, h, "queues", ReadOptions{})
		s.lists[""][0] = item("q00", "", "", `"n":2`)
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"updated q00"}, kindsOf(t, h, cursor))
		for _, c := range collect(t, h.Changes(t.Context(), Query{AfterSeq: cursor})) {
			require.Equal(t, last.AsOf, c.After)
		}
	})
}

// While one object below a parent waits, the changes of the others have the spans of any other.
func TestSiblingsOfAWaitingObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := queues(t, h, 13)
		x := s.lists[""][0].ID
		s.lists[x] = append(s.lists[x], item("v"+x, x, "", `"n":1`))
		for range 3 {
			s.mustRead(t, h, "codes", below)
		}
		for _, q := range s.lists[""][5:] {
			s.lists[q.ID], s.ends[q.ID] = nil, errOut
		}
		s.lists[x][0] = item("w"+x, x, "", `"n":1,"flag":true`)
		for range 40 {
			s.mustRead(t, h, "codes", below)
		}
		cursor := cursorOf(t, h)
		s.lists[x][1] = item("v"+x, x, "", `"n":2`)
		s.lists[x] = append(s.lists[x], item("u"+x, x, "", `"n":2`))
		s.mustRead(t, h, "codes", below)
		for _, c := range collect(t, h.Changes(t.Context(), Query{AfterSeq: cursor})) {
			require.Less(t, c.At.Sub(c.After), 3*time.Hour)
		}
	})
}

// An object waits below a parent whose list lags behind an edit of another one. What it has shown before
// is no sign that the list is new.
func TestWaitingObjectSettlesNoDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 500})
		s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
		mark := "1"
		q := func() {
			s.listQueues(13, func(i int) string {
				if i == 5 {
					return mark
				}
				return "1"
			})
		}
		q()
		for _, q := range s.lists[""] {
			s.lists[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1`)}
		}
		s.lists["q05"] = append(s.lists["q05"], item("v", "q05", "", `"n":1`))
		s.mustRead(t, h, "queues", ReadOptions{})
		for range 4 { // turns of q00..
			s.mustRead(t, h, "codes", belowMarked)
		}
		cursor := cursorOf(t, h)
		for i, q := range s.lists[""] {
			if i != 5 {
				s.lists[q.ID], s.ends[q.ID] = nil, errOut
			}
		}
		s.lists["q05"][0] = item("wq05", "q05", "", `"n":1,"flag":true`)
		n := 0
		for hd, _, _ := h.head(t.Context(), "codes", "wq05"); hd.Waits == nil && hd.Reread == nil && n < 20; hd, _, _ = h.head(t.Context(), "codes", "wq05") {
			s.mustRead(t, h, "codes", belowMarked)
			n++
		}
		require.Empty(t, kindsOf(t, h, cursor))
		mark = "2"
		all := s.lists["q05"]
		q()
		for i, q := range s.lists[""] { // now it is decided about w
			if i != 5 {
				s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1`)}, nil
			}
		}
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "codes", belowMarked) // a replica that lags: v is old
		all[1] = item("v", "q05", "", `"n":2`)
		for range 5 {
			s.mustRead(t, h, "codes", belowMarked)
		}
		require.Contains(t, kindsOf(t, h, cursor), "updated v")
	})
}
