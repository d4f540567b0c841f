// Package storage defines where cxsync keeps what it knows: an ordered
// key-value [Store] with snapshot scans and atomic, conditional commits.
//
// Three backends come with the module: storage/memory, storage/file and, as a
// module of its own, storage/postgres.
//
// # How to write a backend
//
// Implement the four methods of [Store], whose comment is the whole contract, and
// call the suite from a test:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, storagetest.Harness{
//			Open: func(tb testing.TB) storage.Store { ... }, // a new, empty store
//		})
//	}
//
// The Example named backend below is one in 90 lines, a map under a mutex, which
// passes the suite. What takes thought:
//
//   - Get: check the key with [CheckKey], return a copy of the value, and a
//     [KeyError] with ErrNotFound.
//   - Scan: take a snapshot when the iteration starts, not when Scan is called;
//     hold no lock and no connection that the body may need while it runs; compare
//     keys as bytes, whatever the collation of the database.
//   - Commit: check the batch with [Batch.Check]; check all [Batch.Requirements] with
//     [Requirement.Met] against the state before; then apply [Batch.Ops] in order, all
//     in one transaction that is serializable. Return the [Requirement.Conflict] of the
//     one that is not met. When the outcome is unknown, say so by any other
//     error: the packages above read again.
//   - Close: let commits finish, then answer everything with ErrClosed, also the next
//     step of a scan that is still open.
//
// A backend that keeps data gives the Harness Reopen and Crash as well. On top of
// these four methods, leases ([Leases]), sequences ([Sequence]) and quotas work
// alike everywhere; nothing else is asked of a backend.
//
// # Errors
//
// Callers branch on [ErrNotFound], [ErrConflict], [ErrClosed], [ErrFailed],
// [ErrCorrupt], [ErrLocked] and [ErrInvalid] with [errors.Is]. [KeyError] carries the key
// that an error is about, [LockedError] the holder of a lock or lease.
//
// # Optional powers
//
// What only some backends can do is a small interface of its own, found by a
// type assertion:
//
//   - [ManyGetter] reads many keys at the price of one. A pass uses it for each
//     commit; worth it where a read is a round trip.
//   - [Exclusive] says that no other process has the data, so that the work of a
//     process that was killed is taken up at once, not when its leases end.
//   - [Backuper], [Compacter] and [Verifier] are for programs that look after a
//     store. The packages above do not call them.
package storage

import (
	"context"
	"iter"
)

// Limits that every Store accepts. A Batch beyond them is refused whole, with
// ErrInvalid.
const (
	MaxKeySize   = 1 << 10  // bytes of a key
	MaxValueSize = 32 << 20 // bytes of a value
	MaxBatchSize = 64 << 20 // bytes of a Batch, as Batch.Size counts them
)

// A Store is an ordered map from keys to values. The clauses below are the
// whole contract; the suite in storagetest has a test for each.
//
// Keys are valid UTF-8 without NUL, 1 to MaxKeySize bytes long, and ordered
// bytewise, whatever the collation of the database underneath. [Key] makes one
// from any strings. Values are opaque: 0 to MaxValueSize bytes that come back
// exactly as they went in. An empty value is a value; it may come back as nil.
//
// Visibility: a commit becomes visible at one instant, before Commit returns,
// and from then on every Get and every Scan that starts sees it.
//
// Durability: once Commit has returned nil, its effect survives the end of the
// process. A backend says in its own documentation if it also survives a power
// failure, or if, like memory, it keeps nothing. What a Get or Scan has
// returned may be relied upon as much as the result of a Commit.
//
// Concurrency: all methods may be called by any number of goroutines at once,
// on this Store and on others over the same data, from inside the body of a
// Scan as well. Commits are serializable: the result is as if they had run one
// after the other.
//
// Contexts: a method whose context has ended before it takes effect does
// nothing and returns an error that matches the context's. Waiting, for a lock
// or for the network, ends when the context does.
//
// Aliasing: the caller owns what Get and Scan return, and may change it and
// keep it. A Store keeps no Batch after Commit has returned, but may keep the
// values in it, which no one can change.
//
// Closing: Close lets commits that are underway finish. After it every method
// returns ErrClosed, and a Scan that is still open ends with ErrClosed. Closing
// again returns nil.
//
// Damage: a value that is not what was stored is reported as ErrCorrupt with
// its key and never returned. After an error that leaves its state uncertain,
// such as a failed fsync, a Store refuses everything with ErrFailed until it is
// opened again; it never reports a success that it is not sure of.
type Store interface {
	// Get returns the value of key, or ErrNotFound. A key that no Store
	// accepts is reported with ErrInvalid.
	Get(ctx context.Context, key string) ([]byte, error)

	// Scan iterates over the entries of r in the order of their keys. Each
	// iteration sees one consistent snapshot, taken when it starts: all
	// commits that returned before, nothing of any later one. The sequence
	// may be iterated many times, each time anew.
	//
	// An iteration holds no lock while the body runs: the body may take its
	// time, call any method, commit to the range that it iterates over, and
	// stop early. An error is yielded once, with a zero Entry, and ends the
	// iteration.
	Scan(ctx context.Context, r Range) iter.Seq2[Entry, error]

	// Commit applies b: everything in it or nothing. Its requirements are
	// checked against the state just before it; one that does not hold fails
	// the Commit with ErrConflict and the key. Then its operations apply in
	// their order, so that the last one on a key wins. A Batch beyond the
	// limits is refused with ErrInvalid. An empty Batch changes nothing. The
	// Batch itself is not changed and may be committed again.
	//
	// After ErrConflict, ErrInvalid and ErrClosed nothing was stored. After
	// any other error the outcome is unknown: the whole Batch was stored or
	// nothing of it. The same Batch may then be committed again, at any time
	// before a commit of someone else to its keys. Without requirements a
	// second application changes nothing. With a requirement on a key that
	// the Batch itself gives a new value, a first application shows as
	// ErrConflict and as that new value under the key.
	Commit(ctx context.Context, b *Batch) error

	// Close releases what the Store holds.
	Close() error
}

// An Entry is a key and its value.
type Entry struct {
	Key   string
	Value []byte
}
