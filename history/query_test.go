package history

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func TestQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		complete := Walk{Complete: true}
		t1 := tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":1,"members":[{"id":"m","rank":1}]`), obj("b", `"n":1`))
		t2 := tick()
		passOver(t, h, "users", diff.Rules{}, complete, obj("u", `"n":1`))
		t3 := tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":1,"members":[{"id":"m","rank":2}]`), obj("b", `"n":2`))
		t4 := tick()
		passOver(t, h, "users", diff.Rules{}, complete, obj("u", `"n":2`), obj("v", `"a/b":{"0":1}`))
		t5 := tick()
		passOver(t, h, "users", diff.Rules{}, complete, obj("u", `"n":2`), obj("v", `"a/b":{"0":2}`))

		for name, tc := range map[string]struct {
			query Query
			want  []uint64
		}{
			"all":              {Query{}, []uint64{4, 5, 6, 7, 8}},
			"imports":          {Query{Imported: true}, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
			"only imports":     {Query{Kinds: []Kind{KindImported}}, []uint64{1, 2, 3}},
			"newest":           {Query{Newest: true, Limit: 3}, []uint64{8, 7, 6}},
			"type":             {Query{Types: []string{"users"}}, []uint64{6, 7, 8}},
			"types":            {Query{Types: []string{"users", "queues"}}, []uint64{4, 5, 6, 7, 8}},
			"object":           {Query{Types: []string{"queues"}, ID: "a", Imported: true}, []uint64{1, 4}},
			"object, newest":   {Query{Types: []string{"queues"}, ID: "a", Imported: true, Newest: true}, []uint64{4, 1}},
			"object, after":    {Query{Types: []string{"queues"}, ID: "a", Imported: true, AfterSeq: 1}, []uint64{4}},
			"unknown object":   {Query{Types: []string{"queues"}, ID: "x", AfterSeq: 1}, nil},
			"kind":             {Query{Kinds: []Kind{KindCreated}}, []uint64{7}},
			"since":            {Query{Since: t4}, []uint64{6, 7, 8}},
			"since, just past": {Query{Since: t4.Add(1)}, []uint64{8}},
			"until":            {Query{Until: t4}, []uint64{4, 5}},
			"until, newest":    {Query{Until: t4, Newest: true, Imported: true}, []uint64{5, 4, 3, 2, 1}},
			"span":             {Query{Since: t2, Until: t3, Imported: true}, []uint64{3}},
			"before all":       {Query{Until: t1}, nil},
			"after all":        {Query{Since: t5.Add(1)}, nil},
			"after in a frame": {Query{AfterSeq: 4}, []uint64{5, 6, 7, 8}},
			"after the end":    {Query{AfterSeq: 8}, nil},
			"before":           {Query{BeforeSeq: 6, Newest: true, Limit: 2}, []uint64{5, 4}},
			"before, object":   {Query{Types: []string{"queues"}, ID: "a", Imported: true, BeforeSeq: 4}, []uint64{1}},
			"before the first": {Query{BeforeSeq: 1, Imported: true}, nil},
			"after the before": {Query{AfterSeq: 6, BeforeSeq: 3}, nil},
			"limit":            {Query{Limit: 1}, []uint64{4}},
			"field":            {Query{Field: "n"}, []uint64{5, 6}},
			"field in a list":  {Query{Field: "members.rank"}, []uint64{4}},
			"field above":      {Query{Field: "members"}, []uint64{4}},
			"field below":      {Query{Field: "n.x"}, nil},
			"field, any":       {Query{Field: "**.rank"}, []uint64{4}},
			"field, escaped":   {Query{Field: "a/b.0"}, []uint64{8}},
			"field, other":     {Query{Field: "members.id"}, nil},
		} {
			var got []uint64
			for _, c := range collect(t, h.Changes(t.Context(), tc.query)) {
				got = append(got, c.Seq)
			}
			require.Equal(t, tc.want, got, name)
		}
		cursor, err := h.Cursor(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(8), cursor)
	})
}

func TestQueryErrors(t *testing.T) {
	h := newHistory(t)
	for want, q := range map[string]Query{
		`history: query for the object "a" names 0 types, want the one that it is of`:      {ID: "a"},
		`history: query limit is -1, want a positive number or 0 for no bound`:             {Limit: -1},
		`history: query field "a..b": empty segment at offset 2`:                           {Field: "a..b"},
		`history: query for the object "a" names 2 types, want the one that it is of` + "": {ID: "a", Types: []string{"x", "y"}},
	} {
		n := 0
		for _, err := range h.Changes(t.Context(), q) {
			require.EqualError(t, err, want)
			n++
		}
		require.Equal(t, 1, n)
	}
}

// A consumer that follows with AfterSeq sees each change once, in order, however
// many passes of however many processes run beside it.
func TestFollowBesideConcurrentPasses(t *testing.T) {
	s := newHistory(t).store
	const types, passes = 4, 15
	done := make(chan error, types)
	for i := range types {
		h := open(t, s, &Options{BatchObjects: 2}) // as if a process of its own
		go func() {
			done <- func() error {
				for n := range passes {
					p, err := h.Begin(t.Context(), fmt.Sprint("type", i), diff.Rules{})
					if err != nil {
						return err
					}
					for id := range 5 {
						if err := p.Observe(t.Context(), obj(strconv.Itoa(id), `"n":%d`, n)); err != nil {
							return err
						}
					}
					if _, err := p.Settle(t.Context(), Walk{Complete: true}); err != nil {
						return err
					}
					if _, err := p.End(t.Context()); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	h := open(t, s, nil)
	cursor, running := uint64(0), types
	var at time.Time
	for total := 0; total < types*passes*5; {
		if running > 0 {
			select {
			case err := <-done:
				require.NoError(t, err)
				running--
			default:
			}
		}
		for _, c := range collect(t, h.Changes(t.Context(), Query{AfterSeq: cursor, Imported: true})) {
			require.Equal(t, cursor+1, c.Seq)
			require.False(t, c.At.Before(at))
			cursor, at = c.Seq, c.At
			total++
		}
	}
	for ; running > 0; running-- {
		require.NoError(t, <-done)
	}
	for i := range types {
		for _, hd := range collect(t, h.Heads(t.Context(), fmt.Sprint("type", i))) {
			versions := collect(t, h.Versions(t.Context(), hd.Type, hd.ID))
			require.Len(t, versions, passes)
			for n, v := range slices.Backward(versions) {
				require.JSONEq(t, fmt.Sprintf(`{"id":%q,"n":%d}`, hd.ID, passes-1-n), string(v.Body))
			}
		}
	}
}

// Two histories that pass over the same type at the same time record each
// difference once.
func TestTwoProcessesSameType(t *testing.T) {
	a := newHistory(t)
	b := open(t, a.store, nil)
	pass(t, a, diff.Rules{}, obj("x", `"n":1`))
	pa, err := a.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	pb, err := b.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	for _, p := range []*Pass{pa, pb} {
		require.NoError(t, p.Observe(t.Context(), obj("x", `"n":2`)))
		require.NoError(t, p.Observe(t.Context(), obj("y", `"n":1`)))
	}
	for _, p := range []*Pass{pa, pb} {
		_, err := p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		_, err = p.End(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []string{"imported x", "updated x", "created y"}, kinds(t, a))
}

// Both of two histories may make the first commit of a store.
func TestTwoProcessesBeginAStore(t *testing.T) {
	s := &faultyStore{Store: memory.New()}
	a, b := open(t, s, nil), open(t, s, nil)
	first := true
	s.set(func() (error, bool) {
		if first {
			first = false
			passOver(t, b, "users", diff.Rules{}, Walk{Complete: true}, obj("u", `"n":1`))
		}
		return nil, false
	})
	pass(t, a, diff.Rules{}, obj("q", `"n":1`))
	require.Equal(t, []string{"imported u", "imported q"}, kinds(t, a))
	cursor, err := a.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(2), cursor)
}

func TestBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		noise := diff.Rules{Ignore: []string{"noise"}}
		t0 := tick()
		t1 := tick()
		pass(t, h, diff.Rules{}, obj("a", `"n":1,"noise":1`), obj("b", `"n":1`), obj("c", `"n":1`))
		t2 := tick()
		pass(t, h, noise, obj("a", `"n":2,"noise":2`), obj("b", `"n":2`), obj("d", `"n":1`))
		t3 := tick()
		pass(t, h, noise, obj("a", `"n":3,"noise":3`), obj("b", `"n":1`))
		tick()
		pass(t, h, noise, obj("a", `"n":3`), obj("b", `"n":1`))
		t5 := tick()

		short := func(a, b time.Time, q Query) (all []string) {
			for _, c := range collect(t, h.Between(t.Context(), a, b, q)) {
				require.Equal(t, a, c.After)
				require.False(t, c.At.After(b))
				all = append(all, fmt.Sprint(c.Kind, " ", c.ID, " ", len(c.Fields)))
			}
			return all
		}
		require.Equal(t, []string{"updated a 1", "deleted c 0"}, short(t1, t5, Query{}), "b came back, d came and went")
		require.Equal(t, []string{"deleted c 0", "updated a 1"}, short(t1, t5, Query{Newest: true}))
		require.Equal(t, []string{"updated a 1"}, short(t1, t5, Query{Kinds: []Kind{KindUpdated}}))
		require.Equal(t, []string{"updated a 1"}, short(t1, t5, Query{Field: "n"}))
		require.Empty(t, short(t1, t5, Query{Field: "noise"}), "it was not compared at both times")
		require.Equal(t, []string{"updated b 1", "created d 0"}, short(t1, t2, Query{})[1:])
		for _, err := range h.Between(t.Context(), t0, t5, Query{Imported: true}) {
			require.ErrorIs(t, err, ErrUnknown)
		}
		require.Empty(t, short(t3, t3, Query{}))
		for _, err := range h.Between(t.Context(), t5, t1, Query{}) {
			require.ErrorContains(t, err, "the second time is before the first")
		}
	})
}

// Queries over many objects bound what they hold; more turns give the same.
func TestAsOfInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		var first []Object
		for i := range 50 {
			first = append(first, obj(fmt.Sprintf("%02d", i), `"n":0`))
		}
		at := tick()
		pass(t, h, diff.Rules{}, first...)
		for n := range 5 {
			tick()
			next := slices.Clone(first)
			for i := range next {
				next[i] = obj(next[i].ID, `"n":%d`, n+1)
			}
			pass(t, h, diff.Rules{}, next...)
		}
		r := h.keys.below("head", "queues")
		end, turns, got := r.End, 0, 0
		for {
			turns++
			behind, err := h.behind(t.Context(), "queues", at, &r, 20<<10)
			require.NoError(t, err)
			require.Less(t, behind.size, 20<<10)
			entries := map[string]int{}
			for _, e := range behind.entries {
				_, id, err := entryNames(behind.text(e))
				require.NoError(t, err)
				entries[id]++
			}
			for id, n := range entries {
				require.Equal(t, 5, n, id)
				got++
			}
			if r.End == end {
				break
			}
			r.Start, r.End = r.End, end
		}
		require.Equal(t, 50, got)
		require.Greater(t, turns, 1)
		for _, v := range collect(t, h.AsOf(t.Context(), "", at)) {
			require.JSONEq(t, fmt.Sprintf(`{"id":%q,"n":0}`, v.ID), string(v.Body))
		}
	})
}

// What was is not moved by what comes while it is read.
func TestAsOfBesidePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		objects := func(n int) (all []Object) {
			for i := range 20 {
				all = append(all, obj(fmt.Sprintf("%02d", i), `"n":%d`, n))
			}
			return all
		}
		for n := range 3 {
			tick()
			pass(t, h, diff.Rules{}, objects(n)...)
		}
		at := time.Now().Add(-time.Second)
		n := 3
		for v, err := range h.AsOf(t.Context(), "queues", at) {
			require.NoError(t, err)
			require.JSONEq(t, fmt.Sprintf(`{"id":%q,"n":1}`, v.ID), string(v.Body))
			if n < 5 {
				tick()
				pass(t, h, diff.Rules{}, objects(n)...)
			}
			n++
		}
		require.Equal(t, 23, n)
	})
}

// A log that goes round in a circle is reported, not followed for ever.
func TestCircularLog(t *testing.T) {
	s := memory.New()
	h := open(t, s, nil)
	for i := range 3 {
		pass(t, h, diff.Rules{}, obj("a", fmt.Sprintf(`"n":%d`, i)))
	}
	var b storage.Batch
	for e, err := range s.Scan(t.Context(), h.keys.log()) {
		require.NoError(t, err)
		b.Put(e.Key, bytes.Replace(e.Value, []byte(`"prev":2`), []byte(`"prev":3`), 1))
	}
	require.NoError(t, s.Commit(t.Context(), &b))
	var err error
	for _, err = range h.Versions(t.Context(), "queues", "a") {
	}
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.ErrorContains(t, err, "change 3 comes after change 3")
}

// What cannot be known is said, and is no empty answer.
func TestUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		before := tick()
		tick()
		first := time.Now()
		pass(t, h, diff.Rules{}, obj("a", `"n":1`))
		passOver(t, h, "empty", diff.Rules{}, Walk{Complete: true})
		now := tick()
		err := func(seq func(func(Change, error) bool)) (err error) {
			for _, err = range seq {
			}
			return err
		}
		versions := func(seq func(func(Version, error) bool)) (err error) {
			for _, err = range seq {
			}
			return err
		}
		objectAsOf := func(typeName, id string, at time.Time) error {
			_, err := h.ObjectAsOf(t.Context(), typeName, id, at)
			return err
		}
		for name, err := range map[string]error{
			"a label in a query":    err(h.Changes(t.Context(), Query{Types: []string{"queues", "Queues"}})),
			"an object of no type":  err(h.Changes(t.Context(), Query{Types: []string{"typo"}, ID: "a"})),
			"versions of no type":   versions(h.Versions(t.Context(), "typo", "a")),
			"as of, no type":        versions(h.AsOf(t.Context(), "typo", now)),
			"as of, before":         versions(h.AsOf(t.Context(), "queues", before)),
			"as of, all before":     versions(h.AsOf(t.Context(), "", before)),
			"as of, an empty type":  versions(h.AsOf(t.Context(), "empty", before)),
			"between, before":       err(h.Between(t.Context(), before, now, Query{Types: []string{"queues"}})),
			"between, all before":   err(h.Between(t.Context(), before, now, Query{})),
			"between, no type":      err(h.Between(t.Context(), first, now, Query{Types: []string{"typo"}})),
			"one object, before":    objectAsOf("queues", "a", before),
			"one object of no type": objectAsOf("typo", "a", now),
		} {
			require.ErrorIs(t, err, ErrUnknown, name)
		}
		require.ErrorContains(t, objectAsOf("queues", "a", before), "first seen at "+first.UTC().Format(time.RFC3339))
		for _, err := range []error{
			err(h.Changes(t.Context(), Query{Types: []string{"empty"}})),
			err(h.Changes(t.Context(), Query{Types: []string{"typo"}, AfterSeq: 1})), // follows what may come
			versions(h.AsOf(t.Context(), "empty", now)),
			versions(h.AsOf(t.Context(), "queues", first)),
			err(h.Between(t.Context(), first, now, Query{})),
		} {
			require.NoError(t, err)
		}
		require.ErrorIs(t, objectAsOf("queues", "never seen", now), ErrNotFound)
		require.ErrorIs(t, versions(h.Versions(t.Context(), "queues", "never seen")), ErrNotFound)
	})
}
