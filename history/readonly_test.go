package history

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// A view that is read-only answers and writes nothing, and a task of it neither.
func TestReadOnly(t *testing.T) {
	store := memory.New()
	h := open(t, store, nil)
	for i := range 3 {
		pass(t, h, diff.Rules{}, obj("a", `"n":%d`, i), obj("b", `"n":1`))
	}
	passOver(t, h, "queues", diff.Rules{}, Walk{Complete: true}, obj("a", `"n":2`))
	before := collect(t, store.Scan(t.Context(), storage.Range{}))
	running, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)

	for _, view := range []*History{h.ReadOnly(), h.ReadOnly().Fenced(func(*storage.Batch) {})} {
		require.Len(t, collect(t, view.Changes(t.Context(), Query{Imported: true})), 4)
		require.Len(t, collect(t, view.AsOf(t.Context(), "queues", time.Now())), 2)
		trimmed, err := view.Trim(t.Context(), Retention{MaxChanges: 1}, &TrimOptions{DryRun: true})
		require.NoError(t, err)
		require.Equal(t, 2, trimmed.Changes)
		for name, write := range map[string]func() error{
			"begin":  func() error { _, err := view.Begin(t.Context(), "queues", diff.Rules{}); return err },
			"accept": func() error { return view.AcceptRemovals(t.Context(), "queues", "b") },
			"trim":   func() error { _, err := view.Trim(t.Context(), Retention{MaxChanges: 1}, nil); return err },
			"forget": func() error { return view.Forget(t.Context(), "queues", "a") },
			"delete": func() error { return view.Delete(t.Context()) },
		} {
			require.ErrorIs(t, write(), ErrReadOnly, name)
		}
	}
	require.Equal(t, before, collect(t, store.Scan(t.Context(), storage.Range{})))
	require.NoError(t, running.Keep("a"), "no view has ended it")
	_, err = running.Settle(t.Context(), Walk{})
	require.NoError(t, err)
	_, err = running.End(t.Context())
	require.NoError(t, err)
}

func TestChangeAsJSON(t *testing.T) {
	data, err := json.Marshal(Change{Kind: KindUpdated, Fields: []diff.FieldChange{{Path: "/n", Op: diff.OpRemove}}})
	require.NoError(t, err)
	require.Contains(t, string(data), `"fields":[{"path":"/n","op":"remove"}]`)
}
