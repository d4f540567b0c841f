package history

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// Errors that callers branch on, with errors.Is. Errors of the store are
// wrapped: storage.ErrConflict means that a requirement of Options.Fence or
// Fenced does not hold, or that somebody else trims the same history.
var (
	// ErrNotFound reports an object that did not exist at the time asked for.
	ErrNotFound = errors.New("not found")
	// ErrTrimmed reports a time before what retention has left of an object.
	ErrTrimmed = errors.New("trimmed by retention")
	// ErrUnknown reports a question that cannot be answered because its time is before the first
	// pass over a type, or because the type was never seen.
	ErrUnknown = errors.New("unknown")
	// ErrBody reports an object that cannot be recorded: its body is not JSON, too
	// large or nested too deep, or its id is not UTF-8, empty or too long.
	ErrBody = errors.New("unusable body")
	// ErrSuperseded reports the use of a Pass after a newer one over the same
	// type began.
	ErrSuperseded = errors.New("superseded by a newer pass")
	// ErrDeleted reports a history whose Delete has begun.
	ErrDeleted = errors.New("history is deleted")
	// ErrReadOnly reports a write by a History that ReadOnly returned.
	ErrReadOnly = errors.New("history is read-only")
)

// Options are the settings of a History. The zero value is ready to use.
type Options struct {
	// Logger gets what a pass withheld and why. Silent by default.
	Logger *slog.Logger

	// BatchObjects bounds the objects of one commit, until a pass has committed four times as many:
	// from then on a quarter of those. A commit also ends at 12 MiB of bodies, and with the first
	// call that finds its oldest object waiting for 10 seconds, or a minute in an import. Defaults
	// to 500. A negative number is an error of Open.
	BatchObjects int

	// Rotation is the number of passes within which every object is read again,
	// however long its marker stays: at least one in each pass. -1 turns that off.
	// Defaults to 168, which is a week of hourly passes.
	Rotation int

	// Fence adds to every commit what the caller requires for it, such as a
	// lease: who has lost it cannot write. Defaults to nothing.
	Fence func(*storage.Batch)

	// Resolve returns the name of the type that a person has named, by its label for
	// instance, or an error that says what would be right. Every question that names a
	// type asks it; what writes takes names as they are. Defaults to taking every name as it is.
	Resolve func(named string) (string, error)

	// Clock tells the time that changes and passes are recorded with, such as that of
	// the org. Defaults to the clock of this machine.
	Clock Clock

	// Models say, for some types, what their bodies mean. Questions about references, comparisons
	// and exports need them. Defaults to none: objects are known by their names.
	Models map[string]Model
}

// Bounds of one commit of a pass, beside Options.BatchObjects.
const (
	batchBytes  = 12 << 20         // of the bodies that wait
	batchDelay  = 10 * time.Second // that the oldest one waits: how late a change shows
	importDelay = time.Minute      // the same until a pass has come to its end, as nobody waits for what is imported
)

// withDefaults returns a copy of o, which may be nil, with defaults for what is not set.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.BatchObjects = cmp.Or(c.BatchObjects, 500)
	c.Rotation = cmp.Or(c.Rotation, 168)
	if c.Clock == nil {
		c.Clock = localClock
	}
	return c
}

// A History records and answers what changed in one environment. It is safe for
// concurrent use, and so are several of them over one store, in one process or
// many. It holds nothing that needs to be closed.
type History struct {
	*shared
	fences   []func(*storage.Batch)
	readOnly bool
}

// shared is what a History and its Fenced ones have in common.
type shared struct {
	store       storage.Store
	environment int64
	keys        keys
	opts        Options
	secret      *[32]byte      // that digests are keyed with
	plain       *diff.Comparer // ignores nothing and knows no sets

	// writing holds a token while a commit is in the making. Correctness does not need it, as
	// commits require what they have read; it spares this process most of the second tries.
	writing chan struct{}

	mu       sync.Mutex
	passes   map[string]*Pass    // the newest pass of each type
	ruleSets map[string]*ruleSet // by fingerprint
	compiled map[string]*ruleSet // the same, by the rules as they are given: each pass gives those of its type
	unions   map[[2]string]*diff.Comparer
}

// Open returns the history of one environment that is kept in store. It writes
// nothing but, in a new store, the secret that digests are keyed with.
func Open(ctx context.Context, store storage.Store, environment int64, opts *Options) (*History, error) {
	h := &History{shared: &shared{
		store:       store,
		environment: environment,
		keys:        newKeys(environment),
		opts:        opts.withDefaults(),
		writing:     make(chan struct{}, 1),
		passes:      map[string]*Pass{},
		ruleSets:    map[string]*ruleSet{},
		compiled:    map[string]*ruleSet{},
		unions:      map[[2]string]*diff.Comparer{},
	}}
	if opts != nil && opts.Fence != nil {
		h.fences = []func(*storage.Batch){opts.Fence}
	}
	if h.opts.BatchObjects < 0 {
		return nil, fmt.Errorf("history: BatchObjects is %d, want a positive number or 0 for the default", h.opts.BatchObjects)
	}
	var err error
	if h.plain, err = diff.Compile(diff.Rules{}); err != nil {
		return nil, err
	}
	if h.secret, err = openSecret(ctx, store); err != nil {
		return nil, fmt.Errorf("history: opening: %w", err)
	}
	return h, nil
}

// Fenced returns the same history for one task, whose every commit also requires
// what fence adds to it, such as the lease under which the task is done.
func (h *History) Fenced(fence func(*storage.Batch)) *History {
	return &History{shared: h.shared, fences: append(slices.Clone(h.fences), fence), readOnly: h.readOnly}
}

// ReadOnly returns the same history for those who only read. What writes fails with ErrReadOnly:
// Begin, AcceptRemovals, Attribute, Trim unless it is a dry run, Forget and Delete.
func (h *History) ReadOnly() *History {
	return &History{shared: h.shared, fences: h.fences, readOnly: true}
}

// fence adds to b what every commit requires.
func (h *History) fence(b *storage.Batch) {
	for _, f := range h.fences {
		f(b)
	}
}

// openSecret returns the secret of the store and makes one if it has none. All environments of a
// store share it. Of two that make one at the same time the first one counts, for both.
//
// It is secret from those who edit an org, and who could otherwise write two bodies with one digest,
// so that an edit goes unnoticed. Those who read the store need no such trick: it lies there in
// plain text, beside the bodies.
func openSecret(ctx context.Context, store storage.Store) (*[32]byte, error) {
	var secret [32]byte
	text, err := storage.GetJSON[string](ctx, store, secretKey)
	if errors.Is(err, storage.ErrNotFound) {
		rand.Read(secret[:]) // never fails
		var b storage.Batch
		b.RequireAbsent(secretKey)
		if err := b.PutJSON(secretKey, hex.EncodeToString(secret[:])); err != nil {
			return nil, err
		}
		if err := store.Commit(ctx, &b); !errors.Is(err, storage.ErrConflict) {
			return &secret, err
		}
		text, err = storage.GetJSON[string](ctx, store, secretKey)
	}
	if err != nil {
		return nil, err
	}
	if n, err := hex.Decode(secret[:], []byte(text)); err != nil || n != len(secret) {
		return nil, &storage.KeyError{Key: secretKey, Err: fmt.Errorf("%w: not a secret of 32 bytes", storage.ErrCorrupt)}
	}
	return &secret, nil
}
