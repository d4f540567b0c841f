package file

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// Get implements storage.Store. It reads through the undo records of a commit that is not
// safe yet; see commit.go.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if raw, ok := s.undo[key]; ok {
		return s.value(key, raw)
	}
	var value []byte
	err := guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) (err error) {
			value, err = s.value(key, tx.Bucket(dataBucket).Get([]byte(key)))
			return err
		})
	})
	return value, err
}

// value decodes raw, nil if key is absent, into memory of its own. What is decompressed
// has its own already; a value that is stored as it is lies in a mapped page.
func (s *Store) value(key string, raw []byte) ([]byte, error) {
	if raw == nil {
		return nil, &storage.KeyError{Key: key, Err: storage.ErrNotFound}
	}
	value, err := s.codec.decode(key, raw)
	if err == nil && raw[4] == kindRaw {
		value = append(make([]byte, 0, len(value)), value...)
	}
	return value, err
}
