package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// A bbolt file never shrinks, and holds what was deleted in free pages. So Compact and
// Backup write a copy: all values, decoded and compressed anew with dictionaries that
// are made of what is there now. The source is a scan, which is a snapshot and lets
// commits go on. For Compact the scan also keeps which keys commits change meanwhile;
// when the copy is complete, commits wait while just these are copied again, and the new
// file takes the place of the old one.
//
// The invariant: the name of the store always leads to a complete file. A crash at any
// moment leaves the old file or the new one, and perhaps a temporary one, which the next
// Open removes.

// copyTx is how many bytes go into one transaction of a copy.
const copyTx = 8 << 20

// copyStep is what a copy grows by. The engine's own step of 16 MiB, which saves
// a store that grows many small steps, would leave that much empty at the end.
const copyStep = 64 << 10

// Compact implements storage.Compacter. It copies the store into a new file
// beside the old one, needs that much space for a while, and lets commits wait
// only while it copies what they have changed meanwhile. Values are compressed
// anew, so that the file holds nothing of those that were deleted before. A value
// that is corrupt ends it with ErrCorrupt.
func (s *Store) Compact(ctx context.Context) error {
	if err := s.compact(ctx, s.tempName()); err != nil {
		return fmt.Errorf("storage/file: compacting %s: %w", s.path, err)
	}
	return nil
}

// compact is Compact by way of a file with the name tmp.
func (s *Store) compact(ctx context.Context, tmp string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	select {
	case s.compacting <- struct{}{}: // one at a time
		defer func() { <-s.compacting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.inPlace(); err != nil {
		return err
	}
	sc := s.openScan(storage.Range{}, true)
	defer s.closeScan(sc)
	db, f, err := s.newDB(s.folder, tmp)
	if err != nil {
		return err
	}
	step := db.AllocSize
	db.AllocSize = copyStep
	coder, unlock, err := s.copyAll(ctx, db, sc)
	if err != nil {
		return errors.Join(err, db.Close(), s.folder.Remove(tmp))
	}
	defer unlock()
	db.AllocSize = step
	return s.replace(db, f, tmp, coder)
}

// copyAll copies everything into db, whose coder it returns, while nobody else
// can write.
func (s *Store) copyAll(ctx context.Context, db *bbolt.DB, sc *scan) (coder *coder, unlock func(), err error) {
	if coder, err = s.copySnapshot(ctx, db, sc); err != nil {
		return nil, nil, err
	}
	if err := db.Sync(); err != nil { // most of the work, while commits go on
		return nil, nil, err
	}
	if unlock, err = s.lockWriter(ctx); err != nil {
		return nil, nil, err
	}
	if err = s.copyChanged(db, sc, coder); err == nil {
		err = db.Sync()
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return coder, unlock, nil
}

// copySnapshot copies the snapshot of sc into db, whose coder it returns.
func (s *Store) copySnapshot(ctx context.Context, db *bbolt.DB, sc *scan) (*coder, error) {
	coder, err := s.relearn(ctx, db)
	if err != nil {
		return nil, err
	}
	var batch []entry
	size := 0
	for e, err := range s.rawEntries(ctx, sc) {
		if err == nil {
			e, err = e.recode(coder)
		}
		if err != nil {
			return nil, err
		}
		batch = append(batch, e)
		if size += len(e.raw); size >= copyTx {
			if err := putAll(db, batch); err != nil {
				return nil, err
			}
			batch, size = batch[:0], 0
		}
	}
	return coder, putAll(db, batch)
}

// recode returns e as the file of another coder holds it.
func (e entry) recode(to *coder) (entry, error) {
	value, err := e.coder.decode(e.key, e.raw)
	if err != nil {
		return entry{}, err
	}
	return entry{e.key, to.encode(e.key, value), to}, nil
}

// copyChanged copies what commits have changed since the snapshot of sc.
func (s *Store) copyChanged(db *bbolt.DB, sc *scan, to *coder) error {
	return guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			from := tx.Bucket(dataBucket)
			var batch []entry
			for _, key := range sc.old.Keys() {
				e := entry{key, from.Get([]byte(key)), s.codec.coder.Load()}
				if e.raw != nil {
					var err error
					if e, err = e.recode(to); err != nil {
						return err
					}
				}
				batch = append(batch, e)
			}
			return putAll(db, batch)
		})
	})
}

// putAll stores entries as they are; those without a value it deletes. Keys come
// in order, so pages are filled to the brim.
func putAll(db *bbolt.DB, entries []entry) error {
	return db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(dataBucket)
		bucket.FillPercent = 1
		for _, e := range entries {
			var err error
			if e.raw == nil {
				err = bucket.Delete([]byte(e.key))
			} else {
				err = bucket.Put([]byte(e.key), e.raw)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// replace puts db, complete and synced, in the place of the current file. Open
// scans do not notice: they know what they have still to read by its keys. The
// learner may have samples of deleted values, so it begins anew.
func (s *Store) replace(db *bbolt.DB, f *os.File, tmp string, coder *coder) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := f.Stat()
	if err == nil {
		err = s.inPlace() // again: copying took a while
	}
	if err == nil {
		err = s.folder.Rename(tmp, s.name)
	}
	if err != nil {
		return errors.Join(err, db.Close(), s.folder.Remove(tmp))
	}
	db.NoSync = s.opts.NoSync
	old := s.db
	s.db, s.file, s.info, s.learner = db, f, info, learner{}
	s.codec.coder.Store(coder)
	if err := syncDir(s.folder); err != nil {
		return s.fail(errors.Join(err, guard(old.Close)))
	}
	return guard(old.Close)
}

// Backup implements storage.Backuper. It writes a file that Open opens, and that
// holds nothing of deleted values either. It first makes the copy beside the store,
// and needs that much space for a while, so that a slow w keeps nobody waiting. A
// value that is corrupt ends it with ErrCorrupt.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	if err := s.backup(ctx, w); err != nil {
		return fmt.Errorf("storage/file: backing up %s: %w", s.path, err)
	}
	return nil
}

// backup removes its copy in any case, also when the store is closed meanwhile.
func (s *Store) backup(ctx context.Context, w io.Writer) (err error) {
	if err := s.ready(ctx); err != nil {
		return err
	}
	folder, err := s.folder.OpenRoot(".") // Close does not wait for w, and closes its own
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	sc := s.openScan(storage.Range{}, false)
	defer s.closeScan(sc)
	tmp := s.tempName()
	db, _, err := s.newDB(folder, tmp)
	if err != nil {
		return err
	}
	defer func() {
		// The store may be closed by now, and opened anew, which removes temporary files.
		if removeErr := folder.Remove(tmp); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	_, err = s.copySnapshot(ctx, db, sc)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	f, err := folder.Open(tmp)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, contextReader{ctx, f})
	return err
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // it lives for one copy
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
