package postgrestest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/postgres"
	"github.com/cxsync/cxsync/storage/postgres/postgrestest"
)

func TestServer(t *testing.T) {
	s, err := postgrestest.Launch(t.Context(), "application_name=configured")
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	dir := strings.TrimPrefix(strings.Fields(s.DSN())[0], "host=")
	ask := func(sql string) (answer string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), s.DSN())
		require.NoError(t, err)
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&answer))
		return answer
	}
	require.Equal(t, "UTF8 on configured", ask("SELECT concat_ws(' ', current_setting('server_encoding'), current_setting('fsync'), current_setting('application_name'))"))
	started := ask("SELECT pg_postmaster_start_time()::text")
	require.NoError(t, s.Crash(t.Context()))
	crashed := ask("SELECT pg_postmaster_start_time()::text")
	require.NotEqual(t, started, crashed)
	require.NoError(t, s.Restart(t.Context()))
	require.NotEqual(t, crashed, ask("SELECT pg_postmaster_start_time()::text"))
	require.NoError(t, s.Stop())
	_, err = pgx.Connect(t.Context(), s.DSN())
	require.Error(t, err)
	require.NoDirExists(t, dir)
}

func TestStartSkips(t *testing.T) {
	t.Setenv(postgrestest.DSNVariable, "host=elsewhere")
	require.Equal(t, "host=elsewhere", postgrestest.Start(t))
	t.Setenv(postgrestest.DSNVariable, "")
	t.Setenv(postgrestest.BinVariable, t.TempDir())
	_, err := postgrestest.Launch(t.Context())
	require.ErrorIs(t, err, postgrestest.ErrMissing)
	skipped := t.Run("skips", func(t *testing.T) {
		defer func() { require.True(t, t.Skipped()) }()
		postgrestest.Start(t)
	})
	require.True(t, skipped)
}

// ExampleStart is a test of a program that uses the store.
func ExampleStart() {
	_ = func(t *testing.T) {
		t.Helper()
		s, err := postgres.Open(t.Context(), postgrestest.Start(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		// ...
	}
}
