package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// open returns a new store that is closed at the end of the test.
func open(tb testing.TB, h Harness) storage.Store {
	tb.Helper()
	s := h.Open(tb)
	closeAtEnd(tb, h, s)
	return s
}

// closeAtEnd closes s at the end of the test, unless a clause has found that it
// blocks. The clauses about Close check its error.
func closeAtEnd(tb testing.TB, h Harness, s storage.Store) {
	tb.Helper()
	tb.Cleanup(func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.Close()
		}()
		select {
		case <-done:
		case <-time.After(h.Patience):
		}
	})
}

// commit commits what fill puts into a Batch.
func commit(tb testing.TB, s storage.Store, fill func(b *storage.Batch)) {
	tb.Helper()
	if err := tryCommit(tb.Context(), s, fill); err != nil {
		tb.Fatalf("Commit: %v", err)
	}
}

func tryCommit(ctx context.Context, s storage.Store, fill func(b *storage.Batch)) error {
	var b storage.Batch
	fill(&b)
	return s.Commit(ctx, &b)
}

// put commits pairs of keys and values.
func put(tb testing.TB, s storage.Store, pairs ...string) {
	tb.Helper()
	commit(tb, s, func(b *storage.Batch) {
		for pair := range slices.Chunk(pairs, 2) {
			b.Put(pair[0], []byte(pair[1]))
		}
	})
}

// wantValue checks what Get returns.
func wantValue(tb testing.TB, s storage.Store, key, want string) {
	tb.Helper()
	got, err := s.Get(tb.Context(), key)
	if err != nil {
		tb.Fatalf("Get(%q): %v, want a value", key, err)
	}
	if string(got) != want {
		tb.Fatalf("Get(%q) = %s, want %s", key, short(got), short([]byte(want)))
	}
}

// wantMissing checks that Get finds nothing.
func wantMissing(tb testing.TB, s storage.Store, key string) {
	tb.Helper()
	if got, err := s.Get(tb.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		tb.Fatalf("Get(%q) = %s, %v, want ErrNotFound", key, short(got), err)
	}
}

// wantKeyError checks that err matches target and names key.
func wantKeyError(tb testing.TB, what string, err, target error, key string) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Fatalf("%s: error %v, want %v", what, err, target)
	}
	if ke, ok := errors.AsType[*storage.KeyError](err); !ok || ke.Key != key {
		tb.Fatalf("%s: error %v, want a KeyError with the key %q", what, err, key)
	}
}

// wantEntries checks what Scan yields: "key=value", separated by blanks.
func wantEntries(tb testing.TB, s storage.Store, r storage.Range, want string) {
	tb.Helper()
	got, err := dump(tb.Context(), s, r)
	if err != nil {
		tb.Fatalf("Scan(%+v): %v", r, err)
	}
	if want := strings.Fields(want); !slices.Equal(got, want) {
		tb.Fatalf("Scan(%+v) yields %s, want %s", r, list(got), list(want))
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
