package history

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// FuzzStored puts anything in place of one value of a store. Every question is then answered, or ends with an error;
// none panics, and none goes on for ever.
func FuzzStored(f *testing.F) {
	entries, middle := storedHistory(f)
	for i, e := range entries {
		for _, value := range []string{"", "null", "{}", "[]", `"x"`, "-1", string(e.Value[:len(e.Value)/2])} {
			f.Add(uint(i), []byte(value))
		}
		f.Add(uint(i), bytes.ReplaceAll(e.Value, []byte("1"), []byte("9")))
	}
	f.Fuzz(func(t *testing.T, which uint, value []byte) {
		defer bounded.Start(t)()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s := memory.New()
		var b storage.Batch
		for i, e := range entries {
			if uint(i) == which%uint(len(entries)) {
				e.Value = value
			}
			b.Put(e.Key, e.Value)
		}
		require.NoError(t, s.Commit(ctx, &b))
		h, err := Open(ctx, s, 1, nil)
		if err != nil {
			require.Regexp(t, "^history: ", err.Error())
			return
		}
		ask(ctx, t, h, middle)
		if p, err := h.Begin(ctx, "queues", diff.Rules{}); err == nil {
			_ = p.Observe(ctx, obj("a", `"n":77`))
			_, _ = p.Settle(ctx, Walk{Complete: true})
			_, _ = p.End(ctx)
		}
		_, _ = h.Trim(ctx, Retention{MaxChanges: 1}, nil)
		_ = h.Forget(ctx, "queues", "a")
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Fatalf("%s = %q: endless", entries[which%uint(len(entries))].Key, value)
		}
	})
}

// storedHistory returns what a store holds after a few passes, and a time between them.
func storedHistory(f *testing.F) (entries []storage.Entry, middle time.Time) {
	f.Helper()
	s := memory.New()
	h, err := Open(f.Context(), s, 1, nil)
	require.NoError(f, err)
	shape := diff.Rules{Ignore: []string{"selfUri"}}
	for i, objects := range [][]Object{
		{obj("a", `"n":1,"list":[{"id":"x"},{"id":"y"}]`), obj("b", `"n":1`)},
		{obj("a", `"n":2,"list":[{"id":"y"},{"id":"x"}]`), obj("b", `"n":1`), obj("c", `"n":1`)},
		{obj("a", `"n":3,"list":[]`), obj("c", `"n":1`)},
	} {
		if i == 2 {
			shape, middle = diff.Rules{Sets: []string{"list"}}, time.Now()
		}
		p, err := h.Begin(f.Context(), "queues", shape)
		require.NoError(f, err)
		for _, o := range objects {
			require.NoError(f, p.Observe(f.Context(), o))
		}
		_, err = p.Settle(f.Context(), Walk{Complete: true})
		require.NoError(f, err)
		_, err = p.End(f.Context())
		require.NoError(f, err)
	}
	for e, err := range s.Scan(f.Context(), storage.Range{}) {
		require.NoError(f, err)
		entries = append(entries, e)
	}
	return entries, middle
}

// ask asks everything. Changes come in their order, and an error is the last of its answer.
func ask(ctx context.Context, t *testing.T, h *History, at time.Time) {
	t.Helper()
	var last uint64
	for c, err := range h.Changes(ctx, Query{Imported: true}) {
		if err != nil {
			break
		}
		if c.Environment != 1 {
			t.Fatalf("%+v", c)
		}
		last = max(last, c.Seq)
	}
	for _, q := range []Query{{Types: []string{"queues"}, ID: "a"}, {Newest: true, Since: at}, {AfterSeq: 2, Until: at, Field: "list.id"}} {
		drain(t, h.Changes(ctx, q))
	}
	for _, id := range []string{"a", "b", "c"} {
		drain(t, h.Versions(ctx, "queues", id))
		_, _ = h.ObjectAsOf(ctx, "queues", id, at)
		_, _ = h.Body(ctx, "queues", id)
	}
	drain(t, h.AsOf(ctx, "queues", at))
	drain(t, h.Between(ctx, at.Add(-time.Hour), at.Add(time.Hour), Query{}))
	drain(t, h.Heads(ctx, "queues"))
	drain(t, h.Passes(ctx))
	drain(t, h.Withheld(ctx, "queues"))
	_, _, _ = h.LastPass(ctx, "queues")
	_, _ = h.Cursor(ctx)
	_, _ = h.Volatility(ctx, nil)
}

// drain goes to the end. What retention has removed is the one error that others may follow.
func drain[T any](t *testing.T, seq func(func(T, error) bool)) {
	t.Helper()
	n, failed := 0, false
	for _, err := range seq {
		if failed {
			t.Fatal("more after an error")
		}
		failed = err != nil && !errors.Is(err, ErrTrimmed)
		if n++; n > 1000 {
			t.Fatal("an endless answer")
		}
	}
}
