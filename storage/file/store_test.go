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
	open := func(t testing.TB, path string) storage.Store {
		t.Helper()
		s, err := file.Open(path, opts)
		if err != nil {
			t.Fatal(err)
		}
		paths[s] = path
		return s
	}
	return storagetest.Harness{
		Open: func(t testing.TB) storage.Store {
			return open(t, filepath.Join(t.TempDir(), "data", "cxsync.db"))
		},
		Reopen: func(t testing.TB, s storage.Store) storage.Store { return open(t, paths[s]) },
	}
}

func TestStore(t *testing.T) {
	storagetest.Run(t, harness(nil))
}

func BenchmarkStore(b *testing.B) {
	storagetest.RunBenchmarks(b, harness(nil))
}
