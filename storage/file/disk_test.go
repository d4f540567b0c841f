//go:build linux

package file

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
)

// A disk fails from one operation on. It stands between bbolt and its file:
// writes go through the function that bbolt keeps for its tests, and syncs fail
// for real, because the descriptor that they use is exchanged for a pipe.
type disk struct {
	t     *testing.T
	real  *os.File // the file, still good
	fd    int      // the descriptor that bbolt uses
	fault fault
	left  int  // writes until the fault
	hit   bool // the fault has shown
}

// A fault is what goes wrong.
type fault struct {
	name   string
	write  error // what a write returns
	short  bool  // a write leaves half of its bytes behind
	sync   bool  // the sync after a write fails, instead of the write
	grow   bool  // the change of size before a commit fails, if there is one
	repeat bool  // all writes after it fail as well
}

var faults = []fault{
	{name: "write error", write: syscall.EIO},
	{name: "short write", write: syscall.EIO, short: true},
	{name: "no space", write: syscall.ENOSPC, short: true, repeat: true},
	{name: "sync error", sync: true},
	{name: "growth error", grow: true},
	{name: "sync error and then no more writes", sync: true, write: syscall.EIO, repeat: true},
}

// newDisk makes the disk under s fail at the n-th write from now, counted from 1.
func newDisk(t *testing.T, s *Store, f fault, n int) *disk {
	t.Helper()
	fd, err := syscall.Dup(int(s.file.Fd()))
	require.NoError(t, err)
	d := &disk{t: t, real: os.NewFile(uintptr(fd), "real"), fd: int(s.file.Fd()), fault: f, left: n}
	hook := reflect.ValueOf(s.db).Elem().FieldByName("ops").FieldByName("writeAt")
	require.True(t, hook.IsValid(), "bbolt has no ops.writeAt any more: find its new hook")
	*(*func([]byte, int64) (int, error))(unsafe.Pointer(hook.UnsafeAddr())) = d.writeAt
	return d
}

func (d *disk) writeAt(b []byte, off int64) (int, error) {
	if d.hit && d.fault.repeat {
		return 0, d.fault.write
	}
	if d.hit && d.fault.grow { // the file did not grow
		d.mend()
	}
	d.left--
	switch {
	case d.left != 0 || d.fault.grow:
	case d.fault.sync:
		n, err := d.real.WriteAt(b, off)
		d.breakSync()
		return n, err
	case d.fault.short:
		d.hit = true
		n, _ := d.real.WriteAt(b[:len(b)/2], off)
		return n, d.fault.write
	default:
		d.hit = true
		return 0, d.fault.write
	}
	return d.real.WriteAt(b, off)
}

// breakSync exchanges the descriptor for a pipe, which cannot be synced.
func (d *disk) breakSync() {
	d.hit = true
	var p [2]int
	require.NoError(d.t, syscall.Pipe2(p[:], syscall.O_CLOEXEC))
	require.NoError(d.t, syscall.Dup3(p[1], d.fd, syscall.O_CLOEXEC))
	require.NoError(d.t, errors.Join(syscall.Close(p[0]), syscall.Close(p[1])))
}

// mend makes the disk good again.
func (d *disk) mend() {
	d.hit = false
	require.NoError(d.t, syscall.Dup3(int(d.real.Fd()), d.fd, syscall.O_CLOEXEC))
}

// TestFailingDisk fails each operation of a workload in turn. After the error
// the store must refuse everything, and after it is opened again hold what was
// acknowledged, and of the commit that failed all or nothing.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := mustOpen(t, newPath(t))
			require.NoError(t, s.Close())
			empty, err := os.ReadFile(s.path)
			require.NoError(t, err)
			failures := 0
			for n := 1; ; n++ {
				hit, failed := failAt(t, empty, f, n)
				if !hit {
					break
				}
				if failed {
					failures++
				}
			}
			t.Logf("%d failures", failures)
			require.Greater(t, failures, map[bool]int{true: 1, false: 15}[f.grow])
		})
	}
}

// workload is how many commits failAt makes.
const workload = 6

// failAt runs the workload on a disk that fails at operation n. It reports
// whether the workload has so many, and whether a commit failed.
func failAt(t *testing.T, empty []byte, f fault, n int) (hit, failed bool) {
	t.Helper()
	path := newPath(t)
	require.NoError(t, os.WriteFile(path, empty, 0o600)) // quicker than a new one
	s := mustOpen(t, path)
	acked, tried := map[string]string{}, map[string]string{}
	d := newDisk(t, s, f, n)
	var failure error
	for i := range workload {
		if f.grow && i == n-1 {
			d.breakSync()
			hit = true
		}
		maps.Copy(acked, tried)
		key := fmt.Sprintf("key/%d", i%5)
		tried = map[string]string{key: fmt.Sprintf("%d %x", i, noise(1500*i)), "last": strconv.Itoa(i)}
		var b storage.Batch
		for k, v := range tried {
			b.Put(k, []byte(v))
		}
		if failure = s.Commit(t.Context(), &b); failure != nil {
			break
		}
	}
	if failure == nil {
		require.False(t, d.hit && !f.grow, "a failure was not reported")
		maps.Copy(acked, tried)
		require.Equal(t, acked, content(t, s))
	} else {
		hit = true
		d.mend() // what would succeed now proves nothing
		refusesEverything(t, s)
	}
	require.NoError(t, s.Close())
	require.NoError(t, d.real.Close())
	s = mustOpen(t, path)
	got := content(t, s)
	if got["last"] != acked["last"] {
		maps.Copy(acked, tried) // all of the commit that failed
	}
	require.Equal(t, acked, got)
	require.NoError(t, s.Verify(t.Context()))
	require.NoError(t, s.Close())
	return hit, failure != nil
}

func refusesEverything(t *testing.T, s *Store) {
	t.Helper()
	_, err := s.Get(t.Context(), "last")
	require.ErrorContains(t, err, "must be opened again")
	var b storage.Batch
	b.Put("later", nil)
	require.ErrorContains(t, s.Commit(t.Context(), &b), "must be opened again")
	for _, err := range s.Scan(t.Context(), storage.Range{}) {
		require.ErrorContains(t, err, "must be opened again")
	}
	require.ErrorContains(t, s.Verify(t.Context()), "must be opened again")
	require.ErrorContains(t, s.Compact(t.Context()), "must be opened again")
}

// TestFailedCopyLeavesNoFiles lets the copies that Compact and Backup make begin in
// a file that cannot be written.
func TestFailedCopyLeavesNoFiles(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newPath(t))
	tmp := s.tempName()
	require.NoError(t, syscall.Mkfifo(filepath.Join(s.folder.Name(), tmp), 0o600))
	require.ErrorIs(t, s.compact(t.Context(), tmp), syscall.ESPIPE)
	_, err := s.folder.Lstat(tmp)
	require.ErrorIs(t, err, os.ErrNotExist)
	put(t, s, map[string]string{"after": "it"})
}

// TestCommitsAfterCompactAreSynced fails a sync of the file that Compact made.
func TestCommitsAfterCompactAreSynced(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newPath(t))
	require.NoError(t, s.Compact(t.Context()))
	d := newDisk(t, s, fault{sync: true}, 1)
	var b storage.Batch
	b.Put("a", nil)
	require.Error(t, s.Commit(t.Context(), &b), "the commit was not synced")
	d.mend()
	require.NoError(t, s.Close())
	require.NoError(t, d.real.Close())
}
