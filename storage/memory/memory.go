// Package memory keeps a storage.Store in memory, for tests and for programs that need no history of
// their last run.
//
// Reads and scans block nobody and are blocked by nobody: a commit changes a copy of the tree, which
// shares with the old one whatever did not change, and replaces the pointer to it. So a scan goes on
// over the tree that it began with, which is its snapshot. The package passes the suite of package
// storagetest.
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
	// tree is never changed once it is here, and nil once the store is closed.
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

// snapshot returns the current state, which nobody changes. The error is that of ctx, or
// storage.ErrClosed.
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

// Get implements storage.Store. The value is a copy, which the caller may change.
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

// Scan implements storage.Store. It looks at ctx, and whether the store was closed, before each entry.
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

// entries iterates over what t holds of r. Descend begins with the end of r itself, if there is such a
// key, which is not in r.
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

// Commit implements storage.Store. Commits are serial, so that the state which the requirements are
// checked against is the one that is changed.
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

// apply executes the operations of b on t, which nobody else has seen yet. Values are not copied: a
// Batch owns its own, and nobody gets what is in the tree.
func apply(t *tree, b *storage.Batch) *tree {
	for op := range b.Ops() {
		switch op.Kind {
		case storage.OpPut:
			t.Set(op.Key, op.Value)
		case storage.OpDelete:
			t.Delete(op.Key)
		case storage.OpDeleteRange:
			var keys []string // first, as a tree must not change while it is walked
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
