package storagetest

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

func testCloseRefusesEverything(t testing.TB, h Harness) {
	s := open(t, h)
	put(t, s, "a", "1")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Get after Close: error %v, want ErrClosed", err)
	}
	if got, err := dump(t.Context(), s, storage.Range{}); !errors.Is(err, storage.ErrClosed) || len(got) > 0 {
		t.Errorf("Scan after Close: %q, error %v, want ErrClosed", got, err)
	}
	if err := tryCommit(t.Context(), s, func(b *storage.Batch) { b.Put("a", nil) }); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Commit after Close: error %v, want ErrClosed", err)
	}
}

func testCloseTwice(t testing.TB, h Harness) {
	s := open(t, h)
	for range 3 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

func testCloseEndsScan(t testing.TB, h Harness) {
	s := open(t, h)
	fillMany(t, s, "v")
	n := 0
	var last error
	for _, err := range s.Scan(t.Context(), storage.Range{}) {
		if last = err; err != nil {
			break
		}
		if n++; n == 1 {
			if err := s.Close(); err != nil {
				t.Fatalf("Close during a Scan: %v", err)
			}
		}
	}
	if !errors.Is(last, storage.ErrClosed) {
		t.Fatalf("Scan of a closed store ends after %d entries with %v, want ErrClosed", n, last)
	}
}

// testCloseFinishesCommits closes while commits run: each is stored or refused.
func testCloseFinishesCommits(t testing.TB, h Harness) {
	s := open(t, h)
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = tryCommit(t.Context(), s, func(b *storage.Batch) { b.Put(strconv.Itoa(i), []byte("v")) })
		})
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close while commits run: %v", err)
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Commit while the store is closed: error %v, want nil or ErrClosed", err)
		}
	}
	if h.Reopen == nil {
		return
	}
	s = reopen(t, h, s)
	for i, err := range errs {
		if err == nil {
			wantValue(t, s, strconv.Itoa(i), "v")
		} else {
			wantMissing(t, s, strconv.Itoa(i))
		}
	}
}

// reopen closes s and opens it again.
func reopen(t testing.TB, h Harness, s storage.Store) storage.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	again := h.Reopen(t, s)
	t.Cleanup(func() { _ = again.Close() }) // the clauses about Close check its error
	return again
}

func testReopen(t testing.TB, h Harness) {
	if h.Reopen == nil {
		t.Skip("the harness has no Reopen")
	}
	s := open(t, h)
	want := fillMany(t, s, "v")
	for i := range 3 {
		s = reopen(t, h, s)
		wantEntries(t, s, storage.Range{}, want)
		key := "~" + strconv.Itoa(i)
		put(t, s, key, "")
		want += key + "= "
	}
}

func testCrash(t testing.TB, h Harness) {
	if h.Crash == nil {
		t.Skip("the harness has no Crash")
	}
	s := open(t, h)
	want := fillMany(t, s, "v")
	for i := range 3 {
		key := "~" + strconv.Itoa(i)
		put(t, s, key, "")
		want += key + "= "
		s = h.Crash(t, s)
		t.Cleanup(func() { _ = s.Close() }) // the clauses about Close check its error
		wantEntries(t, s, storage.Range{}, want)
	}
}
