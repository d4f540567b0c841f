package postgres_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/storage/postgres"
)

// One process of many that keep the same orgs in sync: start it as often as you
// like, each time with the same database and the same key.
func Example() {
	key, err := base64.StdEncoding.DecodeString(os.Getenv("CXSYNC_KEY")) // as examples/embed -newkey prints one
	if err != nil {
		log.Fatal(err)
	}
	if err := keepInSync(context.Background(), os.Getenv("DATABASE_URL"), key); err != nil {
		log.Fatal(err)
	}
}

// keepInSync polls what the store has until ctx ends. The key is the one with
// which the client secrets were sealed when the environments were created.
func keepInSync(ctx context.Context, dsn string, key []byte) (err error) {
	store, err := postgres.Open(ctx, dsn, nil) // postgres://cxsync@db.example.com/ops?sslmode=verify-full&pool_max_conns=4
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	vault, err := environment.NewKeyVault(key)
	if err != nil {
		return err
	}
	engine, err := environment.Open(store, &environment.Options{Vault: vault})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	return engine.Run(ctx)
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
