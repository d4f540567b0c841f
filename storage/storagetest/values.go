//nolint:thelper // the clauses are tests: a failure names the line in them
package storagetest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

func testMissingKey(tb testing.TB, h Harness) {
	s := open(tb, h)
	_, err := s.Get(tb.Context(), "a")
	wantKeyError(tb, "Get from an empty store", err, storage.ErrNotFound, "a")
	put(tb, s, "a", "1", "a/b", "2")
	commit(tb, s, func(b *storage.Batch) { b.Delete("a") })
	_, err = s.Get(tb.Context(), "a")
	wantKeyError(tb, "Get of a deleted key", err, storage.ErrNotFound, "a")
	wantMissing(tb, s, "a/")
}

func testInvalidKey(tb testing.TB, h Harness) {
	s := open(tb, h)
	for _, key := range invalidKeys() {
		if _, err := s.Get(tb.Context(), key); !errors.Is(err, storage.ErrInvalid) {
			tb.Errorf("Get(%s): error %v, want ErrInvalid", short([]byte(key)), err)
		}
	}
}

func invalidKeys() []string {
	return []string{"", "\x00", "a\x00b", "\xff", "a\xc3", "\xed\xa0\x80", strings.Repeat("k", storage.MaxKeySize+1)}
}

func testValuesExact(tb testing.TB, h Harness) {
	s := open(tb, h)
	bytes256 := make([]byte, 256)
	for i := range bytes256 {
		bytes256[i] = byte(i)
	}
	values := map[string]string{
		"empty": "", "zero": "\x00", "bytes": string(bytes256), "spaces": " \r\n\t ",
		"json": `{ "b":1.0, "a":9007199254740993, "a":"\u0041", "a": "é" }`, "null": "null",
		"text": "\xef\xbb\xbfé e\u0301 \U0001d11e", "gzip": "\x1f\x8b\x08\x00", "zstd": "\x28\xb5\x2f\xfd",
	}
	commit(tb, s, func(b *storage.Batch) {
		for key, value := range values {
			b.Put(key, []byte(value))
		}
		b.Put("nil", nil)
	})
	values["nil"] = ""
	for key, value := range values {
		wantValue(tb, s, key, value)
	}
	for e, err := range s.Scan(tb.Context(), storage.Range{}) {
		if err != nil || string(e.Value) != values[e.Key] {
			tb.Fatalf("Scan yields %q = %s, %v, want %s", e.Key, short(e.Value), err, short([]byte(values[e.Key])))
		}
	}
}

func testValuesLarge(tb testing.TB, h Harness) {
	s := open(tb, h)
	large := bytes.Repeat([]byte(`{"name":"value"},`), 1+storage.MaxValueSize/17)[:storage.MaxValueSize]
	random := make([]byte, 300<<10)
	_, _ = rand.NewChaCha8([32]byte{byte(h.Seed)}).Read(random)
	commit(tb, s, func(b *storage.Batch) { b.Put("large", large); b.Put("random", random) })
	wantValue(tb, s, "large", string(large))
	wantValue(tb, s, "random", string(random))
	for e, err := range s.Scan(tb.Context(), storage.Range{}) {
		if err != nil || len(e.Value) != map[string]int{"large": len(large), "random": len(random)}[e.Key] {
			tb.Fatalf("Scan yields %q with %d bytes, %v", e.Key, len(e.Value), err)
		}
	}
	err := tryCommit(tb.Context(), s, func(b *storage.Batch) { b.Put("larger", append(large, 'x')) })
	wantKeyError(tb, "Commit of a value of MaxValueSize+1 bytes", err, storage.ErrInvalid, "larger")
}

func testKeysExact(tb testing.TB, h Harness) {
	s := open(tb, h)
	keys := []string{
		"a", "A", "a ", " a", "a\n", "\t", "%", "%41", "_", "*", "'", `"`, `\`, "a/", "/a", "//", "é", "e\u0301",
		"\U0001d11e", "\U0010ffff", "\ufffd", "\x01", "\x7f", strings.Repeat("k", storage.MaxKeySize), strings.Repeat("k", storage.MaxKeySize-1),
		storage.Key("flow", "a/b%\x00\xff", ""),
	}
	commit(tb, s, func(b *storage.Batch) {
		for _, key := range keys {
			b.Put(key, []byte("value of "+key))
		}
	})
	for _, key := range keys {
		wantValue(tb, s, key, "value of "+key)
	}
	n := 0
	for e, err := range s.Scan(tb.Context(), storage.Range{}) {
		if err != nil || string(e.Value) != "value of "+e.Key {
			tb.Fatalf("Scan yields %q = %s, %v", e.Key, short(e.Value), err)
		}
		n++
	}
	if n != len(keys) {
		tb.Fatalf("Scan yields %d entries, want %d", n, len(keys))
	}
}

func testAliasingGet(tb testing.TB, h Harness) {
	s := open(tb, h)
	want := strings.Repeat("value ", 300)
	put(tb, s, "short", "value", "long", want)
	for key, want := range map[string]string{"short": "value", "long": want} {
		got, err := s.Get(tb.Context(), key)
		if err != nil {
			tb.Fatal(err)
		}
		clear(got)
		_ = append(got, "more"...)
		wantValue(tb, s, key, want)
	}
}

func testAliasingScan(tb testing.TB, h Harness) {
	s := open(tb, h)
	put(tb, s, "a", "1", "b", "2", "c", "3")
	var kept [][]byte
	for e, err := range s.Scan(tb.Context(), storage.Range{}) {
		if err != nil {
			tb.Fatal(err)
		}
		kept = append(kept, e.Value)
		_ = append(e.Value, "overwrites"...)
	}
	if got := string(bytes.Join(kept, []byte(" "))); got != "1 2 3" {
		tb.Fatalf("values kept and appended to during a Scan are %q, want %q", got, "1 2 3")
	}
	for _, v := range kept {
		clear(v)
	}
	wantEntries(tb, s, storage.Range{}, "a=1 b=2 c=3")
}

func testAliasingBatch(tb testing.TB, h Harness) {
	s := open(tb, h)
	value := []byte("1")
	var b storage.Batch
	b.Put("a", value)
	value[0] = 'x'
	if err := s.Commit(tb.Context(), &b); err != nil {
		tb.Fatal(err)
	}
	b.Reset()
	b.Put("b", []byte("2"))
	wantEntries(tb, s, storage.Range{}, "a=1")
	if err := s.Commit(tb.Context(), &b); err != nil {
		tb.Fatal(err)
	}
	wantEntries(tb, s, storage.Range{}, "a=1 b=2")
}
