package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
)

// A cutter is a connection that breaks, when it is armed, as the answer to a
// commit has come: the server has done it, and nobody hears of it.
type cutter struct {
	net.Conn
	armed *atomic.Bool
	cut   *atomic.Bool
}

func (c cutter) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("commit_batch")) && c.armed.CompareAndSwap(true, false) {
		c.cut.Store(true)
	}
	return c.Conn.Write(b)
}

func (c cutter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.cut.Load() {
		return 0, errors.Join(io.ErrUnexpectedEOF, c.Close())
	}
	return n, err
}

// TestCutDuringCommit loses the answer to commits that were stored. They must be
// neither reported as refused nor made twice, and the packages above find out by
// reading.
func TestCutDuringCommit(t *testing.T) {
	config, err := pgxpool.ParseConfig(dsn(t) + " pool_max_conns=1")
	require.NoError(t, err)
	var armed atomic.Bool
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return cutter{conn, &armed, new(atomic.Bool)}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer pool.Close()
	s, err := postgres.New(t.Context(), pool, &postgres.Options{Schema: schema(t)})
	require.NoError(t, err)
	cut := func(f func() error) {
		t.Helper()
		var warm storage.Batch // so that the connection is there, and knows the statement
		warm.Delete("warm")
		require.NoError(t, s.Commit(t.Context(), &warm))
		armed.Store(true)
		err := f()
		require.False(t, armed.Load(), "nothing was sent")
		require.ErrorContains(t, err, "storage/postgres: ")
		for _, known := range []error{storage.ErrConflict, storage.ErrInvalid, storage.ErrClosed, storage.ErrNotFound} {
			require.NotErrorIs(t, err, known, "the outcome is unknown")
		}
	}

	var b storage.Batch
	b.Put("last", nil)
	require.NoError(t, s.Commit(t.Context(), &b))
	b.Reset()
	b.Require("last", nil)
	b.Put("last", []byte("mine"))
	cut(func() error { return s.Commit(t.Context(), &b) })
	v, err := s.Get(t.Context(), "last")
	require.NoError(t, err, "the next call works")
	require.Equal(t, "mine", string(v))
	require.ErrorIs(t, s.Commit(t.Context(), &b), storage.ErrConflict, "as the contract says of a second application")

	// The one who asked for a lease takes it again, and is not locked out by itself.
	mine := storage.NewLeases(s, &storage.LeaseOptions{Holder: "me"})
	cut(func() error { _, err := mine.Acquire(t.Context(), "lease"); return err })
	l, err := mine.Acquire(t.Context(), "lease")
	require.NoError(t, err)
	require.EqualValues(t, 2, l.Token())
	cut(func() error { return l.Renew(t.Context()) })
	require.NoError(t, l.Renew(t.Context()))
	cut(func() error { return l.Release(t.Context()) })
	_, err = storage.NewLeases(s, &storage.LeaseOptions{Holder: "other"}).Acquire(t.Context(), "lease")
	require.NoError(t, err)
}

// TestFailedScanKeepsNoConnection uses the store in the body that gets the error.
func TestFailedScanKeepsNoConnection(t *testing.T) {
	name := schema(t)
	s := open(t, dsn(t)+" pool_max_conns=1", name)
	conn, err := pgx.Connect(t.Context(), dsn(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	entries := pgx.Identifier{name}.Sanitize() + ".entries"
	_, err = conn.PgConn().Exec(t.Context(), "BEGIN; LOCK TABLE "+entries).ReadAll()
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		for _, err := range s.Scan(ctx, storage.Range{}) {
			if !errors.Is(err, context.Canceled) {
				done <- err
				return
			}
			patient, cancel := context.WithTimeout(t.Context(), time10s)
			defer cancel()
			_, err = s.Get(patient, "a")
			done <- err
			return
		}
	}()
	waiting := "SELECT pid::text FROM pg_locks WHERE NOT granted AND relation = " + quoteSQL(entries) + "::regclass"
	require.Eventually(t, func() bool { return len(rows(t, waiting)) == 1 }, time10s, tick)
	cancel()
	require.Eventually(t, func() bool { return len(rows(t, waiting)) == 0 }, time10s, tick)
	_, err = conn.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.ErrorIs(t, <-done, storage.ErrNotFound, "the scan keeps the only connection")
}

// trigger makes every commit that puts something run these statements, before it
// stores anything.
func trigger(t *testing.T, schema, body string) {
	t.Helper()
	in := pgx.Identifier{schema}.Sanitize()
	run(t, "CREATE SEQUENCE "+in+".tries; CREATE FUNCTION "+in+".trap() RETURNS trigger LANGUAGE plpgsql AS $trap$ BEGIN "+
		strings.ReplaceAll(body, "{{tries}}", quoteSQL(in+".tries"))+" END $trap$; CREATE TRIGGER trap BEFORE INSERT ON "+in+
		".entries FOR EACH STATEMENT EXECUTE FUNCTION "+in+".trap(); GRANT USAGE ON SEQUENCE "+in+".tries TO public")
}

// TestRefusedCommits lets the server refuse commits. What may succeed the next
// time is tried again, for as long as the context lasts; all else ends the commit.
func TestRefusedCommits(t *testing.T) {
	var b storage.Batch
	b.RequireAbsent("a")
	b.Put("a", []byte("1"))
	for _, code := range []string{"40001", "40P01", "55P03"} {
		name := schema(t)
		s := open(t, dsn(t), name)
		trigger(t, name, "IF nextval({{tries}}) < 4 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '"+code+"'; END IF; RETURN NULL;")
		require.NoError(t, s.Commit(t.Context(), &b), code)
		require.ErrorIs(t, s.Commit(t.Context(), &b), storage.ErrConflict)
		require.Equal(t, []string{"4"}, rows(t, "SELECT last_value::text FROM "+pgx.Identifier{name}.Sanitize()+".tries"))
	}
	for code, want := range map[string]error{"XX001": storage.ErrCorrupt, "40001": context.DeadlineExceeded} {
		name := schema(t)
		s := open(t, dsn(t), name)
		trigger(t, name, "PERFORM nextval({{tries}}); RAISE EXCEPTION 'refused' USING ERRCODE = '"+code+"';")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Commit(ctx, &b), want)
		_, err := s.Get(t.Context(), "a")
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
}

// TestSettingsOfTheServer opens the store where the settings of the server, the
// database or the role are not those that it comes with.
func TestSettingsOfTheServer(t *testing.T) {
	var b storage.Batch
	b.Put("a", []byte("1"))
	for option, want := range map[string]string{
		"default_transaction_isolation=serializable": "",
		"default_transaction_read_only=on":           "default_transaction_read_only: let the DSN name the primary or have target_session_attrs=read-write",
		"synchronous_commit=off":                     "",
	} {
		name := schema(t)
		require.NoError(t, open(t, dsn(t), name).Close())
		trigger(t, name, "IF current_setting('synchronous_commit') = 'off' OR current_setting('lock_timeout') <> '10s' THEN RAISE EXCEPTION 'not durable, or late'; END IF; RETURN NULL;")
		s := open(t, dsn(t)+" options='-c "+option+"'", name)
		if err := s.Commit(t.Context(), &b); want != "" {
			require.ErrorContains(t, err, want, option)
		} else {
			require.NoError(t, err, option)
		}
	}

	name := schema(t)
	latin := pgx.Identifier{name}.Sanitize()
	run(t, "CREATE DATABASE "+latin+" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	t.Cleanup(func() { run(t, "DROP DATABASE "+latin+" WITH (FORCE)") })
	_, err := postgres.Open(t.Context(), dsn(t)+" dbname="+quoteDSN(name), nil)
	require.ErrorContains(t, err, "has the encoding LATIN1: create one with ENCODING 'UTF8'")
}
