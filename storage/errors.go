package storage

import (
	"errors"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/internal/printable"
)

// Errors that callers branch on, with errors.Is.
var (
	// ErrNotFound reports that a key has no value.
	ErrNotFound = errors.New("not found")
	// ErrConflict reports that a requirement of a Batch does not hold.
	ErrConflict = errors.New("conflict: not the required value")
	// ErrClosed reports that the Store is closed.
	ErrClosed = errors.New("storage: store is closed")
	// ErrFailed reports a Store that refuses everything after an error that left its
	// state uncertain. It stays so until it is opened again.
	ErrFailed = errors.New("failed and must be opened again")
	// ErrCorrupt reports stored data that is not what was written.
	ErrCorrupt = errors.New("corrupt data")
	// ErrLocked reports that someone else holds a store or a lease.
	ErrLocked = errors.New("locked")
	// ErrInvalid reports a key, value or Batch that no Store accepts.
	ErrInvalid = errors.New("invalid")
)

// A KeyError is an error about one key.
type KeyError struct {
	Key string
	Err error
}

func (e *KeyError) Error() string { return fmt.Sprintf("storage: key %q: %v", e.Key, e.Err) }

// Unwrap returns the reason.
func (e *KeyError) Unwrap() error { return e.Err }

// A LockedError says who holds a store or a lease. It matches ErrLocked.
type LockedError struct {
	Name   string    // what is locked: the path of a store, the key of a lease
	Holder string    // who holds it, as far as known
	Until  time.Time // when a lease can be taken unless its holder renews it; zero for a store
}

func (e *LockedError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "someone unknown"
	}
	if e.Until.IsZero() {
		return printable.Text(fmt.Sprintf("storage: %s is locked by %s", e.Name, holder))
	}
	return printable.Text(fmt.Sprintf("storage: %s is locked by %s; it can be taken at %s unless it is renewed",
		e.Name, holder, e.Until.Format(time.RFC3339)))
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }
