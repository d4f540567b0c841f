package main

import (
	"context"
	"database/sql"
	"errors"
	"iter"

	_ "modernc.org/sqlite"

	"github.com/cxsync/cxsync/storage"
)

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
