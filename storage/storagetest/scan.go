//nolint:thelper // the clauses are tests: a failure names the line in them
package storagetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// many is more entries than a backend is likely to read at once.
const many = 3000

// fillMany puts keys 0000, 0001, ... and returns them as wantEntries has them.
func fillMany(tb testing.TB, s storage.Store, value string) string {
	tb.Helper()
	var want strings.Builder
	commit(tb, s, func(b *storage.Batch) {
		for i := range many {
			b.Put(numbered(i), []byte(value))
			want.WriteString(numbered(i) + "=" + value + " ")
		}
	})
	return want.String()
}

func numbered(i int) string { return fmt.Sprintf("%04d", i) }

func testScanOrder(tb testing.TB, h Harness) {
	s := open(tb, h)
	// The order of bytes is not that of letters, of UTF-16, or of a collation
	// that skips punctuation.
	put(tb, s, "b", "", "B", "", "a", "", "a/b", "", "a-b", "", "a b", "", "ab", "", "_", "", "é", "", "e", "", "z", "",
		"10", "", "9", "", "\U0001d11e", "", "\uffee", "", "aa", "")
	want := "10= 9= B= _= a= a b= a-b= a/b= aa= ab= b= e= z= é= \uffee= \U0001d11e="
	got, err := dump(tb.Context(), s, storage.Range{})
	if err != nil || strings.Join(got, " ") != want {
		tb.Fatalf("Scan yields %q, %v, want %q", got, err, want)
	}
}

func testScanBounds(tb testing.TB, h Harness) {
	s := open(tb, h)
	wantEntries(tb, s, storage.Range{}, "")
	wantEntries(tb, s, storage.Range{Reverse: true}, "")
	put(tb, s, "a", "1", "b", "2", "b/x", "3", "b/y", "4", "c", "5")
	for _, c := range []struct{ start, end, want string }{
		{"", "", "a=1 b=2 b/x=3 b/y=4 c=5"},
		{"b", "", "b=2 b/x=3 b/y=4 c=5"},
		{"", "b", "a=1"},
		{"b", "c", "b=2 b/x=3 b/y=4"},
		{"b/", "b/y", "b/x=3"},
		{storage.After("b"), "c", "b/x=3 b/y=4"},
		{"0", "1", ""},
		{"d", "", ""},
		{"b", "b", ""},
		{"c", "a", ""},
		{"\U0010ffff", "", ""},
		{"", "\U0010ffff", "a=1 b=2 b/x=3 b/y=4 c=5"},
		{"", strings.Repeat("c", 2*storage.MaxKeySize), "a=1 b=2 b/x=3 b/y=4 c=5"},
	} {
		wantEntries(tb, s, storage.Range{Start: c.start, End: c.end}, c.want)
		wantEntries(tb, s, storage.Range{Start: c.start, End: c.end, Reverse: true}, reversed(c.want))
	}
	wantEntries(tb, s, storage.Prefix("b/"), "b/x=3 b/y=4")
}

func reversed(entries string) string {
	var r string
	for f := range strings.FieldsSeq(entries) {
		r = f + " " + r
	}
	return r
}

func testScanComplete(tb testing.TB, h Harness) {
	s := open(tb, h)
	want := fillMany(tb, s, "v")
	wantEntries(tb, s, storage.Range{}, want)
	wantEntries(tb, s, storage.Range{Reverse: true}, reversed(want))
}

func testScanStopsEarly(tb testing.TB, h Harness) {
	s := open(tb, h)
	fillMany(tb, s, "v")
	for _, stop := range []int{1, 2, 100, many} {
		n := 0
		for _, err := range s.Scan(tb.Context(), storage.Range{}) {
			if err != nil {
				tb.Fatal(err)
			}
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			tb.Fatalf("Scan yields %d entries, want to stop after %d", n, stop)
		}
	}
	put(tb, s, "after", "breaks")
}

func testScanStartsWhenIterated(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "a", "1")
	seq := s.Scan(tb.Context(), storage.Range{})
	for i, want := range []string{"a", "a b", "a b c"} {
		if i > 0 {
			put(tb, s, string(rune('a'+i)), "1")
		}
		var got []string
		for e, err := range seq {
			if err != nil {
				tb.Fatal(err)
			}
			got = append(got, e.Key)
		}
		if strings.Join(got, " ") != want {
			tb.Fatalf("iteration %d of a Scan yields %q, want %q: each starts from what is stored then", i+1, got, want)
		}
	}
}

func testScanSnapshot(tb testing.TB, h Harness) {
	for _, reverse := range []bool{false, true} {
		s := open(tb, h)
		want := fillMany(tb, s, "old")
		if reverse {
			want = reversed(want)
		}
		fields := strings.Fields(want)
		n := 0
		for e, err := range s.Scan(tb.Context(), storage.Range{Reverse: reverse}) {
			if err != nil {
				tb.Fatal(err)
			}
			if n >= len(fields) || e.Key+"="+string(e.Value) != fields[n] {
				tb.Fatalf("entry %d of a Scan (reverse %v) is %s=%s, not as when it started", n, reverse, e.Key, e.Value)
			}
			if n%500 == 0 {
				disturb(tb, s, n)
			}
			n++
		}
		if n != many {
			tb.Fatalf("Scan (reverse %v) yields %d entries, want %d", reverse, n, many)
		}
	}
}

// disturb changes keys everywhere, before and behind any running Scan.
func disturb(tb testing.TB, s storage.Store, n int) {
	tb.Helper()
	commit(tb, s, func(b *storage.Batch) {
		for i := range 60 {
			at := (n + i*47) % many
			switch i % 4 {
			case 0:
				b.Put(numbered(at), fmt.Appendf(nil, "new %d", n))
			case 1:
				b.Delete(numbered(at))
			case 2:
				b.Put(numbered(at)+"+", []byte("new"))
			case 3:
				b.DeleteRange(storage.Range{Start: numbered(at), End: numbered(at + 5)})
			}
		}
		b.Put("!", []byte("new"))
		b.Put("~", []byte("new"))
	})
}

// testScanSnapshotOfRace starts Scans while commits run. Each commit sets all
// keys to the same number.
func testScanSnapshotOfRace(tb testing.TB, h Harness) {
	s := open(tb, h)
	const keys = 200
	last := ""
	beside(tb, func(n int) error {
		return tryCommit(tb.Context(), s, func(b *storage.Batch) {
			for i := range keys {
				b.Put(numbered(i), fmt.Appendf(nil, "%0200d", n))
			}
		})
	}, func() {
		first, n := "", 0
		for e, err := range s.Scan(tb.Context(), storage.Range{}) {
			if err != nil {
				tb.Fatal(err)
			}
			if n++; n == 1 {
				first = string(e.Value)
			}
			if string(e.Value) != first {
				tb.Fatalf("one Scan yields values of two commits, %s and %s", first, e.Value)
			}
		}
		if n != keys || first < last {
			tb.Fatalf("Scan yields %d entries of commit %s, want %d and no commit before %s", n, first, keys, last)
		}
		last = first
	})
}

// beside calls write(0), and then read over and over while write(1), write(2) and
// so on run beside it, until both have run often.
func beside(tb testing.TB, write func(n int) error, read func()) {
	tb.Helper()
	const often = 40
	if err := write(0); err != nil {
		tb.Fatal(err)
	}
	var writes atomic.Int64
	var failed atomic.Bool
	var writer sync.WaitGroup
	ctx, stop := context.WithCancel(tb.Context())
	defer writer.Wait()
	defer stop()
	writer.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			if err := write(n); err != nil {
				tb.Errorf("Commit: %v", err)
				failed.Store(true)
				return
			}
			writes.Add(1)
		}
	})
	for n := 0; !failed.Load() && (n < often || writes.Load() < often); n++ {
		read()
	}
}

func testScanHoldsNoLock(tb testing.TB, h Harness) {
	s := open(tb, h)
	fillMany(tb, s, "v")
	patiently(tb, h, "the body of a Scan uses the store", func() error {
		n := 0
		for e, err := range s.Scan(tb.Context(), storage.Range{}) {
			if err != nil {
				return err
			}
			if n++; n%1000 != 1 {
				continue
			}
			if err := useAll(tb.Context(), s, e.Key); err != nil {
				return err
			}
		}
		return nil
	})
}

// useAll calls every method, and commits so much that a file must grow.
func useAll(ctx context.Context, s storage.Store, key string) error {
	if _, err := s.Get(ctx, key); err != nil {
		return err
	}
	for _, err := range s.Scan(ctx, storage.Range{Start: key}) {
		if err != nil {
			return err
		}
		break
	}
	return tryCommit(ctx, s, func(b *storage.Batch) {
		for i := range 2000 {
			b.Put(fmt.Sprintf("x/%s/%d", key, i), fmt.Appendf(nil, "%0500d", i))
		}
		b.Put(key, []byte("seen"))
	})
}

func testScanAbandoned(tb testing.TB, h Harness) {
	s := open(tb, h)
	fillMany(tb, s, "v")
	next, stop := iter.Pull2(s.Scan(tb.Context(), storage.Range{}))
	defer stop()
	if _, err, ok := next(); !ok || err != nil {
		tb.Fatalf("Scan: %v, %v", err, ok)
	}
	patiently(tb, h, "a Scan waits in the middle", func() error {
		for i := range 3 {
			if err := useAll(tb.Context(), s, numbered(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if e, err, ok := next(); !ok || err != nil || e.Key != numbered(1) || string(e.Value) != "v" {
		tb.Fatalf("after commits a waiting Scan yields %s=%s, %v, want %s=v", e.Key, e.Value, err, numbered(1))
	}
}

// patiently calls f and fails the test if f does not return in time.
func patiently(tb testing.TB, h Harness, what string, f func() error) {
	tb.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			tb.Fatalf("%s: %v", what, err)
		}
	case <-time.After(h.Patience):
		tb.Fatalf("blocked for %v while %s", h.Patience, what)
	}
}

func testContextEndedBefore(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "a", "1")
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		tb.Errorf("Get with an ended context: error %v, want context.Canceled", err)
	}
	if got, err := dump(ctx, s, storage.Range{}); !errors.Is(err, context.Canceled) || len(got) > 0 {
		tb.Errorf("Scan with an ended context: %q, error %v, want context.Canceled", got, err)
	}
	err := tryCommit(ctx, s, func(b *storage.Batch) { b.Put("a", []byte("2")) })
	if !errors.Is(err, context.Canceled) {
		tb.Errorf("Commit with an ended context: error %v, want context.Canceled", err)
	}
	late, cancel := context.WithDeadline(tb.Context(), time.Unix(1, 0))
	defer cancel()
	if _, err := s.Get(late, "a"); !errors.Is(err, context.DeadlineExceeded) {
		tb.Errorf("Get after the deadline: error %v, want context.DeadlineExceeded", err)
	}
	wantEntries(tb, s, storage.Range{}, "a=1")
}

func testContextEndsScan(tb testing.TB, h Harness) {
	s := open(tb, h)
	fillMany(tb, s, "v")
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	n, errs := 0, 0
	for e, err := range s.Scan(ctx, storage.Range{}) {
		if err != nil {
			if errs++; !errors.Is(err, context.Canceled) || e.Key != "" || e.Value != nil {
				tb.Fatalf("Scan yields %q, %v, want a zero Entry and context.Canceled", e.Key, err)
			}
			continue
		}
		if n++; errs > 0 {
			tb.Fatal("Scan goes on after an error")
		}
		cancel()
	}
	if errs != 1 || n == many {
		tb.Fatalf("Scan whose context ends yields %d entries and %d errors, want one error", n, errs)
	}
}
