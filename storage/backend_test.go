package storage_test

import (
	"testing"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// The backend that the manual shows is one.
func TestBackendOfTheManual(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, storagetest.Harness{
		Open: func(testing.TB) storage.Store { return newMapStore() },
	})
}
