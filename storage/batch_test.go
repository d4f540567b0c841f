package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/storage"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	var b storage.Batch
	require.NoError(t, b.Check())
	value := []byte("one")
	b.Put("a", value)
	value[0] = 'X' // the Batch has a copy
	b.Require("b", []byte("two"))
	b.Delete("c")
	b.RequireAbsent("d")
	b.DeleteRange(storage.Prefix("e"))
	require.Equal(t, 5, b.Len())
	require.Equal(t, len("aone"+"btwo"+"c"+"d"+"ef"), b.Size())
	require.Equal(t, []storage.Requirement{{Key: "b", Value: []byte("two")}, {Key: "d", Absent: true}}, slices.Collect(b.Requirements()))
	require.Equal(t, []storage.Op{
		{Kind: storage.OpPut, Key: "a", Value: []byte("one")},
		{Kind: storage.OpDelete, Key: "c"},
		{Kind: storage.OpDeleteRange, Range: storage.Range{Start: "e", End: "f"}},
	}, slices.Collect(b.Ops()))
	require.NoError(t, b.Check())
	b.Reset()
	require.Zero(t, b.Len())
	require.Zero(t, b.Size())
}

func TestBatchCheck(t *testing.T) {
	t.Parallel()
	large := make([]byte, storage.MaxValueSize)
	for _, c := range []struct {
		fill func(b *storage.Batch)
		want string
	}{
		{func(b *storage.Batch) { b.Put("", nil) }, `key "": invalid: key is empty`},
		{func(b *storage.Batch) { b.Delete("a\x00") }, "key has a NUL byte"},
		{func(b *storage.Batch) { b.Require("\xff", nil) }, "key is not UTF-8"},
		{func(b *storage.Batch) { b.RequireAbsent(strings.Repeat("k", 1025)) }, "key of 1025 bytes, more than 1024"},
		{func(b *storage.Batch) { b.Put("a", append(large, 0)) }, `key "a": invalid: value of 33554433 bytes, more than 33554432`},
		{func(b *storage.Batch) { b.Put("a", large); b.Put("b", large) }, "invalid: batch of 67108866 bytes, more than 67108864"},
		{func(b *storage.Batch) { b.Put(strings.Repeat("k", 1024), large) }, ""},
	} {
		var b storage.Batch
		c.fill(&b)
		if err := b.Check(); c.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, storage.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		}
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for p, end := range map[string]string{
		"a": "b", "a/": "a0", "az": "a{", "": "", "é": "ê", "\x7f": "\u0080", "\u07ff": "\u0800", "\ud7ff": "\ue000",
		"a\U0010ffff": "b", "\U0010ffff": "", "\U0010ffff\U0010ffff": "", "\ufffd": "\ufffe",
	} {
		require.Equal(t, storage.Range{Start: p, End: end}, storage.Prefix(p), "%q", p)
	}
}

func FuzzPrefix(f *testing.F) {
	f.Add("a", "ab")
	f.Add("\U0010ffff", "\U0010ffffz")
	f.Fuzz(func(t *testing.T, p, key string) {
		defer bounded.Start(t)()
		if storage.CheckKey(key) != nil || p != "" && storage.CheckKey(p) != nil {
			t.Skip("not keys of a store")
		}
		require.Equal(t, strings.HasPrefix(key, p), storage.Prefix(p).Contains(key))
	})
}

func FuzzKey(f *testing.F) {
	f.Add("a", "b", "c/d")
	f.Add("", "%", "%2F")
	f.Add("\x00", "\xff\xfe", "é\xc3")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		defer bounded.Start(t)()
		for _, parts := range [][]string{{a}, {a, b}, {a, b, c}, {a + "/" + b, c}} {
			key := storage.Key(parts...)
			if len(key) <= storage.MaxKeySize {
				require.NoError(t, storage.CheckKey(key))
			}
			got, err := storage.SplitKey(key)
			require.NoError(t, err)
			require.Equal(t, parts, got)
		}
		// What Key has not made is refused, what it has made comes back.
		if parts, err := storage.SplitKey(a); err == nil {
			require.Equal(t, a, storage.Key(parts...))
		}
	})
}

func TestSplitKeyRefuses(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "/", "a/", "%2", "%zz", "%41", "%2f", "a%", "a\x00", "\xff"} {
		_, err := storage.SplitKey(key)
		require.ErrorContains(t, err, fmt.Sprintf("%q is no key", key))
	}
}

func ExampleKey() {
	key := storage.Key("flow", "a/b", "", "50%")
	fmt.Println(key)
	parts, err := storage.SplitKey(key)
	fmt.Printf("%q %v\n", parts, err)
	// Output:
	// flow/a%2Fb/%/50%25
	// ["flow" "a/b" "" "50%"] <nil>
}
