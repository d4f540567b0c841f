//nolint:thelper // the clauses are tests: a failure names the line in them
package storagetest

import (
	"context"
	"errors"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

// testGetMany tests the power to read many keys at once, in a store that has it.
func testGetMany(tb testing.TB, h Harness) {
	s := open(tb, h)
	m, ok := s.(storage.ManyGetter)
	if !ok {
		tb.Skip("the store is no storage.ManyGetter")
	}
	fillMany(tb, s, "v")
	put(tb, s, "a", "1", "a/b", "2", "empty", "")
	keys := []string{"none", "a/b", "empty", "a", "a/", "a/b"}
	want := map[string]string{"a": "1", "a/b": "2", "empty": ""}
	for i := range many {
		keys = append(keys, numbered(i))
		want[numbered(i)] = "v"
	}
	wantMany(tb, m, keys, want)
	wantMany(tb, m, nil, nil)
	wantMany(tb, m, []string{"none"}, nil)

	commit(tb, s, func(b *storage.Batch) { b.Delete("a"); b.Put("a/b", []byte("3")) })
	wantMany(tb, m, []string{"a", "a/b"}, map[string]string{"a/b": "3"})

	for _, key := range invalidKeys() {
		if _, err := m.GetMany(tb.Context(), []string{"a/b", key}); !errors.Is(err, storage.ErrInvalid) {
			tb.Errorf("GetMany with the key %s: error %v, want ErrInvalid", short([]byte(key)), err)
		}
	}
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	if _, err := m.GetMany(ctx, keys); !errors.Is(err, context.Canceled) {
		tb.Errorf("GetMany with an ended context: error %v, want context.Canceled", err)
	}
	if err := s.Close(); err != nil {
		tb.Fatalf("Close: %v", err)
	}
	if _, err := m.GetMany(tb.Context(), keys); !errors.Is(err, storage.ErrClosed) {
		tb.Errorf("GetMany after Close: error %v, want ErrClosed", err)
	}
}

// wantMany checks what GetMany returns, twice, because the caller may change it.
func wantMany(tb testing.TB, m storage.ManyGetter, keys []string, want map[string]string) {
	tb.Helper()
	for range 2 {
		got, err := m.GetMany(tb.Context(), keys)
		if err != nil {
			tb.Fatalf("GetMany of %d keys: %v", len(keys), err)
		}
		if len(got) != len(want) {
			tb.Fatalf("GetMany of %d keys finds %d, want %d", len(keys), len(got), len(want))
		}
		for key, value := range want {
			if v, ok := got[key]; !ok || string(v) != value {
				tb.Fatalf("GetMany finds %q = %s, %v, want %s", key, short(v), ok, short([]byte(value)))
			}
			clear(got[key])
		}
	}
}
