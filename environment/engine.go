package environment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// Errors that callers branch on, with errors.Is.
var (
	// ErrNotFound reports that there is no environment of that ID or name.
	ErrNotFound = errors.New("environment: no such environment")
	// ErrDenied reports what Options.Authorize did not allow.
	ErrDenied = errors.New("denied")
	// ErrNameTaken reports that another environment has the name.
	ErrNameTaken = errors.New("environment: the name is taken")
	// ErrNoConsumer reports that no consumer of that name has a place in the changes.
	ErrNoConsumer = errors.New("environment: no such consumer")
	// ErrStale reports an update of a record that was changed meanwhile.
	ErrStale = errors.New("environment: the record was changed meanwhile; read it again")
	// ErrUnconfirmed reports that a production environment needs its name as confirmation.
	ErrUnconfirmed = errors.New("environment: this takes the name of the production environment as confirmation")
)

// Options configures an Engine.
type Options struct {
	// Vault keeps the client secrets. Without one, Create refuses a record
	// that has a secret, because it could not be kept.
	Vault Vault

	// Transport is the network. Defaults to genesys's own.
	Transport http.RoundTripper

	// Catalogue holds the types that environments can sync. Defaults to genesys.DefaultCatalogue().
	Catalogue *genesys.Catalogue

	// Instance names this process among those that share the store, to people and
	// to the others; no two may have the same at a time. Give it one that it keeps
	// over restarts, and it takes up its own work again at once, not after Lease.
	// Defaults to the host, the process ID and a random number.
	Instance string

	// Lease is how long a process may show no sign of life, because it ended or
	// stalled, before others take over its work. Others measure it themselves, so the
	// clocks of the processes may differ by anything. It must exceed the time that a
	// few commits take on the store at its slowest. Defaults to 30 seconds.
	Lease time.Duration

	// Concurrency is the number of object types of one environment that are
	// read at a time. Defaults to 4.
	Concurrency int

	// Rotation is the number of passes within which every object is read again,
	// however long its change marker stays: at least one in each pass. -1 turns that
	// off. Defaults to 168, which is a week of hourly passes.
	Rotation int

	// Authorize is asked before every operation on an environment and can deny it
	// with an error. before is the record as it is stored, after as the operation
	// would leave it: before is zero for OpCreate, after for OpDelete, and the two
	// are the same where the record stays as it is. The secret is in neither. What
	// Run does by itself is no operation. Defaults to allowing all.
	Authorize func(ctx context.Context, op Operation, before, after Record) error

	// Begun is told of each pass that begins. It must be as quick as Observer, which is told of
	// the end unless the context of the pass ends it.
	Begun func(PassStart)

	// Requested is told of each try of a request, as soon as its answer begins. It must be quick.
	Requested func(RequestEvent)

	// Observer is told of each pass that ended, but not of one that its context
	// ended. It must be quick and safe for concurrent use. It may read (Get, Status,
	// Forecast, History) and Deliver; but Import, and Poll, AcceptRemovals and Forget
	// of the same type, would wait for the pass that it is told of.
	Observer func(PassEvent)

	// Logger gets what happens; secrets never. Defaults to silence.
	Logger *slog.Logger
}

// An Operation names what Options.Authorize is asked about.
type Operation string

// The operations.
const (
	OpCreate   Operation = "create"
	OpUpdate   Operation = "update"
	OpValidate Operation = "validate"
	OpImport   Operation = "import"
	OpPoll     Operation = "poll"
	OpRead     Operation = "read"
	OpAccept   Operation = "accept removals"
	OpForget   Operation = "forget"
	OpClient   Operation = "use the client"
	OpConsumer Operation = "reset a consumer"
	OpDelete   Operation = "delete"
)

// An Engine keeps the environments of one store and syncs them. It is safe for
// concurrent use.
type Engine struct {
	store  storage.Store
	opts   Options
	holder string // of leases
	leases *storage.Leases
	models map[string]history.Model // by type, for questions to a history

	opening  gate               // guards sessions
	sessions map[int64]*session // open environments, by ID
	working  inProcess
	polling  sync.Map   // environment ID -> *poller.Poller, while Run polls it
	changed  *broadcast // a record changed
	recorded sync.Map   // environment ID -> *broadcast: a pass ended
	heard    sync.Map   // environment ID -> *hints
}

// Open returns the Engine of a store. It starts nothing and leaves closing the
// store to the caller.
func Open(store storage.Store, opts *Options) (*Engine, error) {
	if store == nil {
		return nil, errors.New("environment: a store is required")
	}
	e := &Engine{store: store, opening: newGate(), sessions: map[int64]*session{}, working: inProcess{taken: map[string]chan struct{}{}}, changed: newBroadcast()}
	if opts != nil {
		e.opts = *opts
	}
	if e.opts.Logger == nil {
		e.opts.Logger = slog.New(slog.DiscardHandler)
	}
	if e.opts.Concurrency < 0 {
		return nil, fmt.Errorf("environment: Concurrency is %d; it counts object types read at a time", e.opts.Concurrency)
	}
	if e.opts.Lease < 0 {
		return nil, fmt.Errorf("environment: Lease is %v; it is the time after which others take over", e.opts.Lease)
	}
	e.opts.Concurrency = cmp.Or(e.opts.Concurrency, 4)
	e.opts.Lease = cmp.Or(e.opts.Lease, 30*time.Second)
	e.opts.Instance = cmp.Or(e.opts.Instance, storage.NewHolder())
	e.holder = e.holderName()
	e.leases = e.newLeases()
	if e.opts.Catalogue == nil {
		e.opts.Catalogue = genesys.DefaultCatalogue()
	}
	e.models = models(e.opts.Catalogue)
	return e, nil
}

// Create checks the record, gives it an ID and stores it. It makes no request;
// see Validate. The errors are *InvalidError and ErrNameTaken.
func (e *Engine) Create(ctx context.Context, r Record) (Record, error) {
	if err := e.authorize(ctx, OpCreate, Record{}, r); err != nil {
		return r, err
	}
	if err := r.Check(e.opts.Catalogue); err != nil {
		return r, err
	}
	r = r.withDefaults()
	now := time.Now().UTC()
	r.Created, r.Updated, r.Revision, r.Paused, r.Deleting = now, now, 1, false, time.Time{}
	err := storage.Update(ctx, e.store, func(b *storage.Batch) error {
		id, err := storage.Sequence(ctx, e.store, b, sequenceKey, 1)
		if err != nil {
			return err
		}
		r.ID = int64(id)
		if err := e.claimName(ctx, b, r); err != nil {
			return err
		}
		b.Put(aliveKey(r.ID), alive)
		return e.put(ctx, b, r)
	})
	if err != nil {
		return r, fmt.Errorf("environment: create %q: %w", r.Name, err)
	}
	e.changed.notify()
	e.warn(ctx, r)
	return r.withoutSecret(), nil
}

// warn logs what Validate and Forecast say more about: what a record says that may
// not be meant, and a plan that does not fit the quota.
func (e *Engine) warn(ctx context.Context, r Record) {
	e.logDoubts(r)
	s, err := e.session(ctx, r.ID)
	if err != nil {
		return // a hook that has no secret yet, say; whatever uses the session reports it
	}
	if f, err := s.forecast(ctx); err == nil && !f.Fits {
		e.opts.Logger.WarnContext(ctx, "the polling plan takes more requests than the limit allows",
			"environment", r.Name, "environment_id", r.ID, "requests_a_day", f.PerDay, "limit_a_day", f.LimitPerDay)
	}
}

// Close gives back the quota that was not used, so that the next process has it at
// once. Nothing of the Engine may be in use; the store stays open.
func (e *Engine) Close(ctx context.Context) error {
	return e.opening.do(ctx, func() error {
		var errs []error
		for _, s := range e.sessions {
			errs = append(errs, s.limiter.Flush(ctx))
		}
		clear(e.sessions)
		return errors.Join(errs...)
	})
}

// UpdateOptions configures one Update or Put.
type UpdateOptions struct {
	// Confirm is the name of the production environment whose history or guard the
	// update takes away; see Record.IsProduction. Without it, such an update is
	// ErrUnconfirmed.
	Confirm string
}

// Update replaces the record of the same ID. An empty ClientSecret leaves the
// secret as it is; an update that names another client or host must give the
// secret again. Only Pause and Resume change Paused. A changed plan, limit or rule
// takes effect at once. The errors are *InvalidError, ErrNotFound, ErrNameTaken,
// ErrStale and ErrUnconfirmed.
func (e *Engine) Update(ctx context.Context, r Record, opts *UpdateOptions) (Record, error) {
	if err := r.Check(e.opts.Catalogue); err != nil {
		return r, err
	}
	var o UpdateOptions
	if opts != nil {
		o = *opts
	}
	r = r.withDefaults()
	revision := r.Revision
	err := storage.Update(ctx, e.store, func(b *storage.Batch) error {
		old, raw, err := e.read(ctx, r.ID)
		if err != nil {
			return err
		}
		r.Created, r.Updated, r.Revision = old.Created, time.Now().UTC(), revision+1
		r.Paused, r.Deleting = old.Paused, time.Time{}
		if err := e.authorize(ctx, OpUpdate, old, r); err != nil {
			return err
		}
		if !old.Deleting.IsZero() {
			return fmt.Errorf("%w: %q is being deleted", ErrNotFound, old.Name)
		}
		if old.Revision != revision {
			return ErrStale
		}
		if loss := old.lossBy(r); loss != "" {
			if err := old.confirmed(o.Confirm, loss); err != nil {
				return err
			}
		}
		if err := e.checkAudience(ctx, old, r); err != nil {
			return err
		}
		b.Require(recordKey(r.ID), raw)
		if foldName(old.Name) != foldName(r.Name) {
			b.Delete(nameKey(foldName(old.Name)))
			if err := e.claimName(ctx, b, r); err != nil {
				return err
			}
		}
		return e.put(ctx, b, r)
	})
	if err != nil {
		return r, fmt.Errorf("environment: update %d: %w", r.ID, err)
	}
	e.changed.notify()
	e.warn(ctx, r)
	return r.withoutSecret(), nil
}

// History returns what was recorded of an environment, to read: what writes fails
// with history.ErrReadOnly. Types are named by name or label there. Forget, AcceptRemovals, Delete and Record.RetentionDays
// change what is kept; they ask Options.Authorize, and confirm in production.
func (e *Engine) History(ctx context.Context, id int64) (*history.History, error) {
	if _, err := e.Get(ctx, id); err != nil {
		return nil, err
	}
	var h *history.History
	h, err := history.Open(ctx, e.store, id, &history.Options{
		Logger: e.opts.Logger, Models: e.models,
		Resolve: func(named string) (string, error) { return e.recordedType(ctx, h, named) },
	})
	if err != nil {
		return nil, err
	}
	return h.ReadOnly(), nil
}

func (e *Engine) authorize(ctx context.Context, op Operation, before, after Record) error {
	if e.opts.Authorize == nil {
		return nil
	}
	if err := e.opts.Authorize(ctx, op, before.withoutSecret(), after.withoutSecret()); err != nil {
		return fmt.Errorf("environment: %s of %q %w: %w", op, cmp.Or(before.Name, after.Name), ErrDenied, err)
	}
	return nil
}
