package file

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A lock holds a store against other processes, and other Stores of this one.
// The lock on the file of bbolt would not do: Compact replaces that file.
type lock struct{ f *os.File }

// errHeld is what tryLock returns if the lock is not free.
var errHeld = errors.New("held")

// acquire takes the lock, or returns a storage.LockedError that says who holds it.
func (s *Store) acquire() (*lock, error) {
	name := s.name + ".lock"
	f, err := s.folder.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); errors.Is(err, errHeld) {
		holder := readHolder(s.folder, name)
		return nil, errors.Join(&storage.LockedError{Name: s.path, Holder: holder}, f.Close())
	} else if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := &lock{f}
	if err := l.sign(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// sign writes who holds the lock.
func (l *lock) sign() error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	text := fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host)
	_, err = l.f.WriteAt(text, 0)
	return errors.Join(err, l.f.Truncate(int64(len(text))))
}

// readHolder returns who holds a lock. The holder signs just after it has
// acquired the lock, so an empty file is read again for a moment.
func readHolder(folder *os.Root, name string) string {
	for range 50 {
		if data, err := folder.ReadFile(name); err == nil && strings.HasSuffix(string(data), "\n") {
			return strings.TrimSpace(string(data))
		}
		<-time.After(time.Millisecond)
	}
	return ""
}

// release unsigns and frees the lock, explicitly: a process that is just being
// started elsewhere may have inherited the file for a moment. The file stays: to
// remove it would let two processes hold locks on two files of that name.
func (l *lock) release() error {
	return errors.Join(l.f.Truncate(0), unlock(l.f), l.f.Close())
}
