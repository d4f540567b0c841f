package file

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// users commits n synthetic users from the i-th on and returns them.
func users(t *testing.T, s *Store, i, n int) map[string]string {
	t.Helper()
	m := map[string]string{}
	for j, o := range storagetest.Objects(uint64(i), n) {
		m[fmt.Sprintf("user/%06d", i+j)] = string(o)
	}
	put(t, s, m)
	return m
}

func TestDictionaryIsLearnedAndKept(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := mustOpen(t, path)
	want := users(t, s, 0, 200)
	require.Len(t, s.codec.coder.Load().dicts, 1)
	user := storagetest.Objects(99, 1)[0]
	require.Less(t, len(s.codec.encode("k", user)), len(s.codec.plain.encode("k", user))*3/4, "the dictionary does not pay")
	maps.Copy(want, users(t, s, 1000, 1500))
	require.Len(t, s.codec.coder.Load().dicts, 2)
	for range 2 {
		users(t, s, 5000, 2)
		require.NoError(t, s.Compact(t.Context()))
		require.NoError(t, s.Close())
		s = mustOpen(t, path)
		require.Len(t, s.codec.coder.Load().dicts, 2)
		require.NoError(t, s.Verify(t.Context()))
		got := content(t, s)
		for k, v := range want {
			require.Equal(t, v, got[k])
		}
	}
	large := strings.Repeat(`{"name":"value"},`, 1+storage.MaxValueSize/17)[:storage.MaxValueSize]
	put(t, s, map[string]string{"large": large})
	got, err := s.Get(t.Context(), "large")
	require.NoError(t, err)
	require.True(t, string(got) == large, "the largest value changes with a dictionary")
	var backup bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &backup))
	copied := newPath(t)
	require.NoError(t, os.WriteFile(copied, backup.Bytes(), 0o600))
	require.Equal(t, content(t, s), content(t, mustOpen(t, copied)))
}

// TestDamagedDictionary damages one copy, which does no harm but is reported, and
// then both, which costs the values that need it and no others.
func TestDamagedDictionary(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := mustOpen(t, path)
	put(t, s, map[string]string{"small": "value"})
	users(t, s, 0, 200)
	want := users(t, s, 1000, 1)
	dict := s.codec.coder.Load().dicts[0]
	for replica := range replicas {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		key := string(dictKey(1, replica))
		at := bytes.Index(data, s.codec.plain.encode(key, dict))
		require.Positive(t, at)
		flip(t, s, int64(at+100), 1)
		require.ErrorContains(t, s.Verify(t.Context()), fmt.Sprintf("key %q: corrupt", key))
		require.NoError(t, s.Close())
		s = mustOpen(t, path)
		if replica == 0 {
			require.Equal(t, want["user/001000"], content(t, s)["user/001000"])
		}
	}
	_, err := s.Get(t.Context(), "user/001000")
	requireCorrupt(t, err, "user/001000")
	v, err := s.Get(t.Context(), "small")
	require.NoError(t, err)
	require.Equal(t, "value", string(v))
	put(t, s, map[string]string{"later": string(bytes.Repeat([]byte("later "), 200))})
	_, err = s.Get(t.Context(), "later")
	require.NoError(t, err)
	require.ErrorIs(t, s.Backup(t.Context(), new(bytes.Buffer)), storage.ErrCorrupt)
}
