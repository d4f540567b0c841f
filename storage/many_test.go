package storage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// manyStore counts how it is asked.
type manyStore struct {
	storage.Store
	calls [][]string
}

func (s *manyStore) GetMany(_ context.Context, keys []string) (map[string][]byte, error) {
	s.calls = append(s.calls, keys)
	return map[string][]byte{"a": []byte("of the power")}, nil
}

func TestGetMany(t *testing.T) {
	t.Parallel()
	s := memory.New()
	var b storage.Batch
	b.Put("a", []byte("1"))
	b.Put("empty", nil)
	b.Put("z", []byte("26"))
	require.NoError(t, s.Commit(t.Context(), &b))

	got, err := storage.GetMany(t.Context(), s, []string{"z", "none", "empty", "z"})
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "26", string(got["z"]))
	require.Contains(t, got, "empty")

	_, err = storage.GetMany(t.Context(), s, []string{"a", ""})
	require.ErrorIs(t, err, storage.ErrInvalid)

	m := &manyStore{Store: s}
	got, err = storage.GetMany(t.Context(), m, []string{"a", "b"})
	require.NoError(t, err)
	require.Equal(t, "of the power", string(got["a"]))
	require.Equal(t, [][]string{{"a", "b"}}, m.calls)
}
