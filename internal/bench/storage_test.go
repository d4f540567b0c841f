package bench

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"iter"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/memory"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// BenchmarkStorage runs the benchmarks of storagetest. The peers are as plain as they can be: values as they are, no
// checksums, requirements or snapshots beyond what they bring. Every commit is synced to the disk.
func BenchmarkStorage(b *testing.B) {
	for _, peer := range []struct {
		name string
		open func(path string) (storage.Store, error)
	}{
		{"memory", func(string) (storage.Store, error) { return memory.New(), nil }},
		{"file", func(path string) (storage.Store, error) { return file.Open(path, nil) }},
		{"bbolt", openBolt},
		{"sqlite", openSQLite},
	} {
		b.Run(peer.name, func(b *testing.B) {
			storagetest.RunBenchmarks(b, storagetest.Harness{Seed: 1, Open: func(tb testing.TB) storage.Store {
				tb.Helper()
				s, err := peer.open(filepath.Join(tb.TempDir(), "store.db"))
				if err != nil {
					tb.Fatal(err)
				}
				return s
			}})
		})
	}
}

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

// sqliteStore is a SQLite file with one table and a write-ahead log.
type sqliteStore struct {
	db       *sql.DB
	get, put *sql.Stmt
}

func openSQLite(path string) (storage.Store, error) {
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)")
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(`CREATE TABLE data (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID`); err != nil { //nolint:noctx // a benchmark
		return nil, errors.Join(err, db.Close())
	}
	get, err1 := db.Prepare(`SELECT value FROM data WHERE key = ?`)        //nolint:noctx // a benchmark
	put, err2 := db.Prepare(`INSERT OR REPLACE INTO data VALUES (?1, ?2)`) //nolint:noctx // a benchmark
	return sqliteStore{db, get, put}, errors.Join(err1, err2)
}

func (s sqliteStore) Get(ctx context.Context, key string) (v []byte, err error) {
	err = s.get.QueryRowContext(ctx, []byte(key)).Scan(&v)
	return v, err
}

func (s sqliteStore) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		if err := s.scan(ctx, r, yield); err != nil {
			yield(storage.Entry{}, err)
		}
	}
}

func (s sqliteStore) scan(ctx context.Context, r storage.Range, yield func(storage.Entry, error) bool) error {
	rows, err := s.db.QueryContext(ctx, `SELECT key, value FROM data WHERE key >= ? AND key < ? ORDER BY key`, []byte(r.Start), []byte(r.End))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e storage.Entry
		if err := rows.Scan(&e.Key, &e.Value); err != nil {
			return err
		}
		if !yield(e, nil) {
			return nil
		}
	}
	return rows.Err()
}

func (s sqliteStore) Commit(ctx context.Context, b *storage.Batch) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	put := tx.StmtContext(ctx, s.put)
	for op := range b.Ops() {
		if _, err := put.ExecContext(ctx, []byte(op.Key), op.Value); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s sqliteStore) Close() error { return s.db.Close() }
