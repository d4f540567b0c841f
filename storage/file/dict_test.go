package file

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

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

func dicts(s *Store) int { return len(s.codec.coder.Load().dicts) }

func TestDictionaryIsLearnedAndKept(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := mustOpen(t, path)
	want := users(t, s, 0, 200)
	require.Equal(t, 1, dicts(s))
	user := storagetest.Objects(99, 1)[0]
	require.Less(t, len(s.codec.encode("k", user)), len(s.codec.plain.encode("k", user))*3/4, "the dictionary does not pay")
	maps.Copy(want, users(t, s, 1000, 100))
	for range 5 {
		put(t, s, want)
	}
	require.Equal(t, 2, dicts(s))
	for range 2 {
		users(t, s, 5000, 2)
		require.NoError(t, s.Compact(t.Context()))
		require.NoError(t, s.Close())
		s = mustOpen(t, path)
		require.Equal(t, 1, dicts(s), "one of all that is there")
		require.Less(t, len(s.codec.encode("k", user)), len(s.codec.plain.encode("k", user))*3/4, "the new dictionary does not pay")
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

// TestCompactLeavesNothingOfWhatWasDeleted looks for deleted values in all that
// a file holds after Compact, and in a backup: in the file as it is, where small
// values stand in pages that are free, and in its dictionaries.
func TestCompactLeavesNothingOfWhatWasDeleted(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := mustOpen(t, path)
	users(t, s, 0, 100)
	small := map[string]string{}
	for i := range 1500 {
		small[fmt.Sprintf("small/%06d", i)] = fmt.Sprintf("mail of %d", i)
	}
	put(t, s, small)
	require.Equal(t, 1, dicts(s))
	require.Positive(t, remains(t, path), "nothing to look for")

	var b storage.Batch
	b.DeleteRange(storage.Prefix("user/"))
	b.DeleteRange(storage.Prefix("small/"))
	require.NoError(t, s.Commit(t.Context(), &b))
	others := func(name string) { // enough for a dictionary
		m := map[string]string{}
		for i := range 100 {
			m[fmt.Sprintf("%s/%d", name, i)] = strings.Repeat(fmt.Sprintf(`{"id":"%d","name":"%s"},`, i, name), 120)
		}
		put(t, s, m)
	}
	others("queue")
	require.Positive(t, remains(t, path), "Compact is not needed")
	var backup bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &backup))
	copied := newPath(t)
	require.NoError(t, os.WriteFile(copied, backup.Bytes(), 0o600))
	require.Zero(t, remains(t, copied))

	require.NoError(t, s.Compact(t.Context()))
	require.Zero(t, remains(t, path))
	b.Reset()
	b.DeleteRange(storage.Prefix("queue/"))
	require.NoError(t, s.Commit(t.Context(), &b))
	users(t, s, 0, 10) // less than a dictionary takes, but samples for the next one
	b.Reset()
	b.DeleteRange(storage.Prefix("user/"))
	require.NoError(t, s.Commit(t.Context(), &b))
	require.NoError(t, s.Compact(t.Context()))
	require.Zero(t, dicts(s))
	others("flow")
	require.Equal(t, 1, dicts(s))
	require.Zero(t, remains(t, path))
}

// remains counts the addresses of users, and small values, that a file holds.
func remains(t *testing.T, path string) (n int) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	n = bytes.Count(data, []byte("mail of ")) // also of pages that are free
	other := newPath(t)
	require.NoError(t, os.WriteFile(other, data, 0o600))
	s := mustOpen(t, other)
	for _, dict := range s.codec.coder.Load().dicts {
		n += bytes.Count(dict, []byte("@example.com"))
	}
	require.NoError(t, s.Close())
	return n
}

// TestCompactReplacesDictionariesInUse replaces them while a scan has still to
// read values that needed the old ones and were changed, and while a commit waits
// that compressed its values with them.
func TestCompactReplacesDictionariesInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		s, err := Open(path, &Options{NoSync: true})
		require.NoError(t, err)
		want := users(t, s, 0, 100)
		maps.Copy(want, users(t, s, 1000, 150)) // with the dictionary
		got := map[string]string{}
		for e, err := range s.Scan(t.Context(), storage.Range{}) {
			require.NoError(t, err)
			got[e.Key] = string(e.Value)
			switch len(got) {
			case 10, 210:
				users(t, s, 1050, 100) // others, under keys that are still to be read
				require.NoError(t, s.Compact(t.Context()))
			case 110:
				var b storage.Batch
				b.DeleteRange(storage.Prefix("user/"))
				require.NoError(t, s.Commit(t.Context(), &b))
				require.NoError(t, s.Compact(t.Context()))
			}
		}
		require.True(t, maps.Equal(want, got), "a scan sees another state than that of its beginning")

		maps.Copy(want, users(t, s, 0, 100))
		s.writer <- struct{}{} // somebody else writes
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if err := s.Compact(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // Compact has copied all, and is the next to write
		before := s.codec.coder.Load()
		late := string(storagetest.Objects(7, 1)[0])
		waiting.Go(func() { put(t, s, map[string]string{"late": late}) })
		synctest.Wait()
		<-s.writer
		waiting.Wait()
		require.True(t, before != s.codec.coder.Load(), "Compact came later")
		value, err := s.Get(t.Context(), "late")
		require.NoError(t, err)
		require.Equal(t, late, string(value))
		require.NoError(t, s.Close())
	})
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
