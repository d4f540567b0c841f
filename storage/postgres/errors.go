package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cxsync/cxsync/storage"
)

// Codes of errors, as the appendix of PostgreSQL's manual lists them.
const (
	serializationFailure    = "40001"
	deadlockDetected        = "40P01"
	lockNotAvailable        = "55P03"
	insufficientPrivilege   = "42501"
	invalidTransactionState = "25000" // of commit_batch: it is not in READ COMMITTED
	readOnlyTransaction     = "25006"
	dataCorrupted           = "XX001"
	indexCorrupted          = "XX002"
)

func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// storedNothing reports whether err says that a commit stored nothing and may
// succeed the next time.
func storedNothing(err error) bool {
	switch code(err) {
	case serializationFailure, deadlockDetected, lockNotAvailable:
		return true
	}
	return false
}

// wrongDSN returns why pgx cannot parse a DSN, without the DSN: pgx quotes it, and
// in one of keywords it leaves the password readable that has blanks around it or
// quotes in it.
func wrongDSN(err error) error {
	text, reason := err.Error(), "keywords and values or a URL are expected"
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		reason = text[i+len("`: "):]
	}
	return errors.New("storage/postgres: cannot parse the DSN: " + reason)
}

// failed returns the error of a call for err, which concerns key unless it is
// empty.
func (s *Store) failed(ctx context.Context, key string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return &storage.KeyError{Key: key, Err: storage.ErrNotFound}
	}
	s.refresh(ctx, err)
	switch c := code(err); {
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	case c == dataCorrupted, c == indexCorrupted:
		err = fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
		if key != "" {
			return &storage.KeyError{Key: key, Err: err}
		}
	case c == insufficientPrivilege:
		err = fmt.Errorf("%w: %s", err, s.grants())
	default:
		err = explained(err)
	}
	return fmt.Errorf("storage/postgres: %w", err)
}

// explained returns err with what helps against it, if that is known.
func explained(err error) error {
	if code(err) == readOnlyTransaction {
		return fmt.Errorf("%w: a standby, or default_transaction_read_only: let the DSN name the primary or have target_session_attrs=read-write", err)
	}
	return err
}

// broken reports whether err is the end of a connection, such as a restart of
// the server is, and not the end of ctx.
func broken(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil || errors.Is(err, pgx.ErrNoRows) {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Severity == "FATAL" || e.Severity == "PANIC"
	}
	return true
}

// refresh drops all connections of the pool if err is the end of one: what has
// ended one has often ended all, and the next calls would each find out.
func (s *Store) refresh(ctx context.Context, err error) bool {
	if !broken(ctx, err) {
		return false
	}
	s.pool.Reset()
	return true
}

// read calls f, which only reads, and does so again if it met the end of a
// connection that was open before.
func (s *Store) read(ctx context.Context, f func() error) error {
	err := f()
	if _, refused := errors.AsType[*pgconn.ConnectError](err); !refused && s.refresh(ctx, err) {
		return f()
	}
	return err
}
