// Package memory keeps a [storage.Store] in memory, for tests and for programs
// that need no history of their last run. Scans read copy-on-write snapshots
// and block nobody. TestStore proves the contract.
package memory

import (
	"bytes"
	"context"
	"iter"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/cxsync/cxsync/storage"
)

// A Store is a storage.Store in memory. What it holds ends with the process.
type Store struct {
	// tree is never changed once it is here: a commit replaces it by a changed
	// copy, which shares with it what did not change.
	tree   atomic.Pointer[tree]
	writer chan struct{} // holds a token while a commit runs
}

type tree = btree.Map[string, []byte]

var _ storage.Store = (*Store)(nil)

// New returns an empty Store.
func New() *Store {
	s := &Store{writer: make(chan struct{}, 1)}
	s.tree.Store(new(tree))
	return s
}

// snapshot returns the current state, which nobody changes.
func (s *Store) snapshot(ctx context.Context) (*tree, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := s.tree.Load()
	if t == nil {
		return nil, storage.ErrClosed
	}
	return t, nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, err
	}
	t, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	v, ok := t.Get(key)
	if !ok {
		return nil, &storage.KeyError{Key: key, Err: storage.ErrNotFound}
	}
	return bytes.Clone(v), nil
}

// Scan implements storage.Store.
func (s *Store) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		t, err := s.snapshot(ctx)
		if err != nil {
			yield(storage.Entry{}, err)
			return
		}
		for key, value := range entries(t, r) {
			if _, err := s.snapshot(ctx); err != nil {
				yield(storage.Entry{}, err)
				return
			}
			if !yield(storage.Entry{Key: key, Value: bytes.Clone(value)}, nil) {
				return
			}
		}
	}
}

// entries iterates over what t holds of r.
func entries(t *tree, r storage.Range) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		visit := func(key string, value []byte) bool {
			return r.Contains(key) && yield(key, value)
		}
		switch {
		case r.Empty():
		case !r.Reverse:
			t.Ascend(r.Start, visit)
		case r.End == "":
			t.Reverse(visit)
		default:
			t.Descend(r.End, func(key string, value []byte) bool {
				return key == r.End || visit(key, value)
			})
		}
	}
}

// Commit implements storage.Store.
func (s *Store) Commit(ctx context.Context, b *storage.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	old, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	for r := range b.Requirements() {
		if v, ok := old.Get(r.Key); !r.Met(v, ok) {
			return r.Conflict()
		}
	}
	s.tree.Store(apply(old.Copy(), b))
	return nil
}

func apply(t *tree, b *storage.Batch) *tree {
	for op := range b.Ops() {
		switch op.Kind {
		case storage.OpPut:
			t.Set(op.Key, op.Value)
		case storage.OpDelete:
			t.Delete(op.Key)
		case storage.OpDeleteRange:
			var keys []string
			for key := range entries(t, op.Range) {
				keys = append(keys, key)
			}
			for _, key := range keys {
				t.Delete(key)
			}
		}
	}
	return t
}

// Close implements storage.Store.
func (s *Store) Close() error {
	s.writer <- struct{}{} // a commit that is underway finishes
	s.tree.Store(nil)
	<-s.writer
	return nil
}
