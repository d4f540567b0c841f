package file_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

var writeGolden = flag.Bool("golden", false, "write the golden file of the current format")

// goldenEntries are what the golden file holds.
func goldenEntries() map[string]string {
	m := map[string]string{
		"empty": "", "text": "value", "é/%2F": `{"id":1}`,
		"bytes": "\x00\xff\x28\xb5\x2f\xfd", "long": strings.Repeat(`{"name":"compressed"},`, 300),
	}
	for i := range 100 {
		m[fmt.Sprintf("many/%03d", i)] = strings.Repeat(strconv.Itoa(i), i)
	}
	for i := range 300 { // enough for a dictionary
		m[fmt.Sprintf("object/%03d", i)] = strings.Repeat(fmt.Sprintf(`{"id":"%d","name":"object"},`, i), 35)
	}
	return m
}

// TestGoldenFiles opens a store that each format of the past has written. A new
// format adds a file and keeps the old ones.
func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"format1.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden := filepath.Join("testdata", name)
			if *writeGolden {
				write(t, golden)
			}
			data, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Contains(t, string(data), "dict/1/0", "values need a dictionary")
			path := filepath.Join(t.TempDir(), "cxsync.db")
			require.NoError(t, os.WriteFile(path, data, 0o600))
			s, err := file.Open(path, nil)
			require.NoError(t, err)
			defer s.Close()
			require.NoError(t, s.Verify(t.Context()))
			require.Equal(t, goldenEntries(), entries(t, s))
			require.NoError(t, s.Compact(t.Context()))
			require.Equal(t, goldenEntries(), entries(t, s))
		})
	}
}

// write makes a golden file, which is a backup of a store.
func write(t *testing.T, golden string) {
	t.Helper()
	s, err := file.Open(filepath.Join(t.TempDir(), "cxsync.db"), nil)
	require.NoError(t, err)
	defer s.Close()
	for range 2 { // the second time with the dictionary
		var b storage.Batch
		for k, v := range goldenEntries() {
			b.Put(k, []byte(v))
		}
		require.NoError(t, s.Commit(t.Context(), &b))
	}
	var buf bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &buf))
	require.NoError(t, os.WriteFile(golden, buf.Bytes(), 0o600))
}

func entries(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	m := map[string]string{}
	for e, err := range s.Scan(t.Context(), storage.Range{}) {
		require.NoError(t, err)
		m[e.Key] = string(e.Value)
	}
	return m
}

// foreign returns the path of a bbolt file of another program.
func foreign(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "foreign.db")
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("theirs"))
		return err
	}))
	require.NoError(t, db.Close())
	return path
}

// newer returns the path of a store of the format after this one.
func newer(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "newer.db")
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("cxsync"))
		if err != nil {
			return err
		}
		return b.Put([]byte("format"), file.EncodeRaw("format", "2"))
	}))
	require.NoError(t, db.Close())
	return path
}
