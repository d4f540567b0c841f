//nolint:thelper // the clauses are tests: a failure names the line in them
package storagetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

func testCommitVisible(tb testing.TB, h Harness) {
	s := open(tb, h)
	for i := range 20 {
		v := strconv.Itoa(i)
		put(tb, s, "a", v)
		wantValue(tb, s, "a", v)
		wantEntries(tb, s, storage.Range{}, "a="+v)
	}
	commit(tb, s, func(b *storage.Batch) { b.Delete("a") })
	wantMissing(tb, s, "a")
	wantEntries(tb, s, storage.Range{}, "")
	commit(tb, s, func(b *storage.Batch) { b.Delete("a") }) // needs not exist
}

func testOperationOrder(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "old", "0")
	commit(tb, s, func(b *storage.Batch) {
		b.Put("a", []byte("1"))
		b.Put("a", []byte("2"))
		b.Put("b", []byte("1"))
		b.Delete("b")
		b.Delete("c")
		b.Put("c", []byte("3"))
		b.Put("d/1", []byte("4"))
		b.DeleteRange(storage.Prefix("d/"))
		b.Put("d/2", []byte("5"))
		b.Delete("old")
		b.Put("old", []byte("6"))
	})
	wantEntries(tb, s, storage.Range{}, "a=2 c=3 d/2=5 old=6")
}

func testDeleteRange(tb testing.TB, h Harness) {
	for _, c := range []struct {
		r    storage.Range
		want string
	}{
		{storage.Range{Start: "b", End: "d"}, "a=1 d=4 e=5"},
		{storage.Range{Start: "b", End: "d", Reverse: true}, "a=1 d=4 e=5"},
		{storage.Range{Start: "c"}, "a=1 b=2"},
		{storage.Range{End: "c"}, "c=3 d=4 e=5"},
		{storage.Range{}, ""},
		{storage.Range{Start: "c", End: "c"}, "a=1 b=2 c=3 d=4 e=5"},
		{storage.Range{Start: "d", End: "b"}, "a=1 b=2 c=3 d=4 e=5"},
		{storage.Range{Start: "x", End: "z"}, "a=1 b=2 c=3 d=4 e=5"},
		{storage.Prefix("c"), "a=1 b=2 d=4 e=5"},
	} {
		s := open(tb, h)
		put(tb, s, "a", "1", "b", "2", "c", "3", "d", "4", "e", "5")
		commit(tb, s, func(b *storage.Batch) { b.DeleteRange(c.r) })
		wantEntries(tb, s, storage.Range{}, c.want)
	}
	s := open(tb, h)
	fillMany(tb, s, "v")
	commit(tb, s, func(b *storage.Batch) { b.DeleteRange(storage.Range{Start: numbered(1), End: numbered(many - 1)}) })
	wantEntries(tb, s, storage.Range{}, numbered(0)+"=v "+numbered(many-1)+"=v")
}

func testRequirements(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "a", "1")
	long := strings.Repeat("long ", 400)
	put(tb, s, "long", long)
	for _, c := range []struct {
		name     string
		require  func(b *storage.Batch)
		conflict string // the key, empty if there is none
	}{
		{"its value", func(b *storage.Batch) { b.Require("a", []byte("1")) }, ""},
		{"its long value", func(b *storage.Batch) { b.Require("long", []byte(long)) }, ""},
		{"another value", func(b *storage.Batch) { b.Require("a", []byte("2")) }, "a"},
		{"another long value", func(b *storage.Batch) { b.Require("long", []byte(long[1:])) }, "long"},
		{"more", func(b *storage.Batch) { b.Require("a", []byte("11")) }, "a"},
		{"nothing of it", func(b *storage.Batch) { b.Require("a", nil) }, "a"},
		{"a value of an absent key", func(b *storage.Batch) { b.Require("none", []byte("1")) }, "none"},
		{"absence of an absent key", func(b *storage.Batch) { b.RequireAbsent("none") }, ""},
		{"absence of a key", func(b *storage.Batch) { b.RequireAbsent("a") }, "a"},
		{"two things", func(b *storage.Batch) { b.Require("a", []byte("1")); b.RequireAbsent("none") }, ""},
		{"two things, one wrong", func(b *storage.Batch) { b.Require("a", []byte("1")); b.RequireAbsent("long") }, "long"},
		{"opposites", func(b *storage.Batch) { b.Require("a", []byte("1")); b.RequireAbsent("a") }, "a"},
	} {
		for _, withPut := range []bool{true, false} {
			err := tryCommit(tb.Context(), s, func(b *storage.Batch) {
				if c.require(b); withPut {
					b.Put("b", []byte(c.name))
				}
			})
			if c.conflict != "" {
				wantKeyError(tb, "Commit that requires "+c.name, err, storage.ErrConflict, c.conflict)
				continue
			}
			if err != nil {
				tb.Fatalf("Commit that requires %s: %v", c.name, err)
			}
			wantValue(tb, s, "b", c.name)
		}
	}
}

func testRequiresStateBefore(tb testing.TB, h Harness) {
	s := open(tb, h)
	commit(tb, s, func(b *storage.Batch) {
		b.Put("a", []byte("1"))
		b.RequireAbsent("a")
	})
	commit(tb, s, func(b *storage.Batch) {
		b.Delete("a")
		b.Put("b", []byte("2"))
		b.Require("a", []byte("1"))
	})
	err := tryCommit(tb.Context(), s, func(b *storage.Batch) {
		b.Put("a", []byte("1"))
		b.Require("a", []byte("1"))
	})
	wantKeyError(tb, "Commit that requires what only it puts", err, storage.ErrConflict, "a")
	wantEntries(tb, s, storage.Range{}, "b=2")
}

func testEmptyIsNotAbsent(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "empty", "")
	wantValue(tb, s, "empty", "")
	wantEntries(tb, s, storage.Range{}, "empty=")
	err := tryCommit(tb.Context(), s, func(b *storage.Batch) { b.RequireAbsent("empty") })
	wantKeyError(tb, "Commit that requires absence of a key with an empty value", err, storage.ErrConflict, "empty")
	err = tryCommit(tb.Context(), s, func(b *storage.Batch) { b.Require("none", nil) })
	wantKeyError(tb, "Commit that requires an empty value of an absent key", err, storage.ErrConflict, "none")
	commit(tb, s, func(b *storage.Batch) { b.Require("empty", nil) })
}

func testConflictStoresNothing(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "a", "1", "b", "2", "c", "3")
	err := tryCommit(tb.Context(), s, func(b *storage.Batch) {
		b.Put("a", []byte("x"))
		b.Require("a", []byte("1"))
		b.Delete("b")
		b.DeleteRange(storage.Prefix("c"))
		b.Put("z", []byte("x"))
		b.Require("c", []byte("no"))
	})
	wantKeyError(tb, "Commit", err, storage.ErrConflict, "c")
	wantEntries(tb, s, storage.Range{}, "a=1 b=2 c=3")
}

func testInvalidStoresNothing(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "a", "1")
	for _, key := range invalidKeys() {
		for i, add := range []func(b *storage.Batch){
			func(b *storage.Batch) { b.Put(key, []byte("x")) },
			func(b *storage.Batch) { b.Delete(key) },
			func(b *storage.Batch) { b.RequireAbsent(key) },
		} {
			err := tryCommit(tb.Context(), s, func(b *storage.Batch) {
				b.Put("before", nil)
				add(b)
				b.Put("z", nil)
			})
			if !errors.Is(err, storage.ErrInvalid) {
				tb.Errorf("Commit with the key %s (%d): error %v, want ErrInvalid", short([]byte(key)), i, err)
			}
		}
	}
	wantEntries(tb, s, storage.Range{}, "a=1")
}

func testEmptyBatch(tb testing.TB, h Harness) {
	s := open(tb, h)
	commit(tb, s, func(*storage.Batch) {})
	put(tb, s, "a", "1")
	commit(tb, s, func(*storage.Batch) {})
	wantEntries(tb, s, storage.Range{}, "a=1")
}

// testCommitAgain commits a Batch a second time, as after an unknown outcome.
func testCommitAgain(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "old", "0", "range/1", "0")
	var b storage.Batch
	b.Put("a", []byte("1"))
	b.Delete("old")
	b.DeleteRange(storage.Prefix("range/"))
	b.Put("range/2", []byte("2"))
	for range 3 {
		if err := s.Commit(tb.Context(), &b); err != nil {
			tb.Fatalf("Commit of the same Batch again: %v", err)
		}
		wantEntries(tb, s, storage.Range{}, "a=1 range/2=2")
	}
	var c storage.Batch
	c.Require("a", []byte("1"))
	c.Put("a", []byte("mine"))
	if err := s.Commit(tb.Context(), &c); err != nil {
		tb.Fatal(err)
	}
	wantKeyError(tb, "Commit of a Batch that has replaced what it requires", s.Commit(tb.Context(), &c), storage.ErrConflict, "a")
	wantValue(tb, s, "a", "mine")
}

func testCommitKeepsBatch(tb testing.TB, h Harness) {
	var b storage.Batch
	b.RequireAbsent("a")
	b.Put("a", []byte("1"))
	b.Put("b", []byte("2"))
	size, n := b.Size(), b.Len()
	for range 2 { // on two stores
		s := open(tb, h)
		if err := s.Commit(tb.Context(), &b); err != nil {
			tb.Fatal(err)
		}
		wantEntries(tb, s, storage.Range{}, "a=1 b=2")
	}
	if b.Size() != size || b.Len() != n {
		tb.Fatalf("Commit left a Batch of %d bytes and %d parts, it had %d and %d", b.Size(), b.Len(), size, n)
	}
}

// testCommitAtomic looks for halves of a commit.
func testCommitAtomic(tb testing.TB, h Harness) {
	s := open(tb, h)
	beside(tb, func(n int) error {
		return tryCommit(tb.Context(), s, func(b *storage.Batch) {
			for i := range 20 {
				b.Put(fmt.Sprintf("%d/%02d", n%2, i), []byte(strconv.Itoa(n)))
			}
			b.DeleteRange(storage.Prefix(strconv.Itoa((n+1)%2) + "/"))
		})
	}, func() {
		got, err := dump(tb.Context(), s, storage.Range{})
		if err != nil || len(got) != 20 || got[0][:2] != got[19][:2] {
			tb.Fatalf("while commits run, Scan yields %q, %v, want 20 entries of one commit", got, err)
		}
	})
}

func testSerializable(tb testing.TB, h Harness) {
	s := open(tb, h)
	const workers, rounds = 8, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				err := storage.Update(tb.Context(), s, func(b *storage.Batch) error {
					n, err := storage.Sequence(tb.Context(), s, b, "seq", 1)
					b.Put(fmt.Sprintf("n/%03d", n), nil)
					return err
				})
				if err != nil {
					tb.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	wantValue(tb, s, "seq", strconv.Itoa(workers*rounds))
	got, err := dump(tb.Context(), s, storage.Prefix("n/"))
	if err != nil || len(got) != workers*rounds {
		tb.Fatalf("%d numbers were taken, %v, want %d", len(got), err, workers*rounds)
	}
}

// testNoWriteSkew lets two commits race of which each requires what the other
// changes: one must lose.
func testNoWriteSkew(tb testing.TB, h Harness) {
	s := open(tb, h)
	for i := range 20 {
		x, y := fmt.Sprintf("%d/x", i), fmt.Sprintf("%d/y", i)
		var errs [2]error
		var wg sync.WaitGroup
		for j, keys := range [][2]string{{x, y}, {y, x}} {
			wg.Go(func() {
				errs[j] = tryCommit(tb.Context(), s, func(b *storage.Batch) {
					b.RequireAbsent(keys[0])
					b.Put(keys[1], nil)
				})
			})
		}
		wg.Wait()
		if won, lost := errs[0], errs[1]; (won == nil) == (lost == nil) || !errors.Is(errors.Join(won, lost), storage.ErrConflict) {
			tb.Fatalf("two commits that exclude each other end in %v and %v, want one ErrConflict", won, lost)
		}
	}
}
