package file

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/cxsync/cxsync/storage"
)

// tempName returns a name for a new file beside the store.
func (s *Store) tempName() string { return fmt.Sprintf("%s.tmp%08x", s.name, rand.Uint32()) }

// removeTemps removes the files that a crash has left behind. The caller holds the lock, so
// hardly anybody uses them: only a Backup of a store that was closed meanwhile, which has its
// file open and does not miss the name. Other files with a similar name are left alone.
func (s *Store) removeTemps() error {
	files, err := fs.ReadDir(s.folder.FS(), ".")
	if err != nil {
		return err
	}
	prefix := s.name + ".tmp"
	for _, f := range files {
		suffix, ok := strings.CutPrefix(f.Name(), prefix)
		if _, noHex := hex.DecodeString(suffix); ok && len(suffix) == 8 && noHex == nil {
			err = errors.Join(err, s.folder.Remove(f.Name()))
		}
	}
	return err
}

// create makes the file if it does not exist. It appears under its name only
// when it is complete, so that a crash leaves no half of one.
func (s *Store) create() error {
	if info, err := s.folder.Stat(s.name); err == nil && info.Size() > 0 {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := s.tempName()
	db, _, err := s.newDB(s.folder, tmp)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Sync(), db.Close()); err != nil {
		return errors.Join(err, s.folder.Remove(tmp))
	}
	if err := s.folder.Rename(tmp, s.name); err != nil {
		return errors.Join(err, s.folder.Remove(tmp))
	}
	return syncDir(s.folder)
}

// newDB creates an empty store in a new file, not synced to the disk.
func (s *Store) newDB(folder *os.Root, name string) (*bbolt.DB, *os.File, error) {
	db, f, err := openDB(folder, name, true)
	if err != nil {
		_ = folder.Remove(name) // it may have got as far as making one
		return nil, nil, err
	}
	if err := db.Update(s.codec.writeFormat); err != nil {
		return nil, nil, errors.Join(err, db.Close(), folder.Remove(name))
	}
	return db, f, nil
}

// openDB opens a bbolt file in a folder and returns the file under it as well. The options
// are chosen, not left: the hash map finds free pages in constant time where the
// default searches a list; the free list stays on the disk, so that opening
// needs not read every page; no map is reserved ahead, because no reader stays
// in a transaction for long enough to be in the way of growth.
func openDB(folder *os.Root, name string, noSync bool) (db *bbolt.DB, f *os.File, err error) {
	err = guard(func() error {
		var err error
		db, err = bbolt.Open(name, 0o600, &bbolt.Options{
			Timeout:      1, // nanosecond: fail at once
			FreelistType: bbolt.FreelistMapType,
			NoSync:       noSync,
			NoStatistics: true,
			OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
				var err error
				f, err = folder.OpenFile(name, flag, perm)
				return f, err
			},
		})
		return err
	})
	if err != nil && f != nil {
		_ = f.Close() // bbolt has closed it, unless it panicked
	}
	if errors.Is(err, berrors.ErrTimeout) {
		err = &storage.LockedError{Name: filepath.Join(folder.Name(), name)}
	}
	return db, f, err
}
