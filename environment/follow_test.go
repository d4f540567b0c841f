package environment_test

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// logScans is a store that counts the reads of a log of changes.
type logScans struct {
	storage.Store
	n int
}

func (s *logScans) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	if strings.Contains(r.Start, "/log/") {
		s.n++
	}
	return s.Store.Scan(ctx, r)
}

// What a consumer has done is done, also if its context ends meanwhile; and what
// is not delivered, such as the first sights of an import, is read once.
func TestPlaceOfAConsumer(t *testing.T) {
	org := genesystest.New(nil)
	store := &logScans{Store: memory.New()}
	engine := open(t, org, store, nil)
	env := create(t, engine, recordOf(org, "routing.skills"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	var got []string
	deliver := func(ctx context.Context, end func()) error {
		return engine.Deliver(ctx, env.ID, "printer", func(_ context.Context, c history.Change) error {
			got = append(got, c.Name)
			end()
			return nil
		})
	}
	store.n = 0
	for range 3 {
		require.NoError(t, deliver(t.Context(), func() {}))
	}
	require.Equal(t, 1, store.n)

	for _, name := range []string{"French", "Spanish"} {
		_, err := org.Create("routing.skills", map[string]any{"name": name})
		require.NoError(t, err)
		_, err = engine.Poll(t.Context(), env.ID, "routing.skills")
		require.NoError(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, deliver(ctx, cancel), context.Canceled)
	require.NoError(t, deliver(t.Context(), func() {}))
	require.Equal(t, []string{"French", "Spanish"}, got)
}
