package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := memory.New()
	calls := 0
	err := storage.Update(t.Context(), s, func(b *storage.Batch) error {
		if calls++; calls == 3 {
			b.RequireAbsent("taken")
			b.Put("done", nil)
			return nil
		}
		b.Require("taken", nil)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 3, calls)

	boom := errors.New("boom")
	require.ErrorIs(t, storage.Update(t.Context(), s, func(*storage.Batch) error { return boom }), boom)

	ctx, cancel := context.WithCancel(t.Context())
	err = storage.Update(ctx, s, func(b *storage.Batch) error {
		cancel()
		b.RequireAbsent("done")
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
}

func TestSequenceRefuses(t *testing.T) {
	t.Parallel()
	s := memory.New()
	var b storage.Batch
	_, err := storage.Sequence(t.Context(), s, &b, "seq", 0)
	require.ErrorIs(t, err, storage.ErrInvalid)
	require.Zero(t, b.Len())
	b.Put("seq", []byte("many"))
	require.NoError(t, s.Commit(t.Context(), &b))
	_, err = storage.Sequence(t.Context(), s, &b, "seq", 1)
	require.ErrorContains(t, err, `key "seq"`)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	type record struct {
		Name string `json:"name"`
	}
	s := memory.New()
	_, err := storage.GetJSON[record](t.Context(), s, "a")
	require.ErrorIs(t, err, storage.ErrNotFound)
	var b storage.Batch
	require.NoError(t, b.PutJSON("a", record{"R&D <1>"}))
	require.ErrorContains(t, b.PutJSON("b", func() {}), `key "b": encoding`)
	b.Put("c", []byte(`{"name":1}`))
	require.Equal(t, 2, b.Len())
	require.NoError(t, s.Commit(t.Context(), &b))
	got, err := storage.GetJSON[record](t.Context(), s, "a")
	require.NoError(t, err)
	require.Equal(t, record{"R&D <1>"}, got)
	raw, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, `{"name":"R&D <1>"}`, string(raw))
	_, err = storage.GetJSON[record](t.Context(), s, "c")
	require.ErrorContains(t, err, `key "c": decoding`)
}

func ExampleUpdate() {
	ctx := context.Background()
	s := memory.New()
	for _, name := range []string{"first", "second"} {
		err := storage.Update(ctx, s, func(b *storage.Batch) error {
			n, err := storage.Sequence(ctx, s, b, "sequence", 1)
			if err != nil {
				return err
			}
			return b.PutJSON(storage.Key("record", fmt.Sprintf("%08d", n)), name)
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	for e, err := range s.Scan(ctx, storage.Prefix("record/")) {
		fmt.Println(e.Key, string(e.Value), err)
	}
	// Output:
	// record/00000001 "first" <nil>
	// record/00000002 "second" <nil>
}
