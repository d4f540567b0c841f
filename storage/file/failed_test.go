//go:build linux

package file

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
)

// A program can tell that the store heals by nothing but opening it again.
func TestFullDiskIsErrFailed(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newPath(t))
	d := newDisk(t, s, fault{write: syscall.ENOSPC}, 1)
	var b storage.Batch
	b.Put("a", nil)
	err := s.Commit(t.Context(), &b)
	require.ErrorIs(t, err, storage.ErrFailed)
	require.ErrorIs(t, err, syscall.ENOSPC)
	d.mend()
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, storage.ErrFailed)
	require.ErrorIs(t, err, syscall.ENOSPC, "the reason stays")
	require.NoError(t, s.Close())
	require.NoError(t, d.real.Close())
	_, err = mustOpen(t, s.path).Get(t.Context(), "a")
	require.NotErrorIs(t, err, storage.ErrFailed)
}
