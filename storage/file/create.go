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
		_ = os.Remove(path) // it may have got as far as making one
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
