package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
	"github.com/cxsync/cxsync/storage/postgres/postgrestest"
)

// TestTLS proves that the DSN's sslmode and sslrootcert decide whom to talk to.
func TestTLS(t *testing.T) {
	port := freePort(t)
	t.Setenv("PGPORT", port) // for the server, its clients and pgx alike
	server, err := postgrestest.Launch(t.Context(), "fsync=off", "listen_addresses=127.0.0.1")
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()

	dsn := "host=127.0.0.1 user=postgres dbname=postgres connect_timeout=10 sslmode="
	certificate, key := selfSigned(t)
	_, err = postgres.Open(t.Context(), dsn+"require", nil)
	require.ErrorContains(t, err, "server refused TLS connection")

	conn, err := pgx.Connect(t.Context(), server.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	for file, content := range map[string][]byte{"server.crt": certificate, "server.key": key} {
		_, err = conn.Exec(t.Context(), fmt.Sprintf("COPY (SELECT unnest(string_to_array('%s', E'\\n'))) TO PROGRAM 'umask 077; cat > %s'", content, file))
		require.NoError(t, err)
	}
	_, err = conn.Exec(t.Context(), "ALTER SYSTEM SET ssl = on")
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "SELECT pg_reload_conf()")
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the server reads it when it comes to it
		s, err := postgres.Open(t.Context(), dsn+"require", nil)
		return err == nil && s.Close() == nil
	}, time10s, tick)

	right, wrong := filepath.Join(t.TempDir(), "right.pem"), filepath.Join(t.TempDir(), "wrong.pem")
	require.NoError(t, os.WriteFile(right, certificate, 0o600))
	another, _ := selfSigned(t)
	require.NoError(t, os.WriteFile(wrong, another, 0o600))
	for params, want := range map[string]string{
		"verify-full sslrootcert=" + right:                                "",
		"verify-ca sslrootcert=" + right:                                  "",
		"verify-full sslrootcert=" + wrong:                                "certificate signed by unknown authority",
		"verify-ca sslrootcert=" + wrong:                                  "certificate signed by unknown authority",
		"verify-full host=localhost sslrootcert=" + right:                 "wanted to match localhost",
		"verify-full sslrootcert=" + filepath.Join(t.TempDir(), "no.pem"): "no such file",
	} {
		s, err := postgres.Open(t.Context(), dsn+params, nil)
		if want != "" {
			require.ErrorContains(t, err, want, params)
			require.ErrorContains(t, err, "storage/postgres: ", params)
			continue
		}
		require.NoError(t, err, params)
		var b storage.Batch
		b.Put("a", []byte(params))
		require.NoError(t, s.Commit(t.Context(), &b))
		var encrypted bool
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'cxsync'").Scan(&encrypted))
		require.True(t, encrypted)
		require.NoError(t, s.Close())
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// selfSigned returns a certificate for 127.0.0.1 and its key, as PEM.
func selfSigned(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
