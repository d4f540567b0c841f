//nolint:thelper // the clauses are tests: a failure names the line in them
package storagetest

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

func testCloseRefusesEverything(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "a", "1")
	if err := s.Close(); err != nil {
		tb.Fatalf("Close: %v", err)
	}
	if _, err := s.Get(tb.Context(), "a"); !errors.Is(err, storage.ErrClosed) {
		tb.Errorf("Get after Close: error %v, want ErrClosed", err)
	}
	if got, err := dump(tb.Context(), s, storage.Range{}); !errors.Is(err, storage.ErrClosed) || len(got) > 0 {
		tb.Errorf("Scan after Close: %q, error %v, want ErrClosed", got, err)
	}
	if err := tryCommit(tb.Context(), s, func(b *storage.Batch) { b.Put("a", nil) }); !errors.Is(err, storage.ErrClosed) {
		tb.Errorf("Commit after Close: error %v, want ErrClosed", err)
	}
}

func testCloseTwice(tb testing.TB, h Harness) {
	s := open(tb, h)
	for range 3 {
		if err := s.Close(); err != nil {
			tb.Fatalf("Close: %v", err)
		}
	}
}

func testCloseEndsScan(tb testing.TB, h Harness) {
	s := open(tb, h)
	fillMany(tb, s, "v")
	n := 0
	var last error
	for _, err := range s.Scan(tb.Context(), storage.Range{}) {
		if last = err; err != nil {
			break
		}
		if n++; n == 1 {
			if err := s.Close(); err != nil {
				tb.Fatalf("Close during a Scan: %v", err)
			}
		}
	}
	if !errors.Is(last, storage.ErrClosed) {
		tb.Fatalf("Scan of a closed store ends after %d entries with %v, want ErrClosed", n, last)
	}
}

// testCloseFinishesCommits closes while commits run: each is stored or refused.
func testCloseFinishesCommits(tb testing.TB, h Harness) {
	s := open(tb, h)
	errs := make([]error, 16)
	var wg sync.WaitGroup
	done := make(chan struct{}, len(errs))
	for i := range errs {
		wg.Go(func() {
			errs[i] = tryCommit(tb.Context(), s, func(b *storage.Batch) { b.Put(strconv.Itoa(i), []byte("v")) })
			done <- struct{}{}
		})
	}
	<-done // at least one is stored
	if err := s.Close(); err != nil {
		tb.Errorf("Close while commits run: %v", err)
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, storage.ErrClosed) {
			tb.Errorf("Commit while the store is closed: error %v, want nil or ErrClosed", err)
		}
	}
	if h.Reopen == nil {
		return
	}
	s = reopen(tb, h, s)
	for i, err := range errs {
		if err == nil {
			wantValue(tb, s, strconv.Itoa(i), "v")
		} else {
			wantMissing(tb, s, strconv.Itoa(i))
		}
	}
}

// reopen closes s and opens it again.
func reopen(tb testing.TB, h Harness, s storage.Store) storage.Store {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatalf("Close: %v", err)
	}
	again := h.Reopen(tb, s)
	closeAtEnd(tb, h, again)
	return again
}

func testReopen(tb testing.TB, h Harness) {
	if h.Reopen == nil {
		tb.Skip("the harness has no Reopen")
	}
	s := open(tb, h)
	want := fillMany(tb, s, "v")
	for _, key := range []string{"~1", "~2", "~3"} {
		s = reopen(tb, h, s)
		wantEntries(tb, s, storage.Range{}, want)
		put(tb, s, key, "")
		want = strings.Join([]string{want, key, "= "}, "")
	}
}

func testCrash(tb testing.TB, h Harness) {
	if h.Crash == nil {
		tb.Skip("the harness has no Crash")
	}
	s := open(tb, h)
	want := fillMany(tb, s, "v")
	for _, key := range []string{"~1", "~2", "~3"} {
		put(tb, s, key, "")
		want = strings.Join([]string{want, key, "= "}, "")
		s = h.Crash(tb, s)
		closeAtEnd(tb, h, s)
		wantEntries(tb, s, storage.Range{}, want)
	}
}
