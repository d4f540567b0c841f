package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// migrations are the steps from each version of the schema to the next, in the
// order of their names. A step that is out is never changed: another one follows.
//
//go:embed migrations/*.sql
var migrations embed.FS

// steps returns the migrations: the first leads to version 1, and so on.
func steps() ([]string, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, f := range files {
		sql, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, string(sql))
	}
	return all, nil
}

// A condition is what prepare finds in the database.
type condition struct {
	ServerVersion          int
	Encoding, Client, Role string // encodings of the database and of the connection
	Database               string
	Standby                bool
	Exists, Usage, Create  bool // the schema, and rights in it
	CreateSchema           bool // the right to
	Versioned, ReadVersion bool // there is a table of versions, and the right to read it
	Entries                bool // all rights on the entries
	Version                int  // 0 if the schema is empty
}

const conditionSQL = `
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('client_encoding'), current_user::text, current_database()::text,
	pg_is_in_recovery(), n.oid IS NOT NULL,
	coalesce(has_schema_privilege(n.oid, 'USAGE'), false), coalesce(has_schema_privilege(n.oid, 'CREATE'), false),
	has_database_privilege(current_database(), 'CREATE'),
	v.oid IS NOT NULL, coalesce(has_table_privilege(v.oid, 'SELECT'), false),
	coalesce(has_table_privilege(e.oid, 'SELECT') AND has_table_privilege(e.oid, 'INSERT')
		AND has_table_privilege(e.oid, 'UPDATE') AND has_table_privilege(e.oid, 'DELETE'), false)
FROM (SELECT) one
LEFT JOIN pg_namespace n ON n.nspname = $1::text
LEFT JOIN pg_class v ON v.relnamespace = n.oid AND v.relname = 'schema_version'
LEFT JOIN pg_class e ON e.relnamespace = n.oid AND e.relname = 'entries'`

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (s *Store) inspect(ctx context.Context, q querier) (c condition, err error) {
	err = q.QueryRow(ctx, conditionSQL, mode, s.opts.Schema).Scan(&c.ServerVersion, &c.Encoding, &c.Client, &c.Role, &c.Database, &c.Standby,
		&c.Exists, &c.Usage, &c.Create, &c.CreateSchema, &c.Versioned, &c.ReadVersion, &c.Entries)
	if err != nil || !c.Versioned || !c.Usage || !c.ReadVersion {
		return c, err
	}
	err = q.QueryRow(ctx, s.opts.qualify(`SELECT coalesce(max(version), 0) FROM {{schema}}.schema_version`), mode).Scan(&c.Version)
	return c, err
}

// prepare checks that the store can be used, and migrates it where it must.
func (s *Store) prepare(ctx context.Context) error {
	all, err := steps()
	if err != nil {
		return err
	}
	c, err := s.inspect(ctx, s.pool)
	if err != nil {
		return err
	}
	if err := s.check(c, len(all)); err != nil {
		return err
	}
	for c.Version < len(all) {
		if c, err = s.migrate(ctx, all); err != nil {
			return err
		}
	}
	if !c.Entries {
		return s.denied(c, "use the tables", s.grants())
	}
	return nil
}

// minServer is the oldest version of the server that the tests have seen.
const minServer = 150_000

// check returns why the store cannot be used or brought to the newest version.
func (s *Store) check(c condition, newest int) error {
	schema := pgx.Identifier{s.opts.Schema}.Sanitize()
	role, database := pgx.Identifier{c.Role}.Sanitize(), pgx.Identifier{c.Database}.Sanitize()
	switch {
	case c.ServerVersion < minServer:
		return fmt.Errorf("the server is PostgreSQL %d, at least %d is needed", c.ServerVersion/10_000, minServer/10_000)
	case c.Encoding != "UTF8":
		return fmt.Errorf("database %s has the encoding %s: create one with ENCODING 'UTF8'", database, c.Encoding)
	case c.Client != "UTF8":
		return fmt.Errorf("the connections of the pool have the client_encoding %s: set it to UTF8", c.Client)
	case c.Exists && !c.Usage, c.Versioned && !c.ReadVersion:
		return s.denied(c, "use the schema", s.grants())
	case c.Version > newest:
		return fmt.Errorf("it has version %d, this program knows up to version %d: run a newer program", c.Version, newest)
	case c.Version == newest:
		return nil
	case c.Standby:
		return errors.New("the server is a standby: let the DSN name the primary or have target_session_attrs=read-write")
	case s.opts.NoMigrate:
		return fmt.Errorf("it has version %d, this program needs version %d: open it once without Options.NoMigrate, as a role that may create tables in it", c.Version, newest)
	case !c.Exists && !c.CreateSchema:
		return s.denied(c, "create the schema", fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s, or CREATE SCHEMA %s AUTHORIZATION %s", database, role, schema, role))
	case c.Exists && !c.Create:
		return s.denied(c, "create tables", fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s", schema, role))
	}
	return nil
}

func (s *Store) denied(c condition, what, grant string) error {
	return fmt.Errorf("role %q may not %s: run as its owner: %s", c.Role, what, grant)
}

// grants is what a role needs that uses a store and does not own it.
func (s *Store) grants() string {
	return strings.Join([]string{
		s.opts.qualify("GRANT USAGE ON SCHEMA {{schema}} TO the role"),
		s.opts.qualify("GRANT SELECT ON {{schema}}.schema_version TO the role"),
		s.opts.qualify("GRANT SELECT, INSERT, UPDATE, DELETE ON {{schema}}.entries TO the role"),
	}, "; ")
}

// migrate takes the next step, unless another process has taken it meanwhile.
func (s *Store) migrate(ctx context.Context, all []string) (c condition, err error) {
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		l := locks{schema: s.opts.Schema}
		// Whoever migrates now ends soon, and a lock_timeout of the server is for other things.
		const lock = `SELECT set_config('lock_timeout', '0', true), pg_advisory_xact_lock($1)`
		if _, err := tx.Exec(ctx, lock, mode, l.number("")); err != nil {
			return err
		}
		if c, err = s.inspect(ctx, tx); err != nil {
			return err
		}
		if c.Version >= len(all) {
			return s.check(c, len(all))
		}
		sql := all[c.Version]
		if !c.Versioned {
			sql = versionSQL + sql
		}
		if !c.Exists {
			sql = "CREATE SCHEMA {{schema}};" + sql
		}
		// Without parameters pgx sends several statements at once, as they are. Their
		// literals are those of the standard.
		sql = "SET LOCAL standard_conforming_strings = on;" + sql
		if _, err := tx.Conn().PgConn().Exec(ctx, s.opts.qualify(sql)).ReadAll(); err != nil {
			return fmt.Errorf("migrating to version %d: %w", c.Version+1, err)
		}
		if _, err := tx.Exec(ctx, s.opts.qualify(`INSERT INTO {{schema}}.schema_version (version) VALUES ($1)`), mode, c.Version+1); err != nil {
			return err
		}
		c, err = s.inspect(ctx, tx)
		return err
	})
	return c, err
}

const versionSQL = `
CREATE TABLE {{schema}}.schema_version (
	version  integer PRIMARY KEY,
	migrated timestamptz NOT NULL DEFAULT now()
);`
