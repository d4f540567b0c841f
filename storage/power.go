package storage

import (
	"context"
	"io"
)

// A Backuper is a Store that can write a copy of itself while it is in use.
type Backuper interface {
	// Backup writes one consistent snapshot to w, in a form that the backend
	// documents. Commits go on meanwhile, however slow w is. After an error
	// what was written is worth nothing.
	Backup(ctx context.Context, w io.Writer) error
}

// A Compacter is a Store that can give back the space of what was deleted. If it
// keeps bytes of deleted values until then, they are gone afterwards.
type Compacter interface {
	// Compact rewrites the data as densely as it can, while the Store is in
	// use. An interrupted Compact leaves the Store as it was.
	Compact(ctx context.Context) error
}

// A Verifier is a Store that can check all that it holds.
type Verifier interface {
	// Verify reads everything and returns nil if all of it is sound, or all
	// that is wrong, joined: errors that match ErrCorrupt, those about values
	// with a KeyError.
	Verify(ctx context.Context) error
}

// An Exclusive Store is one whose data no other process can use while it is open.
type Exclusive interface {
	// Opening returns a name that this opening of the data has and no other one
	// had or will have.
	Opening() string
}
