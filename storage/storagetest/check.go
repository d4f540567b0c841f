package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

// open returns a new store that is closed at the end of the test.
func open(t testing.TB, h Harness) storage.Store {
	t.Helper()
	s := h.Open(t)
	t.Cleanup(func() { _ = s.Close() }) // the clauses about Close check its error
	return s
}

// commit commits what fill puts into a Batch.
func commit(t testing.TB, s storage.Store, fill func(b *storage.Batch)) {
	t.Helper()
	if err := tryCommit(t.Context(), s, fill); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func tryCommit(ctx context.Context, s storage.Store, fill func(b *storage.Batch)) error {
	var b storage.Batch
	fill(&b)
	return s.Commit(ctx, &b)
}

// put commits pairs of keys and values.
func put(t testing.TB, s storage.Store, pairs ...string) {
	t.Helper()
	commit(t, s, func(b *storage.Batch) {
		for pair := range slices.Chunk(pairs, 2) {
			b.Put(pair[0], []byte(pair[1]))
		}
	})
}

// wantValue checks what Get returns.
func wantValue(t testing.TB, s storage.Store, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v, want a value", key, err)
	}
	if string(got) != want {
		t.Fatalf("Get(%q) = %s, want %s", key, short(got), short([]byte(want)))
	}
}

// wantMissing checks that Get finds nothing.
func wantMissing(t testing.TB, s storage.Store, key string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("Get(%q) = %s, %v, want ErrNotFound", key, short(got), err)
	}
}

// wantKeyError checks that err matches target and names key.
func wantKeyError(t testing.TB, what string, err, target error, key string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: error %v, want %v", what, err, target)
	}
	if ke, ok := errors.AsType[*storage.KeyError](err); !ok || ke.Key != key {
		t.Fatalf("%s: error %v, want a KeyError with the key %q", what, err, key)
	}
}

// wantEntries checks what Scan yields: "key=value", separated by blanks.
func wantEntries(t testing.TB, s storage.Store, r storage.Range, want string) {
	t.Helper()
	got, err := dump(t.Context(), s, r)
	if err != nil {
		t.Fatalf("Scan(%+v): %v", r, err)
	}
	if want := strings.Fields(want); !slices.Equal(got, want) {
		t.Fatalf("Scan(%+v) yields %s, want %s", r, list(got), list(want))
	}
}

// dump returns what Scan yields as "key=value".
func dump(ctx context.Context, s storage.Store, r storage.Range) (all []string, err error) {
	for e, err := range s.Scan(ctx, r) {
		if err != nil {
			return all, err
		}
		all = append(all, e.Key+"="+string(e.Value))
	}
	return all, nil
}

// list and short keep failures readable.
func list(all []string) string {
	if n := len(all); n > 20 {
		return fmt.Sprintf("%d entries, from %s to %s", n, short([]byte(all[0])), short([]byte(all[n-1])))
	}
	return fmt.Sprintf("%q", all)
}

func short(v []byte) string {
	if len(v) > 80 {
		return fmt.Sprintf("%q... (%d bytes)", v[:80], len(v))
	}
	return fmt.Sprintf("%q", v)
}
