package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/cxsync/cxsync/storage"
)

// A mapStore is a backend: a map under a mutex. It passes the whole suite.
type mapStore struct {
	mu     sync.Mutex
	values map[string][]byte // nil once closed; a value in it is never changed
}

func newMapStore() *mapStore { return &mapStore{values: map[string][]byte{}} }

// locked runs f under the mutex, unless the store is closed or ctx has ended.
func (s *mapStore) locked(ctx context.Context, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		return storage.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

func (s *mapStore) Get(ctx context.Context, key string) (value []byte, err error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, err
	}
	err = s.locked(ctx, func() error {
		v, ok := s.values[key]
		if !ok {
			return &storage.KeyError{Key: key, Err: storage.ErrNotFound}
		}
		value = bytes.Clone(v) // the caller may change what it gets
		return nil
	})
	return value, err
}

func (s *mapStore) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		var snapshot map[string][]byte
		err := s.locked(ctx, func() error {
			snapshot = maps.Clone(s.values)
			return nil
		})
		keys := slices.Sorted(maps.Keys(snapshot)) // bytewise, as Go compares strings
		if r.Reverse {
			slices.Reverse(keys)
		}
		for _, key := range keys {
			if !r.Contains(key) {
				continue
			}
			if err = s.locked(ctx, func() error { return nil }); err != nil {
				break // closed or cancelled meanwhile
			}
			if !yield(storage.Entry{Key: key, Value: bytes.Clone(snapshot[key])}, nil) { // without the mutex
				return
			}
		}
		if err != nil {
			yield(storage.Entry{}, err)
		}
	}
}

func (s *mapStore) Commit(ctx context.Context, b *storage.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		for r := range b.Requirements() { // all of them before the first operation
			if value, ok := s.values[r.Key]; !r.Met(value, ok) {
				return r.Conflict()
			}
		}
		for op := range b.Ops() {
			switch op.Kind {
			case storage.OpPut:
				s.values[op.Key] = op.Value
			case storage.OpDelete:
				delete(s.values, op.Key)
			case storage.OpDeleteRange:
				maps.DeleteFunc(s.values, func(key string, _ []byte) bool { return op.Range.Contains(key) })
			}
		}
		return nil
	})
}

func (s *mapStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = nil
	return nil
}

// A backend is four methods. This one is proven by one call:
//
//	storagetest.Run(t, storagetest.Harness{Open: func(testing.TB) storage.Store { return newMapStore() }})
func Example_backend() {
	ctx := context.Background()
	var store storage.Store = newMapStore()
	defer store.Close()
	var b storage.Batch
	b.RequireAbsent("color/1")
	b.Put("color/1", []byte("red"))
	fmt.Println(store.Commit(ctx, &b))
	fmt.Println(store.Commit(ctx, &b))
	for e, err := range store.Scan(ctx, storage.Prefix("color/")) {
		fmt.Println(e.Key, string(e.Value), err)
	}
	// Output:
	// <nil>
	// storage: key "color/1": conflict: not the required value
	// color/1 red <nil>
}
