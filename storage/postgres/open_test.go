package postgres_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
)

func TestOpenByManyAtOnce(t *testing.T) {
	dsn, name := dsn(t), schema(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			with := dsn + " pool_max_conns=1"
			if i%2 == 1 { // they wait for who migrates all the same
				with += " options='-c lock_timeout=1'"
			}
			s, err := postgres.Open(t.Context(), with, &postgres.Options{Schema: name})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			var b storage.Batch
			b.Put(strconv.Itoa(i), nil)
			if err := s.Commit(t.Context(), &b); err != nil {
				t.Errorf("Commit: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, []string{"1", "2", "3", "4"}, rows(t, "SELECT version::text FROM "+pgx.Identifier{name}.Sanitize()+".schema_version ORDER BY version"))
	require.Len(t, rows(t, "SELECT key FROM "+pgx.Identifier{name}.Sanitize()+".entries"), 8)
}

func TestOpenRefuses(t *testing.T) {
	base := dsn(t)
	newer, fresh, empty := schema(t), schema(t), schema(t)
	open(t, base, newer)
	run(t, "INSERT INTO "+pgx.Identifier{newer}.Sanitize()+".schema_version (version) VALUES (77)")
	run(t, "CREATE SCHEMA "+pgx.Identifier{empty}.Sanitize())
	role := pgx.Identifier{"guest " + fresh}.Sanitize()
	run(t, "CREATE ROLE "+role)
	t.Cleanup(func() { run(t, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	asGuest := base + " role=" + quoteDSN("guest "+fresh)
	for _, c := range []struct {
		dsn  string
		opts postgres.Options
		want string
	}{
		{"postgres://user:secret@host:port/x", postgres.Options{}, "cannot parse the DSN: invalid port"},
		{"host=x password = secret port=y", postgres.Options{}, "cannot parse the DSN: invalid port"},
		{`host=x password='it\'s secret' sslmode=y`, postgres.Options{}, "sslmode is invalid"},
		{"host=x password secret", postgres.Options{}, "invalid keyword/value"},
		{"host=/none user=x password=secret connect_timeout=2", postgres.Options{}, "failed to connect"},
		{base, postgres.Options{Schema: strings.Repeat("x", 64)}, "schema name of 64 bytes, at most 63"},
		{base, postgres.Options{Schema: "a\x00"}, "schema name is not UTF-8, or has a NUL"},
		{base, postgres.Options{Schema: "a$cxsync$"}, "which quotes functions"},
		{base, postgres.Options{Schema: newer}, "it has version 77, this program knows up to version 4: run a newer program"},
		{base, postgres.Options{Schema: fresh, NoMigrate: true}, "it has version 0, this program needs version 4: open it once without Options.NoMigrate"},
		{base + " options='-c default_transaction_read_only=on'", postgres.Options{Schema: fresh}, "target_session_attrs=read-write"},
		{asGuest, postgres.Options{Schema: fresh}, "may not create the schema: run as its owner: GRANT CREATE ON DATABASE"},
		{asGuest, postgres.Options{Schema: empty}, "may not use the schema: run as its owner: GRANT USAGE ON SCHEMA"},
	} {
		_, err := postgres.Open(t.Context(), c.dsn, &c.opts)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "storage/postgres: ")
		require.NotContains(t, err.Error(), "secret")
	}

	// A role that may create nothing in the database, and everything in the schema.
	run(t, "GRANT USAGE ON SCHEMA "+pgx.Identifier{empty}.Sanitize()+" TO "+role)
	_, err := postgres.Open(t.Context(), asGuest, &postgres.Options{Schema: empty})
	require.ErrorContains(t, err, "may not create tables: run as its owner: GRANT USAGE, CREATE ON SCHEMA")
	run(t, "GRANT CREATE ON SCHEMA "+pgx.Identifier{empty}.Sanitize()+" TO "+role)
	open(t, asGuest, empty)
	open(t, base, empty)

	// One that may only use what is there, as the documentation grants it.
	in := pgx.Identifier{fresh}.Sanitize()
	open(t, base, fresh)
	run(t, "GRANT USAGE ON SCHEMA "+in+" TO "+role+"; GRANT SELECT ON "+in+".schema_version TO "+role+
		"; GRANT SELECT, INSERT, UPDATE, DELETE ON "+in+".entries TO "+role)
	s, err := postgres.Open(t.Context(), asGuest, &postgres.Options{Schema: fresh, NoMigrate: true})
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	var b storage.Batch
	b.Put("a", []byte("1"))
	require.NoError(t, s.Commit(t.Context(), &b))
}

func TestNewLeavesThePoolOpen(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), dsn(t)+" pool_max_conns=2")
	require.NoError(t, err)
	defer pool.Close()
	s, err := postgres.New(t.Context(), pool, &postgres.Options{Schema: schema(t)})
	require.NoError(t, err)
	var b storage.Batch
	for i := range 200 {
		b.Put(fmt.Sprintf("%03d", i), make([]byte, 1000))
	}
	require.NoError(t, s.Commit(t.Context(), &b))
	for _, err := range s.Scan(t.Context(), storage.Range{}) {
		require.NoError(t, err)
		require.EqualValues(t, 1, pool.Stat().AcquiredConns(), "a long scan keeps a connection")
		require.NoError(t, s.Close())
		break
	}
	require.Zero(t, pool.Stat().AcquiredConns())
	require.NoError(t, pool.Ping(t.Context()))
}

// TestCommitEndsWithItsContext lets a commit wait for a lock on the server.
func TestCommitEndsWithItsContext(t *testing.T) {
	name := schema(t)
	s := open(t, dsn(t), name)
	conn, err := pgx.Connect(t.Context(), dsn(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.PgConn().Exec(t.Context(), "BEGIN; LOCK TABLE "+pgx.Identifier{name}.Sanitize()+".entries IN EXCLUSIVE MODE").ReadAll()
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		var b storage.Batch
		b.Put("a", []byte("1"))
		done <- s.Commit(ctx, &b)
	}()
	waiting := "SELECT pid::text FROM pg_locks WHERE NOT granted AND relation = " + quoteSQL(pgx.Identifier{name}.Sanitize()+".entries") + "::regclass"
	require.Eventually(t, func() bool { return len(rows(t, waiting)) == 1 }, time10s, tick)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Empty(t, rows(t, waiting), "the server still waits")
	_, err = conn.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, storage.ErrNotFound)
}

func quoteSQL(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
