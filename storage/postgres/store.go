package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxsync/cxsync/storage"
)

// A Store is a storage.Store in a schema of a PostgreSQL database. It is a
// [storage.ManyGetter] too.
type Store struct {
	pool  *pgxpool.Pool
	owned bool // the pool ends with the store
	opts  Options
	sql   statements

	// isolates says that commits begin a transaction in READ COMMITTED, because the
	// server's default is another isolation.
	isolates atomic.Bool

	// held has a token for each connection that scans keep while the caller's
	// code runs. It leaves enough of the pool to everything else.
	held chan struct{}

	closing  sync.Once
	closed   atomic.Bool    // changes under mu
	underway sync.WaitGroup // calls; added to under mu, and not once closed
	mu       sync.Mutex
	scans    map[*scan]struct{} // those that hold a connection
}

var _ interface {
	storage.Store
	storage.ManyGetter
} = (*Store)(nil)

// statements are the statements with the name of the schema in them.
type statements struct{ get, getMany, commit, entries string }

// Open connects to a database and opens the store in it, which it creates if it
// does not exist. The DSN is a URL or a list of keywords and values as libpq
// and pgx have them, and what it leaves out comes from the PG* variables of the
// environment; pool_max_conns and its like set up the pool. Close closes all
// connections.
func Open(ctx context.Context, dsn string, opts *Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, wrongDSN(err)
	}
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = cmp.Or(params["application_name"], "cxsync")
	params["client_encoding"] = "UTF8" // pgx knows no other
	config.ConnConfig.BuildContextWatcherHandler = cancelOnServer
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("storage/postgres: %w", err)
	}
	s, err := New(ctx, pool, opts)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.owned = true
	return s, nil
}

// cancelOnServer ends what waits on the server when its context ends, and waits
// for the answer, so that its outcome is known.
func cancelOnServer(conn *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 2 * time.Second}
}

// New opens the store in the database of pool, which it creates if it does not
// exist. The pool stays the caller's: Close leaves it open. See Connections.
func New(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*Store, error) {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("storage/postgres: %w", err)
	}
	s := &Store{
		pool: pool, opts: o, scans: map[*scan]struct{}{},
		held: make(chan struct{}, pool.Config().MaxConns/2),
		sql: statements{
			get:     o.qualify(`SELECT value FROM {{schema}}.entries WHERE key = $1`),
			getMany: o.qualify(`SELECT key, value FROM {{schema}}.entries WHERE key = ANY ($1)`),
			commit:  o.qualify(`SELECT {{schema}}.commit_batch($1, $2, $3, $4, $5, $6, $7, $8, $9)`),
			entries: o.qualify(`{{schema}}.entries`),
		},
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("storage/postgres: opening schema %q: %w", o.Schema, explained(err))
	}
	return s, nil
}

// mode runs a statement in one round trip and leaves nothing on the server, so
// that it works behind a proxy that gives each transaction another connection.
const mode = pgx.QueryExecModeCacheDescribe

// ready returns why the store does nothing, if so.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return storage.ErrClosed
	}
	return nil
}

// begin begins a call, which Close waits for until done.
func (s *Store) begin(ctx context.Context) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	s.underway.Add(1)
	return s.underway.Done, nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key string) (value []byte, err error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, err
	}
	done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	err = s.read(ctx, func() error { return s.pool.QueryRow(ctx, s.sql.get, mode, key).Scan(&value) })
	if err != nil {
		return nil, s.failed(ctx, key, err)
	}
	return value, nil
}

// GetMany implements storage.ManyGetter, in one round trip and from one
// snapshot.
func (s *Store) GetMany(ctx context.Context, keys []string) (values map[string][]byte, err error) {
	for _, key := range keys {
		if err := storage.CheckKey(key); err != nil {
			return nil, err
		}
	}
	done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if len(keys) == 0 {
		return map[string][]byte{}, nil
	}
	err = s.read(ctx, func() error {
		values = make(map[string][]byte, len(keys))
		rows, err := s.pool.Query(ctx, s.sql.getMany, mode, keys)
		if err != nil {
			return err
		}
		var e storage.Entry
		_, err = pgx.ForEachRow(rows, []any{&e.Key, &e.Value}, func() error {
			values[e.Key] = e.Value
			e.Value = nil
			return nil
		})
		return err
	})
	if err != nil {
		return nil, s.failed(ctx, "", err)
	}
	return values, nil
}

// Close implements storage.Store.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed.Store(true)
		s.mu.Unlock()
		s.underway.Wait()
		s.mu.Lock()
		scans := slices.Collect(maps.Keys(s.scans)) // nobody adds to them any more
		s.mu.Unlock()
		for _, sc := range scans {
			sc.end()
		}
		if s.owned {
			s.pool.Close()
		}
	})
	return nil
}
