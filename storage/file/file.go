// Package file keeps a [storage.Store] in one file, on bbolt. It needs no care:
// a commit is on the disk when Commit returns, values are compressed and carry
// a checksum over key and value, a second process is told who holds the file,
// and [Store.Backup], [Store.Compact] and [Store.Verify] run while the store is
// in use.
//
// # Durability
//
// A commit that has returned nil survives the end of the process and a power
// failure, as far as the disk keeps what it has synced. Readers see a commit only
// when it is that safe. After a failed write or sync the store refuses
// everything until it is opened again, which brings back the last commit that is
// safe: the kernel may have dropped what it could not write, so a second try
// that succeeds proves nothing.
//
// # Files
//
// Beside the file lies one with the suffix ".lock", which names the process that
// holds the store and may stay behind empty, and for a while others with a suffix
// that begins with ".tmp". All are readable by their owner only. The file only
// shrinks by Compact. It is a bbolt file: to copy it, close the store or use
// Backup.
package file

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/cxsync/cxsync/storage"
)

// Options are the options of [Open].
type Options struct {
	// NoSync leaves it to the operating system when commits reach the disk.
	// They still survive the end of the process, but a power failure may
	// destroy the file. It suits tests. Defaults to false.
	NoSync bool
}

// A Store is a storage.Store in one file. It is a [storage.Backuper], a
// [storage.Compacter] and a [storage.Verifier] too.
type Store struct {
	path  string
	opts  Options
	lock  *lock
	codec *codec
	ended atomic.Pointer[error] // why the store does nothing any more

	learner    learner       // of dictionaries
	writer     chan struct{} // holds a token while one goroutine may write
	compacting chan struct{} // holds a token while one goroutine compacts

	// mu orders readers with the moments in which a commit begins and ends to
	// show. It is held shared while reading, never while the caller's code runs
	// and never while a commit writes.
	mu    sync.RWMutex
	db    *bbolt.DB
	file  *os.File // the file under db
	stuck bool     // a write transaction broke off and cannot be ended
	undo  undo     // of the commit that is being written, else nil
	scans map[*scan]struct{}
}

var _ interface {
	storage.Store
	storage.Backuper
	storage.Compacter
	storage.Verifier
} = (*Store)(nil)

// Open opens the store in the file path, which it creates if it does not exist,
// and the folder around it. It fails at once with a [storage.LockedError] if the
// file is open already, in this process or another.
func Open(path string, opts *Options) (*Store, error) {
	s := &Store{path: path, writer: make(chan struct{}, 1), compacting: make(chan struct{}, 1), scans: map[*scan]struct{}{}}
	if opts != nil {
		s.opts = *opts
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("storage/file: opening %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	if info, err := os.Stat(s.path); err == nil && !info.Mode().IsRegular() {
		return errors.New("not a regular file: name a file, which is created if it does not exist")
	}
	if s.codec, err = newCodec(); err != nil {
		return err
	}
	if s.lock, err = acquire(s.path); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return errors.Join(err, s.release())
	}
	return nil
}

// load opens the file under the lock.
func (s *Store) load() error {
	if err := removeTemps(s.path); err != nil {
		return err
	}
	if err := s.create(); err != nil {
		return err
	}
	if err := checkFile(s.path); err != nil {
		return err
	}
	var err error
	if s.db, s.file, err = openDB(s.path, s.opts.NoSync); err != nil {
		return err
	}
	return guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			if err := s.codec.checkFormat(tx); err != nil {
				return err
			}
			return s.codec.loadDicts(tx)
		})
	})
}

// tempName returns a name for a new file beside the store.
func tempName(path string) string { return fmt.Sprintf("%s.tmp%08x", path, rand.Uint32()) }

// removeTemps removes the files that a crash has left behind.
func removeTemps(path string) error {
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	prefix := filepath.Base(path) + ".tmp"
	for _, f := range files {
		suffix, ok := strings.CutPrefix(f.Name(), prefix)
		if _, noHex := hex.DecodeString(suffix); ok && len(suffix) == 8 && noHex == nil {
			err = errors.Join(err, os.Remove(path+".tmp"+suffix))
		}
	}
	return err
}

// create makes the file if it does not exist. It appears under its name only
// when it is complete, so that a crash leaves no half of one.
func (s *Store) create() error {
	if info, err := os.Stat(s.path); err == nil && info.Size() > 0 {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := tempName(s.path)
	db, _, err := s.newDB(tmp)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Sync(), db.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, s.path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(s.path))
}

// newDB creates an empty store in a new file, not synced to the disk.
func (s *Store) newDB(path string) (*bbolt.DB, *os.File, error) {
	db, f, err := openDB(path, true)
	if err != nil {
		return nil, nil, err
	}
	if err := db.Update(s.codec.writeFormat); err != nil {
		return nil, nil, errors.Join(err, db.Close(), os.Remove(path))
	}
	return db, f, nil
}

// openDB opens a bbolt file and returns the file under it as well. The options
// are chosen, not left: the hash map finds free pages in constant time where the
// default searches a list; the free list stays on the disk, so that opening
// needs not read every page; no map is reserved ahead, because no reader stays
// in a transaction for long enough to be in the way of growth.
func openDB(path string, noSync bool) (db *bbolt.DB, f *os.File, err error) {
	err = guard(func() error {
		var err error
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      1, // nanosecond: fail at once
			FreelistType: bbolt.FreelistMapType,
			NoSync:       noSync,
			NoStatistics: true,
			OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
				var err error
				f, err = os.OpenFile(name, flag, perm)
				return f, err
			},
		})
		return err
	})
	if err != nil && f != nil {
		_ = f.Close() // bbolt has closed it, unless it panicked
	}
	if errors.Is(err, berrors.ErrTimeout) {
		err = &storage.LockedError{Name: path}
	}
	return db, f, err
}

// Close implements storage.Store.
func (s *Store) Close() error {
	if !s.end() {
		return nil
	}
	s.compacting <- struct{}{} // Compact gives up now, and then nobody is left
	defer func() { <-s.compacting }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.release(); err != nil {
		return fmt.Errorf("storage/file: closing %s: %w", s.path, err)
	}
	return nil
}

// end lets a commit that is underway finish, and all that comes after it fail.
// It reports whether the store was not closed yet.
func (s *Store) end() bool {
	s.writer <- struct{}{}
	defer func() { <-s.writer }()
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.ended.Swap(&errClosed)
	return old != &errClosed
}

var errClosed error = storage.ErrClosed

// release gives up all that open has acquired.
func (s *Store) release() error {
	var err error
	switch {
	case s.db == nil:
	case s.stuck:
		err = s.file.Close() // db.Close would wait for the transaction for ever
	default:
		err = guard(s.db.Close)
	}
	return errors.Join(err, s.lock.release())
}

// ready returns why the store does nothing, if so.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.ended.Load(); err != nil {
		return *err
	}
	return nil
}

// fail ends the store because of err: what is on the disk is uncertain.
func (s *Store) fail(err error) error {
	failed := fmt.Errorf("storage/file: %s failed and must be opened again: %w", s.path, err)
	s.ended.CompareAndSwap(nil, &failed)
	return failed
}
