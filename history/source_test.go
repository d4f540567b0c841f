package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// A fakeSource is an org of queues ("") with codes below them, that answers as it is told.
type fakeSource struct {
	lists    map[string][]Item // by the id of the parent; "" for the queues
	ends     map[string]error  // what the list of that parent ends with
	gets     map[string]func() (Item, error)
	noGet    bool
	coverage Coverage
	apart    time.Duration // between two passes; zero is an hour
	rules    diff.Rules
	plain    bool // nothing is recognized

	asked      []string // "list a", "get b"
	pass       *Pass    // that reads it
	recognized int      // objects
}

func (s *fakeSource) List(_ context.Context, parent *Head) iter.Seq2[Item, error] {
	id := ""
	if parent != nil {
		id = parent.ID
	}
	s.asked = append(s.asked, "list "+id)
	return func(yield func(Item, error) bool) {
		for _, item := range s.lists[id] {
			if !s.plain && !item.Partial && !item.Deleted && s.isStored(item) {
				item = Item{Object: Object{ID: item.ID}, Recognized: true}
			}
			if !yield(item, nil) {
				return
			}
		}
		if err := s.ends[id]; err != nil {
			yield(Item{}, err)
		}
	}
}

// isStored asks the pass for an object, of which more of the list follows. A marker that is none of
// the body's own members may move while the body stays, which no source may leave out.
func (s *fakeSource) isStored(item Item) bool {
	if item.Marker != "" && !bytes.Contains(item.Body, []byte(`"marker":`)) {
		return false
	}
	n := s.pass.Recognize(item.ID, append(slices.Clone(item.Body), `,{"id":"next"}]}`...))
	if n == 0 {
		return false
	}
	s.recognized++
	return n == len(item.Body)
}

func (s *fakeSource) Get(_ context.Context, id string) (Item, error) {
	if s.noGet {
		return Item{}, ErrNoGet
	}
	s.asked = append(s.asked, "get "+id)
	if get, ok := s.gets[id]; ok {
		return get()
	}
	for _, list := range s.lists {
		for _, item := range list {
			if item.ID == id {
				item.Partial = false
				return item, nil
			}
		}
	}
	return Item{}, ErrGone
}

func (s *fakeSource) ListOne(_ context.Context, id string) (Item, bool, error) {
	if s.noGet {
		return Item{}, false, ErrNoGet
	}
	s.asked = append(s.asked, "one "+id)
	for _, item := range s.lists[""] {
		if item.ID == id {
			return item, true, nil
		}
	}
	return Item{}, false, s.ends[id]
}

func (s *fakeSource) Read(ctx context.Context, listed Item) (Item, error) {
	return s.Get(ctx, listed.ID)
}

func (s *fakeSource) Coverage(context.Context, time.Time) (Coverage, error) { return s.coverage, nil }

func item(id, parent, marker, body string) Item {
	o := obj(id, body)
	o.Parent, o.Marker = parent, marker
	return Item{Object: o, Partial: marker != ""}
}

// read makes a pass over the source, and returns what it found and asked for.
func (s *fakeSource) read(t *testing.T, h *History, typeName string, opts ReadOptions) (Reading, []string, error) {
	t.Helper()
	time.Sleep(cmp.Or(s.apart, time.Hour))
	s.asked = nil
	opts.Coverage = s.coverage
	opts.Requests = func() int64 { return int64(len(s.asked)) }
	p, err := h.Begin(t.Context(), typeName, s.rules)
	require.NoError(t, err)
	s.pass = p
	r, err := p.Read(t.Context(), s, opts)
	return r, s.asked, err
}

func (s *fakeSource) mustRead(t *testing.T, h *History, typeName string, opts ReadOptions) Reading {
	t.Helper()
	r, _, err := s.read(t, h, typeName, opts)
	require.NoError(t, err)
	return r
}

var below = ReadOptions{Parent: "queues"}

// queues makes an org of n queues with a code below each, read twice.
func queues(t *testing.T, h *History, n int) *fakeSource {
	t.Helper()
	s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
	for i := range n {
		id := fmt.Sprintf("q%05d", i)
		s.lists[""] = append(s.lists[""], item(id, "", "", `"n":1`))
		s.lists[id] = []Item{item("w"+id, id, "", `"n":1`)}
	}
	s.mustRead(t, h, "queues", ReadOptions{})
	return s
}

// items are n objects with one marker and one body.
func items(n int, marker, body string) (all []Item) {
	for i := range n {
		all = append(all, item(fmt.Sprintf("q%02d", i), "", marker, body))
	}
	return all
}

func kindsOf(t *testing.T, h *History, after uint64) []string {
	t.Helper()
	var out []string
	for c, err := range h.Changes(t.Context(), Query{AfterSeq: after, Imported: true}) {
		require.NoError(t, err)
		out = append(out, fmt.Sprint(c.Kind, " ", c.ID))
	}
	slices.Sort(out)
	return out
}

func cursorOf(t *testing.T, h *History) uint64 {
	t.Helper()
	c, err := h.Cursor(t.Context())
	require.NoError(t, err)
	return c
}

// refusals are the answers that concern one parent.
func refusals() map[string]error {
	no := errors.New("no")
	return map[string]error{
		"a refusal": &UnclearError{Err: no, Lasting: true}, "a failure": &UnclearError{Err: no}, "a parent that is gone": &UnclearError{Err: no, Gone: true},
	}
}

// What one parent answers says nothing of the others, wherever it stands: what is
// below them is read, compared, and found to be gone.
func TestOneParentSaysNothingOfOthers(t *testing.T) {
	for name, refusal := range refusals() {
		for at := range 3 {
			for _, partly := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", at, " ", partly), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h := open(t, memory.New(), nil)
						s := queues(t, h, 3)
						bad := fmt.Sprintf("q%05d", at)
						s.mustRead(t, h, "codes", below)
						cursor := cursorOf(t, h)
						var good []string
						for _, q := range []string{"q00000", "q00001", "q00002"} {
							if q != bad {
								good = append(good, q)
							}
						}
						s.ends[bad] = refusal
						if !partly {
							s.lists[bad] = nil
						}
						s.lists[good[0]] = nil
						s.lists[good[1]] = []Item{item("w"+good[1], good[1], "", `"n":2`), item("new", good[1], "", `"n":1`)}
						r := s.mustRead(t, h, "codes", below)
						require.False(t, r.Complete)
						require.Contains(t, r.Reason, "no")
						require.Equal(t, []string{"created new", "deleted w" + good[0], "updated w" + good[1]}, kindsOf(t, h, cursor))

						// It comes back: what happened below it counts from before.
						s.ends = map[string]error{}
						s.lists[bad] = []Item{item("w"+bad, bad, "", `"n":3`)}
						time.Sleep(25 * time.Hour)
						cursor = cursorOf(t, h)
						require.True(t, s.mustRead(t, h, "codes", below).Complete)
						require.Equal(t, []string{"updated w" + bad}, kindsOf(t, h, cursor))
						for c, err := range h.Changes(t.Context(), Query{AfterSeq: cursor}) {
							require.NoError(t, err)
							require.Greater(t, c.At.Sub(c.After), 25*time.Hour)
						}
					})
				})
			}
		}
	}
}

// Parents that all refuse cost a bounded number of requests, and the next try
// begins at another one.
func TestParentsThatAllRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := queues(t, h, 2000)
		for _, q := range s.lists[""] {
			s.ends[q.ID] = &UnclearError{Err: errors.New("no"), Lasting: true}
			s.lists[q.ID] = nil
		}
		_, asked, err := s.read(t, h, "codes", below)
		refused, ok := errors.AsType[*RefusedError](err)
		require.True(t, ok, "%v", err)
		require.Len(t, asked, refuseAll)
		require.Equal(t, "q00020", refused.Next)
		s.ends["q00025"], s.lists["q00025"] = nil, []Item{item("w", "q00025", "", `"n":1`)}
		_, asked, err = s.read(t, h, "codes", ReadOptions{Parent: "queues", From: refused.Next})
		require.NoError(t, err, "one that answers is enough")
		require.Equal(t, "list q00020", asked[0])
		require.Len(t, asked, 2000)
		_, asked, err = s.read(t, h, "codes", below)
		require.NoError(t, err)
		require.Equal(t, []string{"list q00025"}, asked, "who refused is asked again daily")
		time.Sleep(24 * time.Hour)
		_, asked, err = s.read(t, h, "codes", ReadOptions{Parent: "queues", From: "q00025"})
		require.NoError(t, err)
		require.Len(t, asked, 2000)
	})
}

// One parent that answers among many that refuse is found, and from then on its
// children are read at every pass, also when the others are asked again.
func TestOneParentOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := queues(t, h, 100)
		for i, q := range s.lists[""] {
			if i != 50 {
				s.ends[q.ID], s.lists[q.ID] = &UnclearError{Err: errors.New("no"), Lasting: true}, nil
			}
		}
		opts := below
		for days := 0; ; days++ {
			_, _, err := s.read(t, h, "codes", opts)
			if err == nil {
				break
			}
			refused, ok := errors.AsType[*RefusedError](err)
			require.True(t, ok, "%v", err)
			require.Less(t, days, 3)
			opts.From = refused.Next
		}
		for n := range 5 {
			time.Sleep(25 * time.Hour)
			s.lists["q00050"][0] = item("wq00050", "q00050", "", fmt.Sprintf(`"n":"%d"`, n))
			require.Equal(t, 1, s.mustRead(t, h, "codes", below).Updated)
		}
	})
}

// A few parents that all refuse make the type one that cannot be had; if they
// fail, the pass does; if they are gone, their own pass will tell.
func TestFewParents(t *testing.T) {
	for name, refusal := range refusals() {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, memory.New(), nil)
			s := queues(t, h, 2)
			s.mustRead(t, h, "codes", below)
			for _, q := range s.lists[""] {
				s.lists[q.ID], s.ends[q.ID] = nil, refusal
			}
			cursor := cursorOf(t, h)
			r, _, err := s.read(t, h, "codes", below)
			_, refused := errors.AsType[*RefusedError](err)
			require.Equal(t, name == "a refusal", refused)
			require.Equal(t, name == "a failure", err != nil && !refused)
			require.Equal(t, name == "a parent that is gone", err == nil && !r.Complete)
			require.Empty(t, kindsOf(t, h, cursor))
			for i, q := range s.lists[""] { // they answer again
				s.lists[q.ID], s.ends[q.ID] = []Item{item("w"+q.ID, q.ID, "", fmt.Sprintf(`"n":%d`, i+1))}, nil
			}
			time.Sleep(24 * time.Hour)
			require.True(t, s.mustRead(t, h, "codes", below).Complete)
			require.Equal(t, []string{"updated wq00001"}, kindsOf(t, h, cursor))
		})
	}
}

// Absence of a record of ours proves nothing: a parent that was forgotten has
// not lost what is below it, and what comes back was not created.
func TestForgottenParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := queues(t, h, 3)
		s.mustRead(t, h, "codes", below)
		require.NoError(t, h.Forget(t.Context(), "queues", "q00001"))
		cursor := cursorOf(t, h)
		require.False(t, s.mustRead(t, h, "codes", below).Complete)
		require.Empty(t, kindsOf(t, h, cursor))
		s.mustRead(t, h, "queues", ReadOptions{})
		require.True(t, s.mustRead(t, h, "codes", below).Complete)
		require.Equal(t, []string{"imported q00001"}, kindsOf(t, h, cursor))

		// A parent that is deleted is something else.
		cursor = cursorOf(t, h)
		s.lists[""] = s.lists[""][1:]
		s.mustRead(t, h, "queues", ReadOptions{})
		require.True(t, s.mustRead(t, h, "codes", below).Complete)
		require.Equal(t, []string{"deleted q00000", "deleted wq00000"}, kindsOf(t, h, cursor))
	})
}

// Every meaning of an answer about an absent object, with what it proves.
func TestAbsence(t *testing.T) {
	for _, test := range []struct {
		name   string
		get    func() (Item, error)
		noGet  bool
		passes int // after which it is recorded as deleted; 0: never
	}{
		{"deleted", func() (Item, error) { return Item{}, ErrGone }, false, 1},
		{"a tombstone", func() (Item, error) { return Item{Object: obj("b", ""), Deleted: true}, nil }, false, 1},
		{"present", func() (Item, error) { return Item{Object: obj("b", `"n":9`)}, nil }, false, 0},
		{"hidden", func() (Item, error) { return Item{}, &UnclearError{Err: errors.New("403"), Lasting: true} }, false, 0},
		{"unclear", func() (Item, error) { return Item{}, &UnclearError{Err: errors.New("409")} }, false, 0},
		{"no way to ask", nil, true, 2},
	} {
		for _, complete := range []bool{true, false} {
			t.Run(fmt.Sprint(test.name, " ", complete), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := open(t, memory.New(), nil)
					s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "", `"n":1`), item("b", "", "", `"n":1`)}}, noGet: test.noGet}
					s.mustRead(t, h, "queues", ReadOptions{})
					s.lists[""] = s.lists[""][:1]
					s.gets = map[string]func() (Item, error){"b": test.get}
					want := test.passes
					if !complete {
						s.ends = map[string]error{"": &UnclearError{Err: errors.New("page 2")}}
						if test.noGet {
							want = 0 // a list that is not whole proves nothing, however often
						}
					}
					found := 0
					for pass := 1; pass <= 4 && found == 0; pass++ {
						r := s.mustRead(t, h, "queues", ReadOptions{})
						require.Equal(t, complete, r.Complete)
						if r.Deleted > 0 {
							found = pass
						}
					}
					require.Equal(t, want, found)
				})
			})
		}
	}
}

// After a walk that was not complete some of the absent are asked for, others each time.
func TestSomeOfTheAbsentAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{}}
		for i := range 70 {
			s.lists[""] = append(s.lists[""], item(fmt.Sprintf("%02d", i), "", "", `"n":1`))
		}
		s.mustRead(t, h, "queues", ReadOptions{})
		all := s.lists[""]
		s.lists[""], s.lists["beyond"] = all[:5], all[5:]
		s.ends = map[string]error{"": &UnclearError{Err: errors.New("page 2")}}
		seen := map[string]bool{}
		for range 5 {
			_, asked, err := s.read(t, h, "queues", ReadOptions{})
			require.NoError(t, err)
			require.Len(t, asked, 1+askedAfterCut)
			for _, a := range asked[1:] {
				seen[a] = true
			}
		}
		require.Len(t, seen, 65)
	})
}

// An API that is withdrawn in mid-walk answers 404 for what is there as well.
func TestWithdrawnInMidWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "", `"n":1`), item("b", "", "", `"n":1`)}}}
		s.mustRead(t, h, "queues", ReadOptions{})
		s.lists[""] = s.lists[""][:1]
		deleted := func() (Item, error) { return Item{}, ErrGone }
		s.gets = map[string]func() (Item, error){"a": deleted, "b": deleted}
		s.ends = map[string]error{"": &UnclearError{Err: errors.New("404")}}
		for range 3 {
			require.Zero(t, s.mustRead(t, h, "queues", ReadOptions{}).Deleted)
		}
		delete(s.gets, "a")
		require.Equal(t, 1, s.mustRead(t, h, "queues", ReadOptions{}).Deleted)
	})
}

// An error that is none of these ends the pass; what it had found stays.
func TestEndOfAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), nil)
		s := &fakeSource{lists: map[string][]Item{"": {item("a", "", "", `"n":1`)}}}
		s.mustRead(t, h, "queues", ReadOptions{})
		cursor := cursorOf(t, h)
		s.lists[""] = []Item{item("b", "", "", `"n":1`)}
		down := errors.New("the org is down")
		s.ends = map[string]error{"": down}
		_, _, err := s.read(t, h, "queues", ReadOptions{})
		require.ErrorIs(t, err, down)
		require.Equal(t, []string{"created b"}, kindsOf(t, h, cursor))
		last, _, err := h.LastPass(t.Context(), "queues")
		require.NoError(t, err)
		require.True(t, last.Complete)
		require.Equal(t, uint64(1), last.Number)
	})
}
