package main

import (
	"bytes"
	"context"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// boltStore is a bbolt file with one bucket and the default options.
type boltStore struct{ db *bbolt.DB }

var bucket = []byte("data")

func openBolt(path string) (storage.Store, error) {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return nil, err
	}
	return boltStore{db}, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucket)
		return err
	})
}

func (s boltStore) Get(_ context.Context, key string) (v []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		v = bytes.Clone(tx.Bucket(bucket).Get([]byte(key)))
		return nil
	})
	return v, err
}

func (s boltStore) Scan(_ context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		err := s.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucket).Cursor()
			for k, v := c.Seek([]byte(r.Start)); k != nil && r.Contains(string(k)); k, v = c.Next() {
				if !yield(storage.Entry{Key: string(k), Value: bytes.Clone(v)}, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(storage.Entry{}, err)
		}
	}
}

func (s boltStore) Commit(_ context.Context, b *storage.Batch) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for op := range b.Ops() {
			if err := tx.Bucket(bucket).Put([]byte(op.Key), op.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s boltStore) Close() error { return s.db.Close() }
