package postgres_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
)

func Example() {
	if err := nightly(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// nightly does what one process of many is to do.
func nightly(ctx context.Context) error {
	s, err := postgres.Open(ctx, "postgres://cxsync@db.example.com/ops?sslmode=verify-full&pool_max_conns=4", nil)
	if err != nil {
		return err
	}
	defer s.Close()

	lease, err := storage.AcquireLease(ctx, s, "leases/nightly", nil)
	if err != nil {
		return err
	}
	var b storage.Batch
	lease.Fence(&b) // stored only while the lease is held
	b.Put("nightly/report", []byte(`{"ok":true}`))
	return s.Commit(ctx, &b)
}

// A program that has a pool shares it, and asks the views what has changed.
func ExampleNew() {
	if err := newest(context.Background(), os.Getenv("DATABASE_URL")); err != nil {
		log.Fatal(err)
	}
}

func newest(ctx context.Context, dsn string) error {
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	s, err := postgres.New(ctx, pool, &postgres.Options{Schema: "genesys history"})
	if err != nil {
		return err
	}
	defer s.Close() // leaves the pool open

	rows, err := pool.Query(ctx, `SELECT name, kind FROM "genesys history".changes WHERE environment = 1 ORDER BY seq DESC LIMIT 10`)
	if err != nil {
		return err
	}
	var name, kind string
	_, err = pgx.ForEachRow(rows, []any{&name, &kind}, func() error {
		fmt.Println(kind, name)
		return nil
	})
	return err
}
