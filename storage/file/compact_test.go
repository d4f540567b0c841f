package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// fill commits n entries of half a kilobyte that do not compress well.
func fill(t *testing.T, s storage.Store, prefix string, n int) {
	t.Helper()
	var b storage.Batch
	for i := range n {
		b.Put(fmt.Sprintf("%s/%05d", prefix, i), fmt.Appendf(nil, "%0500d", i))
	}
	require.NoError(t, s.Commit(t.Context(), &b))
}

func TestCompactGivesSpaceBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cxsync.db")
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	fill(t, s, "kept", 500)
	fill(t, s, "deleted", 20_000)
	var b storage.Batch
	b.DeleteRange(storage.Prefix("deleted/"))
	require.NoError(t, s.Commit(t.Context(), &b))
	before, want := size(t, path), entries(t, s)

	require.NoError(t, s.Compact(t.Context()))
	require.Less(t, size(t, path), before/5)
	require.Equal(t, want, entries(t, s))
	fill(t, s, "later", 10)
	want = entries(t, s)
	require.NoError(t, s.Verify(t.Context()))
	require.NoError(t, s.Close())
	s, err = file.Open(path, nil)
	require.NoError(t, err)
	require.Equal(t, want, entries(t, s))
	require.NoError(t, s.Close())
}

// TestCompactAndBackupWhileInUse runs both beside commits, with scans open over
// them. Every commit writes the same number under all keys.
func TestCompactAndBackupWhileInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := file.Open(filepath.Join(dir, "cxsync.db"), nil)
	require.NoError(t, err)
	fill(t, s, "bulk", 3000)
	commit := func(n int) error {
		var b storage.Batch
		for i := range 200 {
			b.Put(fmt.Sprintf("n/%03d", i), []byte(strconv.Itoa(n)))
		}
		b.Put(fmt.Sprintf("added/%d", n), nil)
		b.Delete(fmt.Sprintf("bulk/%05d", n))
		return s.Commit(t.Context(), &b)
	}
	require.NoError(t, commit(0))
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer stop()
	last := 0
	writer.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			if err := commit(n); err != nil {
				t.Errorf("commit: %v", err)
				return
			}
			last = n
		}
	})

	seen := 0
	for _, err := range s.Scan(t.Context(), storage.Prefix("bulk/")) {
		require.NoError(t, err)
		if seen++; seen%1000 == 500 {
			require.NoError(t, s.Compact(t.Context()))
			checkBackup(t, s, filepath.Join(dir, fmt.Sprintf("backup%d.db", seen)))
		}
	}
	stop()
	writer.Wait()
	got := entries(t, s)
	require.Equal(t, strconv.Itoa(last), got["n/000"])
	require.NoError(t, s.Verify(t.Context()))
	require.Equal(t, 200+3000, len(got), "each commit adds a key and deletes one")
	require.NoError(t, s.Close())
	files, err := filepath.Glob(filepath.Join(dir, "*.tmp*"))
	require.NoError(t, err)
	require.Empty(t, files)
}

func checkBackup(t *testing.T, s *file.Store, path string) {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &buf))
	require.NoError(t, os.WriteFile(path, buf.Bytes(), 0o600))
	b, err := file.Open(path, nil)
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, b.Verify(t.Context()))
	got := entries(t, b)
	for i := range 200 {
		require.Equal(t, got["n/000"], got[fmt.Sprintf("n/%03d", i)], "the backup holds parts of two commits")
	}
	require.Equal(t, 200+3000, len(got))
}

// reopener opens the store at path anew when the first bytes come.
type reopener struct {
	written bytes.Buffer
	open    func()
}

func (r *reopener) Write(p []byte) (int, error) {
	if r.open != nil {
		r.open()
		r.open = nil
	}
	return r.written.Write(p)
}

// TestBackupOutlivesTheStore: whoever opens the store anew, while a backup of the closed one is still
// written, removes temporary files. The backup has all it needs and does not fail for that.
func TestBackupOutlivesTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "cxsync.db")
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	fill(t, s, "kept", 500)
	want := entries(t, s)
	out := &reopener{open: func() {
		require.NoError(t, s.Close())
		later, err := file.Open(path, nil)
		require.NoError(t, err)
		require.NoError(t, later.Close())
	}}
	require.NoError(t, s.Backup(t.Context(), out))
	copied := filepath.Join(dir, "copy.db")
	require.NoError(t, os.WriteFile(copied, out.written.Bytes(), 0o600))
	s, err = file.Open(copied, nil)
	require.NoError(t, err)
	require.Equal(t, want, entries(t, s))
	require.NoError(t, s.Close())
}

func TestInterruptedCompactAndBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := file.Open(filepath.Join(dir, "cxsync.db"), nil)
	require.NoError(t, err)
	fill(t, s, "a", 100)
	want := entries(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Compact(ctx), context.Canceled)
	require.ErrorIs(t, s.Backup(ctx, new(bytes.Buffer)), context.Canceled)
	require.ErrorIs(t, s.Verify(ctx), context.Canceled)
	require.ErrorIs(t, s.Backup(t.Context(), brokenWriter{}), errBroken)
	require.Equal(t, want, entries(t, s))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Compact(t.Context()), storage.ErrClosed)
	require.ErrorIs(t, s.Backup(t.Context(), new(bytes.Buffer)), storage.ErrClosed)
	require.ErrorIs(t, s.Verify(t.Context()), storage.ErrClosed)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 2, "the store and its lock")
}

var errBroken = errors.New("broken pipe")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// TestScanWhileTheFileGrows commits inside a scan what makes the file grow
// many times over.
func TestScanWhileTheFileGrows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cxsync.db")
	s, err := file.Open(path, &file.Options{NoSync: true})
	require.NoError(t, err)
	defer s.Close()
	fill(t, s, "a", 5000)
	before, n := size(t, path), 0
	large := make([]byte, 1<<18)
	_, _ = rand.NewChaCha8([32]byte{}).Read(large)
	for _, err := range s.Scan(t.Context(), storage.Prefix("a/")) {
		require.NoError(t, err)
		if n++; n%100 == 0 {
			var b storage.Batch
			b.Put(fmt.Sprintf("b/%d", n), append(large, strconv.Itoa(n)...))
			b.DeleteRange(storage.Range{Start: fmt.Sprintf("a/%05d", n), End: fmt.Sprintf("a/%05d", n+50)})
			require.NoError(t, s.Commit(t.Context(), &b))
		}
	}
	require.Equal(t, 5000, n)
	require.Greater(t, size(t, path), 4*before)
}
