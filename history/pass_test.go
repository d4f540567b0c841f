package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func TestPassKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		t0 := tick()
		sum := pass(t, h, diff.Rules{}, obj("a", `"n":1`), obj("b", `"n":1`))
		require.Equal(t, 2, sum.Imported)

		t1 := tick()
		sum = pass(t, h, diff.Rules{}, obj("a", `"n":1.0`), obj("b", `"n":2`), obj("c", `"n":1`))
		require.Equal(t, Summary{
			Type: "queues", Number: 2, Started: t1, Ended: t1, AsOf: t1, Complete: true,
			Objects: 3, Created: 1, Updated: 1, Unchanged: 1, Ignored: 1,
		}, sum, "1 to 1.0 is no change")

		tick()
		sum = pass(t, h, diff.Rules{}, obj("b", `"n":2`), obj("c", `"n":1`))
		require.Equal(t, 1, sum.Withheld)
		t3 := tick()
		sum = pass(t, h, diff.Rules{}, obj("b", `"n":2`), obj("c", `"n":1`))
		require.Equal(t, 1, sum.Deleted)
		tick()
		sum = pass(t, h, diff.Rules{}, obj("a", `"n":7`), obj("b", `"n":2`), obj("c", `"n":1`))
		require.Equal(t, 1, sum.Restored)

		require.Equal(t, []string{"imported a", "imported b", "updated b", "created c", "deleted a", "restored a"}, kinds(t, h))
		changes := collect(t, h.Changes(t.Context(), Query{}))
		require.Equal(t, Change{
			Seq: 3, Environment: 1, Type: "queues", ID: "b", Name: "name of b", Kind: KindUpdated, At: t1, After: t0,
			Fields: []diff.FieldChange{{Path: "/n", Op: diff.OpReplace, Old: []byte("1"), New: []byte("2")}},
		}, changes[0])
		deleted := changes[2]
		require.Equal(t, t3, deleted.At)
		require.Equal(t, t1, deleted.After, "it was last seen by the second pass, not by the third, which missed it")
		require.Len(t, changes[3].Fields, 1, "a restored object says what differs from before")
	})
}

// An unchanged pass writes its own record and nothing else.
func TestUnchangedPassWritesOneRecord(t *testing.T) {
	s := &faultyStore{Store: memory.New()}
	h := open(t, s, nil)
	objects := []Object{obj("a", `"n":1`), obj("b", `"n":2`)}
	pass(t, h, diff.Rules{Ignore: []string{"seen"}}, objects...)
	commits := 0
	s.set(func() (error, bool) { commits++; return nil, false })
	before := dump(t, s)
	objects[0] = obj("a", `"n":1,"seen":17`)
	sum := pass(t, h, diff.Rules{Ignore: []string{"seen"}}, objects...)
	require.Equal(t, 1, sum.Ignored)
	require.Equal(t, 1, commits)
	after := dump(t, s)
	for key := range before {
		if key != h.keys.state() && key != h.keys.pass("queues") {
			require.Equal(t, before[key], after[key])
		}
	}
	require.Len(t, after, len(before))
}

func dump(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, e := range collect(t, s.Scan(t.Context(), storage.Range{})) {
		all[e.Key] = string(e.Value)
	}
	return all
}

// Rule 1: what was seen is kept, and nothing is removed unless the walk was
// complete.
func TestIncompleteWalkRemovesNothing(t *testing.T) {
	good := []Object{obj("a", `"n":1`), obj("b", `"n":1`)}
	for name, run := range map[string]struct {
		walk   Walk
		seen   []Object
		end    bool
		reason string
	}{
		"page missing":    {walk: Walk{Reason: "page 3: 503"}, seen: []Object{obj("a", `"n":2`)}, reason: "page 3: 503"},
		"no reason":       {walk: Walk{}, seen: []Object{obj("a", `"n":2`)}, reason: "the walk was not complete"},
		"seen twice":      {walk: Walk{Complete: true}, seen: []Object{obj("a", `"n":3`), obj("a", `"n":2`)}, reason: "a was seen twice with different content"},
		"known and other": {walk: Walk{Complete: true}, seen: []Object{obj("a", `"n":1`), obj("a", `"n":2`)}, reason: "a was seen twice with different content"},
		"not JSON":        {walk: Walk{Complete: true}, seen: []Object{obj("a", `"n":2`), {ID: "b", Body: []byte(`{"n":`)}}, reason: `history: queues "b": unusable body`},
		"no id":           {walk: Walk{Complete: true}, seen: []Object{obj("a", `"n":2`), {Body: []byte(`{}`)}}, reason: "history: queues: unusable body: id"},
		"never settled":   {end: true, seen: []Object{obj("a", `"n":2`)}, reason: "the walk was not settled"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			pass(t, h, diff.Rules{}, good...)
			for range 3 {
				p, err := h.Begin(t.Context(), "queues", diff.Rules{})
				require.NoError(t, err)
				for _, o := range run.seen {
					if err := p.Observe(t.Context(), o); err != nil {
						require.ErrorIs(t, err, ErrBody)
					}
				}
				if !run.end {
					absences, err := p.Settle(t.Context(), run.walk)
					require.NoError(t, err)
					require.Empty(t, absences)
				}
				sum, err := p.End(t.Context())
				require.NoError(t, err)
				require.False(t, sum.Complete)
				require.True(t, strings.HasPrefix(sum.Reason, run.reason), sum.Reason)
				require.Equal(t, 1, sum.Withheld)
				require.GreaterOrEqual(t, sum.Unchanged, 0)
			}
			require.Len(t, collect(t, h.Heads(t.Context(), "queues")), 2)
			body, err := h.Body(t.Context(), "queues", "a")
			require.NoError(t, err)
			require.JSONEq(t, `{"id":"a","n":2}`, string(body))
			require.Empty(t, collect(t, h.Withheld(t.Context(), "queues")), "only complete walks count")
		})
	}
	t.Run("seen twice alike", func(t *testing.T) {
		h := newHistory(t)
		sum := pass(t, h, diff.Rules{Ignore: []string{"seen"}}, obj("a", `"n":1,"seen":1`), obj("a", `"seen":2,"n":1.0`))
		require.True(t, sum.Complete)
		require.Equal(t, 1, sum.Objects)
	})
}

// Rule 2: absent is missing, and missing twice is confirmed.
func TestMissingIsNotDeleted(t *testing.T) {
	h := newHistory(t)
	a, b := obj("a", `"n":1`), obj("b", `"n":1`)
	pass(t, h, diff.Rules{}, a, b)

	sum := pass(t, h, diff.Rules{}, a)
	require.Equal(t, 1, sum.Withheld)
	w := collect(t, h.Withheld(t.Context(), "queues"))
	require.Len(t, w, 1)
	require.Equal(t, "b", w[0].ID)
	require.Equal(t, 1, w[0].Missed)

	pass(t, h, diff.Rules{}, a, b) // there again
	require.Empty(t, collect(t, h.Withheld(t.Context(), "queues")))
	require.Equal(t, 1, pass(t, h, diff.Rules{}, a).Withheld, "the count starts anew")
	passOver(t, h, "queues", diff.Rules{}, Walk{Reason: "page 2"}, a)
	require.Len(t, collect(t, h.Heads(t.Context(), "queues")), 2, "a walk that was not complete confirms nothing")
	require.Equal(t, 1, pass(t, h, diff.Rules{}, a).Deleted)

	t.Run("GET decides at once", func(t *testing.T) {
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		absences, err := p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		require.Len(t, absences, 1)
		require.False(t, absences[0].Confirmed)
		require.NoError(t, p.Remove(t.Context(), "a"))
		sum, err := p.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, sum.Deleted)
		require.Zero(t, sum.Withheld)
	})
}

// Rule 3: a sudden drop and a narrower view withhold removals until a second
// walk agrees, and a person may accept them.
func TestSuddenDrop(t *testing.T) {
	many := func(n int) (objects []Object) {
		for i := range n {
			objects = append(objects, obj(fmt.Sprintf("o%02d", i), `"n":1`))
		}
		return objects
	}
	for _, tc := range []struct{ live, left, returned int }{
		{20, 15, 5}, // no more than 5
		{20, 14, 0}, // 6 of 20
		{30, 24, 6}, // 20 %, not more
		{30, 23, 0}, // 7 of 30
		{6, 0, 0},   // all of them
	} {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, many(tc.live)...)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		for _, o := range many(tc.left) {
			require.NoError(t, p.Observe(t.Context(), o))
		}
		absences, err := p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		require.Len(t, absences, tc.returned, "%+v", tc)
		sum, err := p.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, tc.live-tc.left, sum.Withheld)
		if tc.returned > 0 {
			continue
		}
		require.Contains(t, sum.Reason, "absent at once")
		require.Len(t, collect(t, h.Withheld(t.Context(), "queues")), tc.live-tc.left)
		require.Equal(t, tc.live-tc.left, pass(t, h, diff.Rules{}, many(tc.left)...).Deleted, "a second walk agrees")
	}

	t.Run("what Remove explains is no drop", func(t *testing.T) {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, many(20)...)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		for _, o := range many(20)[:10] {
			require.NoError(t, p.Remove(t.Context(), o.ID))
		}
		for _, o := range many(20)[12:] {
			require.NoError(t, p.Observe(t.Context(), o))
		}
		absences, err := p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		require.Len(t, absences, 2)
	})

	t.Run("what Remove explains is not there to drop", func(t *testing.T) {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, many(40)...)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		for _, o := range many(20) {
			require.NoError(t, p.Remove(t.Context(), o.ID))
		}
		for _, o := range many(40)[26:] {
			require.NoError(t, p.Observe(t.Context(), o))
		}
		absences, err := p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		require.Empty(t, absences, "6 of 20 are absent")
	})

	t.Run("what was missed before is no part of it", func(t *testing.T) {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, many(20)...)
		pass(t, h, diff.Rules{}, many(19)...)
		sum := pass(t, h, diff.Rules{}, many(10)...)
		require.Equal(t, 1, sum.Deleted)
		require.Equal(t, 9, sum.Withheld)
	})

	t.Run("a person accepts", func(t *testing.T) {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, many(10)...)
		pass(t, h, diff.Rules{}, many(3)...)
		require.ErrorIs(t, h.AcceptRemovals(t.Context(), "queues", "o03", "o00"), ErrNotFound)
		require.Len(t, collect(t, h.Heads(t.Context(), "queues")), 10, "all or nothing")
		require.NoError(t, h.AcceptRemovals(t.Context(), "queues", "o04", "o03", "o04"))
		require.Len(t, collect(t, h.Heads(t.Context(), "queues")), 8)
		require.Len(t, collect(t, h.Withheld(t.Context(), "queues")), 5)
		require.Len(t, collect(t, h.Changes(t.Context(), Query{})), 2, "named twice, deleted once")
	})

	t.Run("a person accepts before a pass ends", func(t *testing.T) {
		h := newHistory(t)
		a, b := obj("a", `"n":1`), obj("b", `"n":1`)
		pass(t, h, diff.Rules{}, a, b)
		pass(t, h, diff.Rules{}, b)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		require.NoError(t, p.Observe(t.Context(), b))
		_, err = p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		require.NoError(t, h.AcceptRemovals(t.Context(), "queues", "a"))
		_, err = p.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, pass(t, h, diff.Rules{}, a, b).Restored)
		require.Zero(t, pass(t, h, diff.Rules{}, b).Deleted, "missed once since it was restored")
	})
}

func TestCoverage(t *testing.T) {
	h := newHistory(t)
	a, b := obj("a", `"n":1`), obj("b", `"n":1`)
	see := func(coverage string, widened bool, objects ...Object) Summary {
		t.Helper()
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		if widened {
			p.Widened()
		}
		for _, o := range objects {
			require.NoError(t, p.Observe(t.Context(), o))
		}
		absences, err := p.Settle(t.Context(), Walk{Complete: true, Coverage: coverage})
		require.NoError(t, err)
		for _, x := range absences {
			require.NoError(t, p.Remove(t.Context(), x.ID))
		}
		sum, err := p.End(t.Context())
		require.NoError(t, err)
		return sum
	}
	see("east west", false, a, b)
	sum := see("east", false, a)
	require.Equal(t, 1, sum.Withheld)
	require.Contains(t, sum.Reason, "could not see")
	sum = see("north", false, a)
	require.Equal(t, 1, sum.Withheld, "another view is no agreement")
	sum = see("north", false, a)
	require.Equal(t, 1, sum.Deleted)

	sum = see("north south", true, a, obj("c", `"n":1`))
	require.Equal(t, 1, sum.Imported, "what a wider view shows first was not created")
	sum = see("all", true, obj("c", `"n":1`))
	require.Equal(t, 1, sum.Deleted)

	// What was out of sight confirms nothing when it comes back into sight.
	see("all", false, b, obj("c", `"n":1`))
	see("east", false, obj("c", `"n":1`))
	p, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	p.Widened()
	require.NoError(t, p.Observe(t.Context(), obj("c", `"n":1`)))
	absences, err := p.Settle(t.Context(), Walk{Complete: true, Coverage: "all"})
	require.NoError(t, err)
	require.Len(t, absences, 1)
	require.False(t, absences[0].Confirmed)
}

// Rule 4: a pass that dies anywhere leaves what the next one completes.
func TestKilledPass(t *testing.T) {
	var objects []Object
	for i := range 10 {
		objects = append(objects, obj(strconv.Itoa(i), `"n":1`))
	}
	for _, made := range []bool{false, true} {
		for n := range 8 {
			s := &faultyStore{Store: memory.New()}
			h := open(t, s, &Options{BatchObjects: 3})
			left := n
			s.set(func() (error, bool) {
				if left--; left < 0 {
					return errStore, made
				}
				return nil, false
			})
			p, err := h.Begin(t.Context(), "queues", diff.Rules{})
			require.NoError(t, err)
			for _, o := range objects {
				if err = p.Observe(t.Context(), o); err != nil {
					require.ErrorIs(t, err, errStore)
					require.ErrorIs(t, p.Observe(t.Context(), o), errStore, "the pass is over")
					break
				}
			}
			if err == nil {
				_, err = p.Settle(t.Context(), Walk{Complete: true})
			}
			if err == nil {
				_, err = p.End(t.Context())
			}
			require.Equal(t, n < 5, err != nil)

			s.set(nil)
			h = open(t, s, &Options{BatchObjects: 3})
			sum := pass(t, h, diff.Rules{}, objects...)
			require.Zero(t, sum.Created, "a first pass that did not end still imports")
			feed := kinds(t, h)
			slices.Sort(feed)
			require.Len(t, slices.Compact(feed), 10)
			require.Len(t, kinds(t, h), 10, "none missed, none twice")
		}
	}
}

// Rule 5: who lost the lease cannot write.
func TestFence(t *testing.T) {
	fence := func(b *storage.Batch) { b.Require("lease", []byte("me")) }
	t.Run("Options", func(t *testing.T) {
		testFence(t, func(s storage.Store) *History { return open(t, s, &Options{Fence: fence}) })
	})
	t.Run("Fenced", func(t *testing.T) {
		testFence(t, func(s storage.Store) *History {
			unheld := func(b *storage.Batch) { b.RequireAbsent("unheld") }
			return open(t, s, &Options{Fence: unheld}).Fenced(fence).Fenced(unheld)
		})
	})
}

func testFence(t *testing.T, fenced func(storage.Store) *History) {
	t.Helper()
	s := memory.New()
	hold := func(owner string) {
		var b storage.Batch
		b.Put("lease", []byte(owner))
		require.NoError(t, s.Commit(t.Context(), &b))
	}
	hold("me")
	h := fenced(s)
	pass(t, h, diff.Rules{}, obj("a", `"n":0`), obj("b", `"n":1`))
	pass(t, h, diff.Rules{}, obj("a", `"n":1`))
	p, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	require.NoError(t, p.Observe(t.Context(), obj("a", `"n":2`)))
	hold("you")
	before := dump(t, s)
	for name, write := range map[string]func() error{
		"settle": func() error { _, err := p.Settle(t.Context(), Walk{Complete: true}); return err },
		"end":    func() error { _, err := p.End(t.Context()); return err },
		"accept": func() error { return h.AcceptRemovals(t.Context(), "queues", "b") },
		"forget": func() error { return h.Forget(t.Context(), "queues", "b") },
		"delete": func() error { return h.Delete(t.Context()) },
		"trim":   func() error { _, err := h.Trim(t.Context(), Retention{MaxChanges: 1}, nil); return err },
	} {
		err := write()
		require.ErrorIs(t, err, storage.ErrConflict, name)
		ke, ok := errors.AsType[*storage.KeyError](err)
		require.True(t, ok)
		require.Equal(t, "lease", ke.Key)
	}
	require.Equal(t, before, dump(t, s))

	// It may be lost between the commits of one call.
	writes := map[string]func(*History) error{
		"forget": func(h *History) error { return h.Forget(t.Context(), "queues", "a") },
		"delete": func(h *History) error { return h.Delete(t.Context()) },
	}
	for _, name := range []string{"forget", "delete"} { // after which nothing else can be done
		hold("me")
		commits := 0
		left := &faultyStore{Store: s, before: func() (error, bool) {
			if commits++; commits == 2 {
				hold("you")
				before = dump(t, s)
			}
			return nil, false
		}}
		require.ErrorIs(t, writes[name](fenced(left)), storage.ErrConflict, name)
		require.Equal(t, 2, commits)
		require.Equal(t, before, dump(t, s), name)
	}
}

func TestSuperseded(t *testing.T) {
	h := newHistory(t)
	old, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	require.NoError(t, old.Observe(t.Context(), obj("a", `"n":1`)))
	_, err = h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	_, err = old.Settle(t.Context(), Walk{Complete: true})
	require.ErrorIs(t, err, ErrSuperseded)
	require.Empty(t, kinds(t, h))
	pass(t, h, diff.Rules{})
	require.Empty(t, h.passes, "what an ended pass knows of all objects is held no longer")
}

func TestMarkers(t *testing.T) {
	s := &faultyStore{Store: memory.New()}
	h := open(t, s, &Options{Rotation: -1})
	a := obj("a", `"n":1`)
	a.Marker, a.Parent = "v1", "p"
	pass(t, h, diff.Rules{}, a, obj("b", `"n":1`))
	p, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	marker, known := p.Marker("a")
	require.True(t, known)
	require.Equal(t, "v1", marker)
	_, known = p.Marker("x")
	require.False(t, known)
	require.ErrorIs(t, p.Keep("x"), ErrNotFound)
	require.NoError(t, p.Keep("a"))
	missingBelow := collect(t, p.notSeen(t.Context()))
	require.Len(t, missingBelow, 1)
	require.Equal(t, "b", missingBelow[0].ID)
	require.NoError(t, p.Remove(t.Context(), "b"))
	require.Empty(t, collect(t, p.notSeen(t.Context())))
	_, err = p.Settle(t.Context(), Walk{Complete: true})
	require.NoError(t, err)
	_, err = p.End(t.Context())
	require.NoError(t, err)

	a.Marker, a.Name = "v2", "renamed outside of its body"
	require.Equal(t, 1, pass(t, h, diff.Rules{}, a).Unchanged)
	heads := collect(t, h.Heads(t.Context(), "queues"))
	require.Len(t, heads, 1)
	require.Equal(t, "v2", heads[0].Marker)
	require.Equal(t, a.Name, heads[0].Name)
	require.Equal(t, "p", heads[0].Parent)
	require.Len(t, kinds(t, h), 3)
}

// A commit does not wait for a full batch for ever, and least where somebody waits for changes.
func TestBatchDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		for i, delay := range []time.Duration{importDelay, batchDelay} {
			before := len(kinds(t, h))
			p, err := h.Begin(t.Context(), "queues", diff.Rules{})
			require.NoError(t, err)
			require.NoError(t, p.Observe(t.Context(), obj("a", `"n":%d`, i)))
			time.Sleep(delay - 1)
			require.NoError(t, p.Observe(t.Context(), obj("b", `"n":%d`, i)))
			require.Len(t, kinds(t, h), before)
			time.Sleep(time.Nanosecond)
			require.NoError(t, p.Observe(t.Context(), obj("c", `"n":%d`, i)))
			require.Len(t, kinds(t, h), before+3)
			_, err = p.Settle(t.Context(), Walk{Complete: true})
			require.NoError(t, err)
			_, err = p.End(t.Context())
			require.NoError(t, err)
		}
	})
}

// The more a pass commits, the larger its commits are: fewer in all, and none of more than a quarter of those before.
func TestCommitsGrow(t *testing.T) {
	const batch, objects = 10, 5000
	s := &sizedStore{Store: memory.New()}
	h := open(t, s, &Options{BatchObjects: batch})
	for n, i := range []int{0, 1} { // imported, and each edited
		s.objects = nil
		var all []Object
		for id := range objects {
			all = append(all, obj(strconv.Itoa(id), `"n":%d`, i))
		}
		sum := pass(t, h, diff.Rules{}, all...)
		require.Equal(t, objects, []int{sum.Imported, sum.Updated}[n])
		before := 0
		for _, now := range s.objects {
			require.LessOrEqual(t, now, max(batch, before/4))
			before += now
		}
		require.Equal(t, objects, before)
		require.Less(t, len(s.objects), 30, "commits of %d objects would be %d", batch, objects/batch)
	}
}

// The clock of a machine may go back; the times of the log do not.
func TestTimeNeverDecreases(t *testing.T) {
	s := memory.New()
	future := time.Now().Add(time.Hour).UTC().Round(0)
	var b storage.Batch
	require.NoError(t, b.PutJSON(newKeys(1).state(), counters{Revision: 5, Seq: 9, At: future}))
	require.NoError(t, s.Commit(t.Context(), &b))
	h := open(t, s, nil)
	pass(t, h, diff.Rules{}, obj("a", `"n":1`))
	c := collect(t, h.Changes(t.Context(), Query{Imported: true}))
	require.Equal(t, future, c[0].At)
	require.Equal(t, uint64(10), c[0].Seq)
}

// A change happened after the last pass that saw the object, or after what that
// pass relied on was read.
func TestSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		span := func() time.Time {
			newest := collect(t, h.Changes(t.Context(), Query{Newest: true, Limit: 1}))
			require.Len(t, newest, 1)
			return newest[0].After
		}
		seen := tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":1`), obj("b", `"n":1`))
		missed := tick()
		pass(t, h, diff.Rules{}, obj("b", `"n":1`))
		tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":2`), obj("b", `"n":1`))
		require.Equal(t, seen, span(), "it was missing at %v", missed)

		tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":2`), obj("b", `"n":1`))
		parents := tick()
		tick()
		begun := tick()
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		require.NoError(t, p.Observe(t.Context(), obj("a", `"n":2`)))
		require.NoError(t, p.Observe(t.Context(), obj("b", `"n":1`)))
		tick()
		_, err = p.Settle(t.Context(), Walk{Complete: true, Since: tick()})
		require.NoError(t, err)
		sum, err := p.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, begun, sum.AsOf, "what changes from then on, the pass may not have seen")
		tick()
		sum = passOver(t, h, "queues", diff.Rules{}, Walk{Complete: true, Since: parents}, obj("a", `"n":2`), obj("b", `"n":2`))
		require.Equal(t, parents, sum.AsOf)
		require.Equal(t, begun, span())
		tick()
		seen = tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":3`), obj("b", `"n":2`))
		require.Equal(t, parents, span())
		tick()
		pass(t, h, diff.Rules{}, obj("b", `"n":2`))
		tick()
		p, err = h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		require.NoError(t, p.Observe(t.Context(), obj("b", `"n":2`)))
		require.NoError(t, p.keepListed("a"))
		absences, err := p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		require.Empty(t, absences)
		sum, err = p.End(t.Context())
		require.NoError(t, err)
		require.False(t, sum.Complete, "nobody knows what a is like")
		tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":4`), obj("b", `"n":2`))
		require.Equal(t, seen, span(), "it was missed after that, and then listed without its body")
		require.Empty(t, collect(t, h.Withheld(t.Context(), "queues")))
	})
}

// After is left out where nobody knows it.
func TestUnknownSpan(t *testing.T) {
	newest := func(h *History) Change {
		changes := collect(t, h.Changes(t.Context(), Query{Newest: true, Imported: true, Limit: 1}))
		require.Len(t, changes, 1)
		return changes[0]
	}
	b := obj("b", `"n":1`)
	t.Run("no complete pass saw it", func(t *testing.T) {
		h := newHistory(t)
		passOver(t, h, "queues", diff.Rules{}, Walk{Reason: "page 2"}, obj("a", `"n":1`), b)
		pass(t, h, diff.Rules{}, b)
		pass(t, h, diff.Rules{}, b)
		require.Equal(t, KindDeleted, newest(h).Kind)
		require.Zero(t, newest(h).After, "the pass before has missed it already")
	})
	t.Run("it may always have been there", func(t *testing.T) {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, b)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		p.Widened()
		require.NoError(t, p.Observe(t.Context(), obj("a", `"n":1`)))
		_, err = p.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, KindImported, newest(h).Kind)
		require.Zero(t, newest(h).After)
	})
	t.Run("the clock went back", func(t *testing.T) {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, b)
		r, err := h.passRecord(t.Context(), "queues")
		require.NoError(t, err)
		r.Completed = r.Completed.Add(time.Hour)
		var batch storage.Batch
		require.NoError(t, batch.PutJSON(h.keys.pass("queues"), r))
		require.NoError(t, h.store.Commit(t.Context(), &batch))
		pass(t, h, diff.Rules{}, obj("b", `"n":2`))
		require.Zero(t, newest(h).After, "an hour after At")
	})
}

// A body is the caller's again after Observe, and has a limit.
func TestBodies(t *testing.T) {
	h := newHistory(t)
	p, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	body := []byte(`{"n":1}`)
	require.NoError(t, p.Observe(t.Context(), Object{ID: "a", Body: body}))
	copy(body, `{"m":2}`)
	large := []byte(`"` + strings.Repeat("x", maxBody-2) + `"`)
	require.NoError(t, p.Observe(t.Context(), Object{ID: "b", Body: large}))
	large = append(large, ' ')
	require.ErrorIs(t, p.Observe(t.Context(), Object{ID: "c", Body: large}), ErrBody)
	_, err = p.End(t.Context())
	require.NoError(t, err)
	stored, err := h.Body(t.Context(), "queues", "a")
	require.NoError(t, err)
	require.JSONEq(t, `{"n":1}`, string(stored))
	require.Len(t, collect(t, h.Heads(t.Context(), "queues")), 2)
}

// Ids may be any text. What no key or no log can hold is refused, and only that.
func TestStrangeIDs(t *testing.T) {
	for id, ok := range map[string]bool{
		"a/b": true, "nul\x00": true, "%": true, "<&>\u2028": true, " ": true, "\ufffd": true,
		strings.Repeat("x", 900): true, strings.Repeat("/", 300): true,
		strings.Repeat("x", 1100): false, strings.Repeat("/", 400): false, "\xff": false, "": false,
	} {
		h := newHistory(t)
		o := func(n int) Object { return Object{ID: id, Body: fmt.Appendf(nil, `{"n":"person %d"}`, n)} }
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		err = p.Observe(t.Context(), o(1))
		require.Equal(t, !ok, errors.Is(err, ErrBody), "%.20q: %v", id, err)
		_, err = p.End(t.Context())
		require.NoError(t, err)
		if !ok {
			continue
		}
		passOver(t, h, "users", diff.Rules{}, Walk{}, o(1))
		pass(t, h, diff.Rules{}, o(2))
		require.Len(t, collect(t, h.Changes(t.Context(), Query{Types: []string{"queues"}, ID: id, Imported: true})), 2)
		require.Len(t, collect(t, h.Versions(t.Context(), "queues", id)), 2)
		require.NoError(t, h.Forget(t.Context(), "queues", id))
		require.Len(t, collect(t, h.Versions(t.Context(), "users", id)), 1, "another type")
		require.NoError(t, h.Forget(t.Context(), "users", id))
		for key, value := range dump(t, h.store) {
			require.NotContains(t, value, "person", "%q", key)
		}
	}
}

// A body is refused if the log could not be read again with what was in it.
func TestDeepestBody(t *testing.T) {
	for _, tooDeep := range []bool{false, true} {
		h := newHistory(t)
		pass(t, h, diff.Rules{}, obj("a", `"x":1`))
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		n := maxNesting - 1
		if tooDeep {
			n++
		}
		err = p.Observe(t.Context(), obj("a", `"x":%s`, strings.Repeat("[", n)+strings.Repeat("]", n)))
		require.Equal(t, tooDeep, errors.Is(err, ErrBody), "%v", err)
		_, err = p.End(t.Context())
		require.NoError(t, err)
		changes := collect(t, h.Changes(t.Context(), Query{}))
		require.Equal(t, tooDeep, len(changes) == 0)
		_, err = h.Trim(t.Context(), Retention{MaxChanges: 1}, nil)
		require.NoError(t, err)
	}
}

// What was there before counts for the size of a commit as well.
func TestCommitsOfLargeOldBodies(t *testing.T) {
	s := &sizedStore{Store: memory.New()}
	h := open(t, s, nil)
	var large, small []Object
	for i := range 12 {
		large = append(large, obj(strconv.Itoa(i), `"x":"%s"`, strings.Repeat("y", 2<<20)))
		small = append(small, obj(strconv.Itoa(i), `"x":""`))
	}
	pass(t, h, diff.Rules{}, large...)
	s.largest = 0
	require.Equal(t, 12, pass(t, h, diff.Rules{}, small...).Updated)
	require.Less(t, s.largest, commitBytes+(4<<20))
	require.Len(t, collect(t, h.Changes(t.Context(), Query{})), 12)
	require.Equal(t, 12, pass(t, h, diff.Rules{}, small...).Unchanged)
}

// A sizedStore knows how large its commits were.
type sizedStore struct {
	storage.Store
	largest int   // in bytes
	objects []int // whose heads each commit wrote, if any
}

func (s *sizedStore) Commit(ctx context.Context, b *storage.Batch) error {
	s.largest = max(s.largest, b.Size())
	n := 0
	for op := range b.Ops() {
		if parts, err := storage.SplitKey(op.Key); err == nil && slices.Contains(parts, "head") {
			n++
		}
	}
	if n > 0 {
		s.objects = append(s.objects, n)
	}
	return s.Store.Commit(ctx, b)
}
