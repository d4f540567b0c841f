package file_test

import (
	"path/filepath"
	"testing"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// harness keeps the path of each store, to open it again.
func harness(opts *file.Options) storagetest.Harness {
	paths := map[storage.Store]string{}
	open := func(tb testing.TB, path string) storage.Store {
		tb.Helper()
		s, err := file.Open(path, opts)
		if err != nil {
			tb.Fatal(err)
		}
		paths[s] = path
		return s
	}
	return storagetest.Harness{
		Open: func(tb testing.TB) storage.Store {
			tb.Helper()
			return open(tb, filepath.Join(tb.TempDir(), "data", "cxsync.db"))
		},
		Reopen: func(tb testing.TB, s storage.Store) storage.Store {
			tb.Helper()
			return open(tb, paths[s])
		},
	}
}

func TestStore(t *testing.T) {
	storagetest.Run(t, harness(nil))
}

func BenchmarkStore(b *testing.B) {
	storagetest.RunBenchmarks(b, harness(nil))
}
