package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
	"github.com/cxsync/cxsync/storage/postgres/postgrestest"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// server is the server of all tests that do not stop theirs. It does not wait for
// the disk, which the end of a process does not need either.
var server = sync.OnceValues(func() (s *postgrestest.Server, err error) {
	launched, err = postgrestest.Launch(context.Background(), "fsync=off")
	return launched, err
})

var launched *postgrestest.Server // by server, if it was called

func TestMain(m *testing.M) {
	if task := os.Getenv(childEnv); task != "" {
		child(task)
		return
	}
	if fleetChild() {
		return
	}
	code := m.Run()
	if launched != nil {
		if err := launched.Stop(); err != nil {
			fmt.Println(err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// dsn returns the DSN of the server that the tests share.
func dsn(tb testing.TB) string {
	tb.Helper()
	if dsn := os.Getenv(postgrestest.DSNVariable); dsn != "" {
		return dsn
	}
	s, err := server()
	if errors.Is(err, postgrestest.ErrMissing) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s.DSN()
}

// schema returns the name of a new schema, which is dropped at the end of tb.
func schema(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("Test \"%x\"", rand.Uint64())
	tb.Cleanup(func() { run(tb, "DROP SCHEMA IF EXISTS "+pgx.Identifier{name}.Sanitize()+" CASCADE") })
	return name
}

// run executes statements as the user of the DSN.
func run(tb testing.TB, sql string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, dsn(tb))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		tb.Fatal(err)
	}
}

// open opens the store in a schema.
func open(tb testing.TB, dsn, schema string) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), dsn, &postgres.Options{Schema: schema})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// harness keeps the schema of each store, to open it again.
func harness(params string) storagetest.Harness {
	schemas := map[storage.Store]string{}
	again := func(tb testing.TB, s storage.Store) storage.Store {
		tb.Helper()
		next := open(tb, dsn(tb)+params, schemas[s])
		schemas[next] = schemas[s]
		return next
	}
	return storagetest.Harness{
		Open: func(tb testing.TB) storage.Store {
			tb.Helper()
			name := schema(tb)
			s := open(tb, dsn(tb)+params, name)
			schemas[s] = name
			return s
		},
		Reopen: again,
		Crash:  again,
	}
}

func TestStore(t *testing.T) { storagetest.Run(t, harness("")) }

// TestStoreWithOneConnection proves that nothing waits for a second one.
func TestStoreWithOneConnection(t *testing.T) { storagetest.Run(t, harness(" pool_max_conns=1")) }
