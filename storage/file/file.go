// Package file keeps a storage.Store in one file, on bbolt. It needs no care: a commit is on the
// disk when Commit returns, values are compressed and carry a checksum over key and value, a second
// process is told who holds the file, and [Store.Backup], [Store.Compact] and [Store.Verify] run
// while the store is in use.
//
// # Durability
//
// A commit that has returned nil survives the end of the process and a power failure, as far as the
// disk keeps what it has synced. Readers see a commit only when it is that safe. After a failed write
// or sync the store refuses everything until it is opened again, which brings back the last commit
// that is safe: the kernel may have dropped what it could not write, so a second try that succeeds
// proves nothing.
//
// # Files
//
// Beside the file lies one with the suffix ".lock", which names the process that
// holds the store and may stay behind empty, and for a while others with a suffix
// that begins with ".tmp". All are readable by their owner only. The file only
// shrinks by Compact. It is a bbolt file: to copy it, close the store or use
// Backup. The folder may be moved while the store is open. Where the file is moved out of
// it, removed or replaced, reads and Backup go on with the file that is open. Commits are
// refused, because the next Open would not find them, and so is Compact, until the file is
// back.
//
// # Deleted values
//
// What was deleted or overwritten stays in the file, where nothing reads it: in
// pages that are free, and pieces of some values in the dictionaries that others
// are compressed with. Compact writes a new file with new dictionaries, which holds
// nothing of what was deleted before Compact began, and so does Backup. Of the old
// file the disk keeps what it keeps of every file that is removed.
//
// # Memory
//
// Until a commit is safe the store holds in memory what it changes, deleted
// values included, so delete much in steps. A scan holds a chunk, and of what it
// has still to read the values that commits change meanwhile.
//
// # Design
//
// bbolt gives atomic transactions and a B+tree; what this package adds is around it:
//
//   - codec.go and dict.go: what the file holds for a value, its checksum and its compression,
//   - commit.go, scan.go and cursor.go: readers never wait for the disk, and a scan is a snapshot
//     that holds no transaction open,
//   - create.go, folder.go, lock.go and guard.go: the file itself, and what a damaged one does,
//   - pages.go and tree.go: the check of the pages of bbolt before bbolt relies on them,
//   - compact.go: a new file in the place of the old one, while the store is in use.
package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

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
// [storage.Compacter], a [storage.Verifier] and [storage.Exclusive] too.
type Store struct {
	path    string   // absolute, for messages
	folder  *os.Root // the one that the file is in, wherever it is moved
	name    string   // of the file in it
	opts    Options
	opening string // names this opening of the store, in leases; see storage.Exclusive
	lock    *lock
	codec   *codec
	ended   atomic.Pointer[error] // why the store does nothing any more: closed, or failed

	learner    learner       // of dictionaries
	writer     chan struct{} // holds a token while one goroutine may write
	compacting chan struct{} // holds a token while one goroutine compacts

	// mu orders readers with the moments in which a commit begins and ends to
	// show. It is held shared while reading, never while the caller's code runs
	// and never while a commit writes.
	mu    sync.RWMutex
	db    *bbolt.DB
	file  *os.File    // the file under db
	info  os.FileInfo // says which file that is
	stuck bool        // a write transaction broke off and cannot be ended
	undo  undo        // of the commit that is being written, else nil
	scans map[*scan]struct{}
}

var _ interface {
	storage.Store
	storage.Backuper
	storage.Compacter
	storage.Verifier
	storage.Exclusive
} = (*Store)(nil)

// Open opens the store in the file path, which it creates if it does not exist, and the folder around
// it. A relative path is relative to the working directory of now; the store stays where it is when
// that changes. Open fails at once with a [storage.LockedError] if the file is open already, in this
// process or another, and with storage.ErrCorrupt if it is damaged where it could mislead bbolt. It
// reads few pages, so it takes no longer for a large file.
func Open(path string, opts *Options) (*Store, error) {
	s := &Store{path: path, opening: storage.NewHolder(), writer: make(chan struct{}, 1), compacting: make(chan struct{}, 1), scans: map[*scan]struct{}{}}
	if opts != nil {
		s.opts = *opts
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("storage/file: opening %s: %w", path, err)
	}
	return s, nil
}

// Opening implements [storage.Exclusive].
func (s *Store) Opening() string { return s.opening }

// open acquires what the store needs, in an order in which each step relies on the one before: the
// lock before the file is touched. On an error it gives all up again.
func (s *Store) open() (err error) {
	if s.codec, err = newCodec(); err != nil {
		return err
	}
	if err := s.find(); err != nil {
		return err
	}
	if s.lock, err = s.acquire(); err != nil {
		return errors.Join(err, s.folder.Close())
	}
	if err := s.load(); err != nil {
		return errors.Join(err, s.release())
	}
	return nil
}

// load opens the file under the lock, after checking the pages that bbolt would trust.
func (s *Store) load() error {
	if err := s.removeTemps(); err != nil {
		return err
	}
	if err := s.create(); err != nil {
		return err
	}
	if err := checkFile(s.folder, s.name); err != nil {
		return err
	}
	var err error
	if s.db, s.file, err = openDB(s.folder, s.name, s.opts.NoSync); err != nil {
		return err
	}
	if s.info, err = s.file.Stat(); err != nil {
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

// Close implements storage.Store. It waits for a commit that is under way; reads, scans and a Compact
// that go on fail with storage.ErrClosed. A store that has failed can be closed too.
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

// release gives up all that open has acquired, the lock last but one, so that nobody else opens a
// file that is still in use.
func (s *Store) release() error {
	var err error
	switch {
	case s.db == nil:
	case s.stuck:
		err = s.file.Close() // db.Close would wait for the transaction for ever
	default:
		err = guard(s.db.Close)
	}
	return errors.Join(err, s.lock.release(), s.folder.Close())
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
	failed := fmt.Errorf("storage/file: %s %w: %w", s.path, storage.ErrFailed, err)
	s.ended.CompareAndSwap(nil, &failed)
	return failed
}
