package postgres_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/storagetest"
)

// TestStoreBehindPgBouncer proves that its transaction mode is enough: three
// connections to the server, and each transaction gets any of them.
func TestStoreBehindPgBouncer(t *testing.T) {
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip("no PgBouncer here: install pgbouncer to test the store behind it")
	}
	server, err := pgx.ParseConfig(dsn(t))
	require.NoError(t, err)
	password := ""
	if server.Password != "" {
		password = " password='" + server.Password + "'"
	}
	port := freePort(t)
	ini := filepath.Join(t.TempDir(), "pgbouncer.ini")
	require.NoError(t, os.WriteFile(ini, fmt.Appendf(nil, `[databases]
%s = host=%s port=%d user=%s%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
`, server.Database, server.Host, server.Port, server.User, password, port), 0o600))
	args := []string{"-q", ini}
	if os.Getuid() == 0 { // as which it does not run
		args = append(args, "-u", "postgres")
	}
	cmd := exec.CommandContext(t.Context(), bin, args...)
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	require.Eventually(t, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		return err == nil && conn.Close() == nil
	}, time10s, tick)
	storagetest.Run(t, harness(" sslmode=disable host=127.0.0.1 port="+port))
}
