package memory_test

import (
	"testing"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
	"github.com/cxsync/cxsync/storage/storagetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, storagetest.Harness{
		Open: func(testing.TB) storage.Store { return memory.New() },
	})
}

func BenchmarkStore(b *testing.B) {
	storagetest.RunBenchmarks(b, storagetest.Harness{
		Open: func(testing.TB) storage.Store { return memory.New() },
	})
}
