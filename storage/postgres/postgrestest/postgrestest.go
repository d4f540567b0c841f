// Package postgrestest starts PostgreSQL servers for tests: a real one each, in
// a temporary folder, from the binaries on the machine.
//
// # Which server
//
// The binaries (initdb, postgres) are looked for in the folder that the variable
// CXSYNC_POSTGRES_BIN names, else in /usr/lib/postgresql/*/bin, the newest
// version first, and on the PATH. If the variable CXSYNC_POSTGRES holds a DSN,
// [Start] uses that server instead and starts none. If there is neither, [Start]
// skips the test and says so.
//
// A server listens on a Unix socket only, trusts everyone who can reach it, and
// syncs to the disk like one in production, so that crash tests and benchmarks
// mean something. PostgreSQL refuses to run as root: root starts it as the user
// postgres or nobody.
package postgrestest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Variables of the environment that choose the server.
const (
	DSNVariable = "CXSYNC_POSTGRES"     // DSN of a server to use instead of starting one
	BinVariable = "CXSYNC_POSTGRES_BIN" // folder of the binaries
)

// ErrMissing reports that there is no PostgreSQL on the machine.
var ErrMissing = errors.New("postgrestest: no PostgreSQL here: install its server, or set " + DSNVariable + " to the DSN of one")

// Start returns the DSN of a server for tb: the one that CXSYNC_POSTGRES names,
// which tests share, or else a new one that ends with tb. It skips tb if there
// is none.
func Start(tb testing.TB) string {
	tb.Helper()
	if dsn := os.Getenv(DSNVariable); dsn != "" {
		return dsn
	}
	s, err := Launch(context.WithoutCancel(tb.Context()))
	if errors.Is(err, ErrMissing) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s.DSN()
}

// A Server is a PostgreSQL server in a temporary folder.
type Server struct {
	bin  string // folder of the binaries
	dir  string // holds the data, the socket and the log
	proc *process

	settings []string
}

// Launch starts a new, empty server. It returns ErrMissing if the machine has no
// PostgreSQL. The settings are those of postgresql.conf, as "name=value". Stop
// must be called; on Linux the server ends with this process in any case.
func Launch(ctx context.Context, settings ...string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	// The path of a Unix socket is short, so that of a test's own folder may be
	// too long.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, fmt.Errorf("postgrestest: %w", err)
	}
	s := &Server{bin: bin, dir: dir, settings: settings}
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// create makes the data folder.
func (s *Server) create(ctx context.Context) error {
	if err := handOver(s.dir); err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"),
		"--pgdata="+s.data(), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir = s.dir
	cmd.SysProcAttr = attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("postgrestest: initdb: %w: %s", err, out)
	}
	return nil
}

// start starts the server and waits until it takes connections.
func (s *Server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	defer func() { _ = log.Close() }()
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses="}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(s.bin, "postgres"), args...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = log, log
	if s.proc, err = spawn(cmd); err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	return s.wait(ctx)
}

// wait returns when the server takes connections.
func (s *Server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if exec.CommandContext(ctx, filepath.Join(s.bin, "pg_isready"), "-q", "-h", s.dir).Run() == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.proc.done:
			return fmt.Errorf("postgrestest: the server has ended at once: %s", s.tail())
		case <-ctx.Done():
			return fmt.Errorf("postgrestest: the server takes no connections: %w: %s", ctx.Err(), s.tail())
		}
	}
}

// DSN returns how to connect to the server, as its superuser.
func (s *Server) DSN() string { return "host=" + s.dir + " user=postgres dbname=postgres" }

// Crash kills the server without notice, as pg_ctl stop -m immediate does, and
// starts it again, which recovers what was committed.
func (s *Server) Crash(ctx context.Context) error {
	s.proc.end(immediate)
	return s.start(ctx)
}

// Restart stops the server, which ends all connections, and starts it again.
func (s *Server) Restart(ctx context.Context) error {
	s.proc.end(fast)
	return s.start(ctx)
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	if s.proc != nil {
		s.proc.end(immediate)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }
func (s *Server) log() string  { return filepath.Join(s.dir, "log") }

// tail returns the end of the server's log.
func (s *Server) tail() []byte {
	log, err := os.ReadFile(s.log())
	if err != nil {
		return []byte(err.Error())
	}
	return log[max(0, len(log)-2000):]
}

var versionDir = regexp.MustCompile(`/(\d+)[^/]*/bin$`)

// binaries returns the folder that initdb and postgres are in.
func binaries() (string, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("postgrestest: %w", err)
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if dir := os.Getenv(BinVariable); dir != "" {
		dirs = []string{dir}
	}
	for _, dir := range dirs {
		if isFile(filepath.Join(dir, "postgres")) && isFile(filepath.Join(dir, "initdb")) {
			return dir, nil
		}
	}
	return "", ErrMissing
}

func version(dir string) int {
	m := versionDir.FindStringSubmatch(dir)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // the pattern has digits only
	return n
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
