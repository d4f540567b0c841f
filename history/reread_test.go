package history

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/memory"
)

// A marker belongs to the body it came with: a GET that lags behind its list, by two
// passes or by minutes in which many are made, hides nothing, and what it held back
// counts from before.
func TestLaggingBodies(t *testing.T) {
	type row struct {
		apart, lag time.Duration
	}
	for _, r := range []row{
		{time.Hour, 0},
		{time.Hour, 90 * time.Minute},
		{time.Hour, 2 * time.Hour}, // both passes after the one that saw the marker move
		{5 * time.Second, 4 * time.Minute},
		{5 * time.Second, replicasAgree - time.Second},
		{time.Minute, replicasAgree},
	} {
		for _, says := range []bool{true, false} { // the body has its own marker
			for _, edits := range []int{1, 2} { // which the replica gets one after the other
				t.Run(fmt.Sprint(r.apart, " ", r.lag, " ", says, " ", edits), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testLaggingBody(t, r.apart, r.lag, says, edits) })
				})
			}
		}
	}
}

func testLaggingBody(t *testing.T, apart, lag time.Duration, says bool, edits int) {
	t.Helper()
	at := func(version int) Item { return item("a", "", fmt.Sprint("v", version), fmt.Sprintf(`"n":%d`, version)) }
	h := open(t, memory.New(), &Options{Rotation: -1})
	s := &fakeSource{lists: map[string][]Item{"": {at(1)}}, apart: apart}
	s.mustRead(t, h, "queues", ReadOptions{})
	steady := s.mustRead(t, h, "queues", ReadOptions{})
	require.Len(t, s.asked, 1)
	cursor := cursorOf(t, h)

	edited := time.Now().Add(time.Second)
	s.lists[""] = []Item{at(1 + edits)}
	s.gets = map[string]func() (Item, error){"a": func() (Item, error) {
		got := at(1 + edits)
		switch late := time.Since(edited); {
		case late < lag/2:
			got = at(1)
		case late < lag:
			got = at(edits)
		}
		if !says {
			got.Marker = ""
		}
		return got, nil
	}}
	for range 2 + max(2, int(replicasAgree/apart)) {
		s.mustRead(t, h, "queues", ReadOptions{})
	}
	body, err := h.Body(t.Context(), "queues", "a")
	require.NoError(t, err)
	require.JSONEq(t, string(at(1+edits).Body), string(body))
	for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
		require.NoError(t, err)
		require.Equal(t, steady.AsOf, c.After)
	}
	s.mustRead(t, h, "queues", ReadOptions{})
	s.mustRead(t, h, "queues", ReadOptions{})
	require.Len(t, s.asked, 1, "it is believed")
}

// A replica that lags is met once an object is known to be newer: in a doubt by a body
// that does not say its marker, or in the rotation by one that says an old one. What
// is known stays. But what an object is to the end of a doubt is recorded in the end.
func TestOldBodyAfterANewOne(t *testing.T) {
	for _, says := range []bool{true, false} {
		for _, stays := range []bool{true, false} {
			t.Run(fmt.Sprint(says, " ", stays), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := open(t, memory.New(), &Options{Rotation: 1}) // everything has its turn
					get := func(version int) func() (Item, error) {
						i := item("a", "", fmt.Sprint("v", version), fmt.Sprintf(`"n":%d`, version))
						if !says {
							i.Marker = ""
						}
						return func() (Item, error) { return i, nil }
					}
					s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "v1", `"n":1`)}}, gets: map[string]func() (Item, error){"a": get(1)}}
					s.mustRead(t, h, "queues", ReadOptions{})
					s.mustRead(t, h, "queues", ReadOptions{})
					cursor := cursorOf(t, h)
					s.lists[""][0].Marker = "v2"
					s.gets["a"] = get(2)
					known := s.mustRead(t, h, "queues", ReadOptions{})
					require.Equal(t, []string{"updated a"}, kindsOf(t, h, cursor))
					s.gets["a"] = get(1)
					s.mustRead(t, h, "queues", ReadOptions{})
					require.Equal(t, []string{"updated a"}, kindsOf(t, h, cursor))
					if !stays {
						s.gets["a"] = get(2)
					}
					for range 3 {
						s.mustRead(t, h, "queues", ReadOptions{})
					}
					if !stays {
						require.Equal(t, []string{"updated a"}, kindsOf(t, h, cursor))
						return
					}
					require.Equal(t, []string{"updated a", "updated a"}, kindsOf(t, h, cursor))
					for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
						require.NoError(t, err)
						require.False(t, c.After.After(known.Started))
					}
				})
			})
		}
	}
}

// An edit that is taken back leads to what the object was before it. A body that says the
// marker of the list is of now, also where the one before it came from a replica that lags.
func TestTakenBackWhileAReplicaLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{})
		body := func(version, n int) func() (Item, error) {
			i := item("a", "", fmt.Sprint("v", version), fmt.Sprintf(`"n":%d`, n))
			return func() (Item, error) { return i, nil }
		}
		s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "v1", `"n":1`)}}, gets: map[string]func() (Item, error){"a": body(1, 1)}}
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "queues", ReadOptions{})
		cursor := cursorOf(t, h)
		s.lists[""][0].Marker = "v3"
		s.gets["a"] = body(2, 2) // while the third version is there already
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"updated a"}, kindsOf(t, h, cursor))
		s.gets["a"] = body(3, 1)
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"updated a", "updated a"}, kindsOf(t, h, cursor))
	})
}

// The same below a parent whose marker moved.
func TestLaggingBelowAParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: -1})
		marked := ReadOptions{Parent: "queues", ParentMarked: true}
		s := &fakeSource{lists: map[string][]Item{"": {item("q", "", "v1", `"n":1`), item("r", "", "v1", `"n":1`)}, "q": {item("w", "q", "", `"n":1`)}}}
		s.lists[""][0].Partial, s.lists[""][1].Partial = false, false
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "codes", marked)
		s.mustRead(t, h, "codes", marked)
		require.Empty(t, s.asked, "the marker did not move")
		steady := cursorOf(t, h)
		s.lists[""][0].Marker = "v2"
		parents := s.mustRead(t, h, "queues", ReadOptions{})
		s.apart = time.Second
		for i := range 10 {
			s.ends = map[string]error{}
			if i == 1 { // a refusal is no second look
				s.ends["q"], s.lists["q"] = &UnclearError{Err: errors.New("500")}, nil
			} else {
				s.lists["q"] = []Item{item("w", "q", "", `"n":1`)}
			}
			require.Equal(t, i != 1, s.mustRead(t, h, "codes", marked).Complete)
			require.Equal(t, []string{"list q"}, slices.DeleteFunc(s.asked, func(a string) bool { return a == "get w" }))
		}
		s.lists["q"] = []Item{item("w", "q", "", `"n":2`), item("x", "q", "", `"n":1`)}
		s.mustRead(t, h, "codes", marked)
		require.Equal(t, []string{"created x", "updated w"}, kindsOf(t, h, steady))
		for c, err := range h.Changes(t.Context(), Query{AfterSeq: steady}) {
			require.NoError(t, err)
			require.True(t, c.After.Before(parents.AsOf), "%v", c.After)
		}
		s.apart = replicasAgree
		s.mustRead(t, h, "codes", marked)
		s.mustRead(t, h, "codes", marked)
		require.Empty(t, s.asked)
	})
}

// A new object is not believed at once either, unless its body says its marker; but
// an import, where nothing was edited a moment ago, reads nothing twice.
func TestLaggingCreation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: -1})
		silent := func(id string) func() (Item, error) {
			return func() (Item, error) { return item(id, "", "", `"n":1`), nil }
		}
		s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "v1", `"n":1`)}}, gets: map[string]func() (Item, error){"a": silent("a"), "b": silent("b")}}
		s.mustRead(t, h, "queues", ReadOptions{})
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"list "}, s.asked)
		s.lists[""] = append(s.lists[""], item("b", "", "v2", `"n":2`))
		s.mustRead(t, h, "queues", ReadOptions{})
		delete(s.gets, "b")
		cursor := cursorOf(t, h)
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"updated b"}, kindsOf(t, h, cursor))
	})
}

// What goes out of sight while it is in doubt, and comes back as what it became
// before, has that change from before the doubt.
func TestDoubtOutOfSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: -1})
		s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "v1", `"n":1`), item("b", "", "v1", `"n":1`)}}}
		s.mustRead(t, h, "queues", ReadOptions{})
		steady := s.mustRead(t, h, "queues", ReadOptions{})
		s.gets = map[string]func() (Item, error){"a": func() (Item, error) { return item("a", "", "v1", `"n":1`), nil }}
		s.lists[""][0] = item("a", "", "v2", `"n":2`)
		all := s.lists[""]
		s.mustRead(t, h, "queues", ReadOptions{})
		s.lists[""], s.coverage.Name = all[1:], "less"
		cursor := cursorOf(t, h)
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Empty(t, kindsOf(t, h, cursor))
		s.lists[""], s.coverage.Name = all, ""
		delete(s.gets, "a")
		s.mustRead(t, h, "queues", ReadOptions{})
		require.Equal(t, []string{"updated a"}, kindsOf(t, h, cursor))
		for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
			require.NoError(t, err)
			require.Equal(t, steady.AsOf, c.After)
		}
	})
}

// What was edited while it was out of sight, and comes back while a replica lags, has its change from before it went.
func TestDoubtAsItComesIntoSight(t *testing.T) {
	for i := range 4 {
		lagging, twice := 1+i%2, i/2 // the version that the replica has, and how often the object is listed again
		synctest.Test(t, func(t *testing.T) {
			at := func(version int) Item { return item("a", "", fmt.Sprint("v", version), fmt.Sprintf(`"n":%d`, version)) }
			h := open(t, memory.New(), &Options{Rotation: -1})
			s := &fakeSource{lists: map[string][]Item{"": {at(1), item("b", "", "v1", `"n":1`)}}}
			s.mustRead(t, h, "queues", ReadOptions{})
			steady := s.mustRead(t, h, "queues", ReadOptions{})
			all := s.lists[""]
			s.lists[""], s.coverage.Name = all[1:], "less"
			s.mustRead(t, h, "queues", ReadOptions{})
			cursor := cursorOf(t, h)
			all[0] = at(3)
			s.lists[""], s.coverage.Name = all, ""
			s.gets = map[string]func() (Item, error){"a": func() (Item, error) { return at(lagging), nil }}
			s.lists[""] = append(all, all[:twice]...)
			s.mustRead(t, h, "queues", ReadOptions{})
			s.lists[""] = all
			delete(s.gets, "a")
			s.mustRead(t, h, "queues", ReadOptions{})
			for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
				require.NoError(t, err)
				require.Equal(t, steady.AsOf, c.After, "%d: %v", lagging, c)
			}
			require.Len(t, kindsOf(t, h, cursor), lagging)
		})
	}
}

// An object whose turn in the rotation could not be read counts as unchanged, since
// nothing spoke for reading it. A change that its next turn finds counts from
// when it was read last, and not from the round in which it was not.
func TestUnreadTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{Rotation: 2})
		s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "v1", `"n":1`), item("b", "", "v1", `"n":1`)}}, gets: map[string]func() (Item, error){}}
		var last time.Time // when a was read last
		pass := func() {
			r := s.mustRead(t, h, "queues", ReadOptions{})
			require.True(t, r.Complete)
			if _, fails := s.gets["a"]; !fails && slices.Contains(s.asked, "get a") {
				last = r.Started
			}
		}
		for range 7 { // the import, and three rounds
			pass()
		}
		s.gets["a"] = func() (Item, error) { return Item{}, &UnclearError{Err: errors.New("500")} }
		edited := time.Now()
		for i := range s.lists[""] {
			s.lists[""][i] = item(s.lists[""][i].ID, "", "v1", `"n":2`)
		}
		cursor := cursorOf(t, h)
		for range 8 {
			pass()
		}
		require.Equal(t, []string{"updated b"}, kindsOf(t, h, cursor))
		delete(s.gets, "a")
		cursor = cursorOf(t, h)
		before := last
		pass()
		pass()
		require.Equal(t, []string{"updated a"}, kindsOf(t, h, cursor))
		for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
			require.NoError(t, err)
			require.False(t, c.After.IsZero())
			require.True(t, c.After.Before(edited), "it was edited at %v, and the span begins at %v", edited, c.After)
			require.False(t, c.After.After(before))
		}
		hd, _, err := h.head(t.Context(), "queues", "a")
		require.NoError(t, err)
		require.Nil(t, hd.Reread)
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

// What is remembered of many parents is more than one commit holds. If the pass dies
// between two of them, what was found below the remembered ones is there.
func TestManyParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faultyStore{Store: &sizedStore{Store: memory.New()}}
		h := open(t, store, nil)
		s := &fakeSource{lists: map[string][]Item{}}
		const n = 2*parentsAtOnce + 10
		for i := range n {
			q := item(fmt.Sprint("q", i), "", "v1", `"n":1`)
			q.Partial = false
			s.lists[""] = append(s.lists[""], q)
			if i%10 == 0 {
				s.lists[q.ID] = []Item{item("w"+q.ID, q.ID, "", `"n":1`)}
			}
		}
		marked := ReadOptions{Parent: "queues", ParentMarked: true}
		s.mustRead(t, h, "queues", ReadOptions{})
		largest := &store.Store.(*sizedStore).largest
		*largest = 0
		commits := 0
		store.set(func() (error, bool) { // the first ones are of what is below
			if commits++; commits > n/10/500+3 {
				return errStore, false
			}
			return nil, false
		})
		_, _, err := s.read(t, h, "codes", marked)
		require.ErrorIs(t, err, errStore)
		store.set(nil)
		s.mustRead(t, h, "codes", marked)
		require.Less(t, len(s.asked), n, "some parents are remembered")
		require.Less(t, *largest, 2<<20)
		live := 0
		for _, err := range h.Heads(t.Context(), "codes") {
			require.NoError(t, err)
			live++
		}
		require.Equal(t, (n+9)/10, live)
	})
}
