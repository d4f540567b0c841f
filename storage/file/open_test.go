//go:build linux

package file_test

import (
	"bufio"
	"bytes"
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
		{"nothing", "", "the path is empty: name a file"},
		{"a folder", dir, "not a regular file"},
		{"a folder that is not there", filepath.Join(dir, "none") + "/", "not a regular file: name a file"},
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
	require.ErrorContains(t, err, "opening "+link+": it is a link to "+path+", where there is no file: name the file itself, or remove the link")
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

// TestStoreStaysWhereItIs moves what the store's path leads over while the store is
// open: it goes on with its own file. Where that is not at its place any more, it
// acknowledges nothing, and Compact puts none in another's place.
func TestStoreStaysWhereItIs(t *testing.T) {
	// Not parallel: a case changes the working directory.
	for _, c := range []struct {
		name    string
		move    func(t *testing.T, dir string) (now string) // returns where the store is then
		refused string                                      // what Commit and Compact say, if they cannot work
	}{
		{"nothing", func(*testing.T, string) string { return "data/x.db" }, ""},
		{"the working directory", func(t *testing.T, dir string) string {
			t.Helper()
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "elsewhere", "data"), 0o700))
			t.Chdir("elsewhere")
			return "../data/x.db"
		}, ""},
		{"the folder", func(t *testing.T, _ string) string {
			t.Helper()
			require.NoError(t, os.Rename("data", "moved"))
			require.NoError(t, os.Mkdir("data", 0o700))
			return "moved/x.db"
		}, ""},
		{"the folder around it", func(t *testing.T, dir string) string {
			t.Helper()
			require.NoError(t, os.Rename(dir, dir+"-moved"))
			return filepath.Join(dir+"-moved", "data/x.db")
		}, ""},
		{"a link on the way", func(t *testing.T, _ string) string {
			t.Helper()
			require.NoError(t, os.Rename("data", "real"))
			require.NoError(t, os.Mkdir("other", 0o700))
			require.NoError(t, os.Symlink("other", "data"))
			return "real/x.db"
		}, ""},
		{"the file", func(t *testing.T, _ string) string {
			t.Helper()
			require.NoError(t, os.Rename("data/x.db", "data/y.db"))
			return "data/y.db"
		}, "the file was moved, removed or replaced while the store is open"},
		{"another file in its place", func(t *testing.T, _ string) string {
			t.Helper()
			require.NoError(t, os.Rename("data/x.db", "data/y.db"))
			require.NoError(t, os.WriteFile("data/x.db", []byte("mine"), 0o600))
			return "data/y.db"
		}, "the file was moved, removed or replaced while the store is open"},
		{"no file", func(t *testing.T, _ string) string {
			t.Helper()
			require.NoError(t, os.Remove("data/x.db"))
			return ""
		}, "the file was moved, removed or replaced while the store is open"},
		{"no folder", func(t *testing.T, _ string) string {
			t.Helper()
			require.NoError(t, os.RemoveAll("data"))
			return ""
		}, "the file was moved, removed or replaced while the store is open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "work")
			require.NoError(t, os.Mkdir(dir, 0o700))
			t.Chdir(dir)
			s, err := file.Open("data/x.db", nil)
			require.NoError(t, err)
			fill(t, s, "a", 3)
			now := c.move(t, dir)
			backup := func() (copied bytes.Buffer) {
				if err := s.Backup(t.Context(), &copied); c.name != "no folder" { // for the copy that it makes first
					require.NoError(t, err)
				}
				return copied
			}
			for range 2 { // the second replaces a file that Compact made
				err := s.Compact(t.Context())
				if c.refused == "" {
					require.NoError(t, err)
					fill(t, s, "b", 3)
				} else {
					require.ErrorContains(t, err, c.refused)
					var b storage.Batch
					b.Put("b", []byte("x"))
					require.ErrorContains(t, s.Commit(t.Context(), &b), c.refused)
				}
				backup()
			}
			want := entries(t, s)
			switch {
			case c.name == "no folder":
				require.NoError(t, s.Close())
				return
			case now == "":
				now = "restored.db"
				copied := backup()
				require.NoError(t, os.WriteFile(now, copied.Bytes(), 0o600))
			case c.refused == "":
				_, err = file.Open(now, nil)
				require.ErrorIs(t, err, storage.ErrLocked)
			}
			require.NoError(t, s.Close())
			s, err = file.Open(now, nil)
			require.NoError(t, err)
			require.Equal(t, want, entries(t, s), "what was acknowledged is there")
			require.NoError(t, s.Close())
			stray, err := filepath.Glob("data/*.tmp*")
			require.NoError(t, err)
			require.Empty(t, stray)
		})
	}
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
