//go:build linux

package file_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

func TestSecondProcessIsToldWhoHoldsTheStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cxsync.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path, childTask+"=hold")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.True(t, bufio.NewScanner(out).Scan())

	host, err := os.Hostname()
	require.NoError(t, err)
	_, err = file.Open(path, nil)
	require.ErrorIs(t, err, storage.ErrLocked)
	var locked *storage.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, storage.LockedError{Name: path, Holder: fmt.Sprintf("process %d on %s", cmd.Process.Pid, host)}, *locked)

	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	_, err = file.Open(path, nil)
	require.ErrorContains(t, err, fmt.Sprintf("process %d on %s", os.Getpid(), host))
	require.NoError(t, s.Close())
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	path := filepath.Join(dir, "sound.db")
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	sound, err := os.ReadFile(path)
	require.NoError(t, err)

	for _, c := range []struct{ name, path, want string }{
		{"a folder", dir, "not a regular file"},
		{"a file as folder", filepath.Join(write("file", "x"), "cxsync.db"), "not a directory"},
		{"another file", write("text", "some text\n"), "not a store"},
		{"zeros", write("zeros", string(make([]byte, 1<<15))), "not a store"},
		{"half a file", write("half", string(sound[:len(sound)/4])), "cut short"},
		{"a bbolt file", foreign(t, dir), "not a store of cxsync"},
		{"a newer format", newer(t, dir), "store has format 2, newer than 1, the newest known here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := file.Open(c.path, nil)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "storage/file: opening "+c.path)
			_, err = file.Open(c.path, nil)
			require.NotErrorIs(t, err, storage.ErrLocked, "a failed Open keeps the lock")
		})
	}
}

// TestOpenThroughLink opens a store by two names: it is one store, also when Compact
// has replaced its file.
func TestOpenThroughLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link, path := filepath.Join(dir, "link.db"), filepath.Join(dir, "data", "cxsync.db")
	require.NoError(t, os.Symlink(path, link))
	_, err := file.Open(link, nil)
	require.ErrorIs(t, err, os.ErrNotExist, "the link leads nowhere")
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s, err = file.Open(link, nil)
	require.NoError(t, err)
	require.NoError(t, s.Compact(t.Context()))
	_, err = file.Open(path, nil)
	require.ErrorContains(t, err, fmt.Sprintf("is locked by process %d", os.Getpid()))
	fill(t, s, "a", 3)
	want := entries(t, s)
	require.NoError(t, s.Close())
	s, err = file.Open(path, nil)
	require.NoError(t, err)
	require.Equal(t, want, entries(t, s))
	require.NoError(t, s.Close())
}

func TestOpenInReadOnlyFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	errs := make(chan error)
	go func() { // on a thread of its own, which ends with it
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			_ = syscall.Setfsuid(65534) // root may write everywhere
		}
		_, err := file.Open(filepath.Join(dir, "cxsync.db"), nil)
		errs <- err
	}()
	require.ErrorIs(t, <-errs, os.ErrPermission)
}

func TestOnlyTheOwnerCanRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "cxsync.db")
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	defer s.Close()
	for range 2 {
		for name, mode := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, path: 0o600, path + ".lock": 0o600} {
			info, err := os.Stat(name)
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode(), name)
		}
		require.NoError(t, s.Compact(t.Context()))
	}
}

func TestCrashLeavesNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "cxsync.db")
	for _, name := range []string{".tmp01234567", ".tmp", ".tmp-of-mine", ".backup"} {
		require.NoError(t, os.WriteFile(path+name, nil, 0o600))
	}
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = os.Stat(path + ".tmp01234567")
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, name := range []string{".tmp", ".tmp-of-mine", ".backup"} {
		_, err = os.Stat(path + name)
		require.NoError(t, err, "not a file of the store")
	}
}

func TestNoGoroutines(t *testing.T) { // not parallel: it counts them
	before := runtime.NumGoroutine()
	s, err := file.Open(filepath.Join(t.TempDir(), "cxsync.db"), nil)
	require.NoError(t, err)
	var b storage.Batch
	b.Put("a", make([]byte, 100_000))
	require.NoError(t, s.Commit(t.Context(), &b))
	_, err = s.Get(t.Context(), "a")
	require.NoError(t, errors.Join(err, s.Compact(t.Context())))
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
	require.NoError(t, s.Close())
}
