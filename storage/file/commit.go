package file

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// A commit is on its way to the disk for milliseconds, in which readers must neither
// wait for it nor see it: should the disk fail, nobody may have seen what is lost. But
// bbolt has one current state, which shows to readers before it is known to be safe.
//
// So a commit goes in three steps. It is built in a write transaction, and what the
// keys held before is noted as undo records. Then hide, under the lock, makes readers
// see the file through these records, and bbolt writes and syncs without the lock.
// Then show, under the lock again, drops the records, and all readers see the commit at
// once. Scans that are open keep the records of what they have still to read, which
// makes them snapshots; see scan.go.

// fillPercent is how full a page is left when it is split. Logs grow in the order
// of their keys, where the default of a half would leave every page half empty;
// for keys in random order the file is as large either way.
const fillPercent = 0.8

// encodedTogether is how many values one core encodes at least.
const encodedTogether = 32

// An undo holds, for each key that a commit changes, what the file held before:
// nil if the key was absent. Until the commit is durable readers see through
// undo the state before it, and open scans keep what they still need of it.
type undo map[string][]byte

// Commit implements storage.Store. Values are compressed before the turn to write has
// come, so that commits of several goroutines do that side by side.
func (s *Store) Commit(ctx context.Context, b *storage.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	coder := s.codec.coder.Load()
	raws := coder.encodePuts(b)
	unlock, err := s.lockWriter(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	if now := s.codec.coder.Load(); now != coder { // Compact may have replaced the dictionaries
		raws = now.encodePuts(b)
	}
	return s.commit(b, raws)
}

// encodePuts returns what the file holds for each value that b puts. The cores share the work of a
// large commit: on two, an import of 50,000 objects takes 7 % less time for it.
func (c *coder) encodePuts(b *storage.Batch) [][]byte {
	puts := slices.DeleteFunc(slices.Collect(b.Ops()), func(op storage.Op) bool { return op.Kind != storage.OpPut })
	raws := make([][]byte, len(puts))
	size := max(encodedTogether, (len(puts)+c.cores-1)/c.cores)
	var all sync.WaitGroup
	for start := 0; start < len(puts); start += size {
		all.Go(func() {
			for i := start; i < min(start+size, len(puts)); i++ {
				raws[i] = c.encode(puts[i].Key, puts[i].Value)
			}
		})
	}
	all.Wait()
	return raws
}

// lockWriter waits until the caller is the only one that writes. It is a channel and
// not a mutex, because ctx ends the wait.
func (s *Store) lockWriter(ctx context.Context) (unlock func(), err error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	unlock = func() { <-s.writer }
	if err := s.ready(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// commit makes the commit; the caller holds the writer's token. An error before hide
// has changed nothing. One of tx.Commit leaves open what is on the disk, so show ends
// the store. What changes nothing is not written at all.
func (s *Store) commit(b *storage.Batch, raws [][]byte) error {
	var tx *bbolt.Tx
	var changed undo
	var next *coder
	err := guard(func() (err error) {
		if tx, err = s.db.Begin(true); err != nil {
			return err
		}
		bucket := tx.Bucket(dataBucket)
		if err := s.require(bucket, b); err != nil {
			return err
		}
		if changed, err = apply(bucket, b, raws); err != nil || len(changed) == 0 {
			return err
		}
		if next, err = s.learn(tx, b); err != nil {
			return err
		}
		return s.inPlace() // else it would be acknowledged, and not be there at the next Open
	})
	if err == nil && len(changed) > 0 {
		s.hide(changed)
		if err = s.show(guard(tx.Commit)); err == nil {
			s.codec.coder.Store(next)
		}
	}
	if tx != nil && tx.DB() != nil { // neither committed nor rolled back
		if rollbackErr := guard(tx.Rollback); rollbackErr != nil {
			s.stuck = true
			err = s.fail(errors.Join(err, rollbackErr))
		}
	}
	return err
}

// require returns the error of the first requirement that is not met. It reads within
// the write transaction, so nothing can change between the check and the commit.
func (s *Store) require(bucket *bbolt.Bucket, b *storage.Batch) error {
	for r := range b.Requirements() {
		var value []byte
		raw := bucket.Get([]byte(r.Key))
		if raw != nil {
			var err error
			if value, err = s.codec.decode(r.Key, raw); err != nil {
				return err
			}
		}
		if !r.Met(value, raw != nil) {
			return r.Conflict()
		}
	}
	return nil
}

// apply executes the operations of b, with the encoded values raws for its puts.
func apply(bucket *bbolt.Bucket, b *storage.Batch, raws [][]byte) (undo, error) {
	bucket.FillPercent = fillPercent
	changed := undo{}
	for op := range b.Ops() {
		var err error
		switch op.Kind {
		case storage.OpPut:
			changed.keep(bucket, op.Key)
			err = bucket.Put([]byte(op.Key), raws[0])
			raws = raws[1:]
		case storage.OpDelete:
			changed.keep(bucket, op.Key)
			err = bucket.Delete([]byte(op.Key))
		case storage.OpDeleteRange:
			err = deleteRange(bucket, op.Range, changed)
		}
		if err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// deleteRange deletes what the bucket holds of r.
func deleteRange(bucket *bbolt.Bucket, r storage.Range, changed undo) error {
	// A cursor may skip keys after a deletion, so the keys are listed first.
	var keys []string
	c := bucket.Cursor()
	for k, _ := c.Seek([]byte(r.Start)); k != nil && r.Contains(string(k)); k, _ = c.Next() {
		keys = append(keys, string(k))
	}
	for _, key := range keys {
		changed.keep(bucket, key)
		if err := bucket.Delete([]byte(key)); err != nil {
			return err
		}
	}
	return nil
}

// keep notes what key holds, unless the commit has changed it already: what counts is
// the state before the whole commit.
func (u undo) keep(bucket *bbolt.Bucket, key string) {
	if _, ok := u[key]; !ok {
		u[key] = bytes.Clone(bucket.Get([]byte(key)))
	}
}

// hide makes readers see the state before a commit that is about to be written.
func (s *Store) hide(changed undo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undo = changed
	coder := s.codec.coder.Load()
	for sc := range s.scans {
		sc.keep(changed, coder)
	}
}

// show makes readers see the commit, or, if it failed, nothing any more.
func (s *Store) show(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undo = nil
	if err != nil {
		return s.fail(err)
	}
	return nil
}
