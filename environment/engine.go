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
	// ErrDenied reports what Options.Authorize did not allow; the error of Authorize is wrapped
	// beside it.
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

	// Transport sends the requests, below quota, retries and login. Defaults to
	// that of genesys.Options.
	Transport http.RoundTripper

	// Catalogue holds the types that environments can sync. Defaults to genesys.DefaultCatalogue().
	Catalogue *genesys.Catalogue

	// Instance names this process among those that share the store; Status shows it. No two
	// processes may have the same name at a time. With a name that a process keeps over restarts,
	// it takes up its own work again at once; otherwise after Lease. Defaults to the host, the
	// process ID and a random number.
	Instance string

	// Lease is how long a process may show no sign of life, because it ended or stalled, before
	// others take over its work. Each process measures that by itself, so their clocks may differ
	// by anything. It must exceed the slowest few commits of the store. Defaults to 30 seconds.
	Lease time.Duration

	// Concurrency is the number of types of one environment that are read at a time, by the
	// schedule and by an import each. Defaults to 4.
	Concurrency int

	// Rotation is the number of passes within which every object is read again, even if its
	// marker does not move, so that an edit that moved no marker is found after all. Each pass
	// reads its share, at least one object. -1 turns that off. Defaults to 168, which is a week
	// of hourly passes.
	Rotation int

	// Authorize is asked before every operation on an environment and can deny it with an error;
	// each Operation says which methods ask. before is the record as it is stored, after as the
	// operation would leave it: before is zero for OpCreate, after for OpDelete, and the two are
	// the same where the record stays as it is. The secret is in neither. What Run does by itself
	// is no operation. Defaults to allowing all.
	Authorize func(ctx context.Context, op Operation, before, after Record) error

	// Begun is called when a pass begins, and returns the context that the pass is made with: the
	// one that it gets, or one made of that. The one that it gets ends with the pass, however that
	// ends. It must be quick and safe for concurrent use.
	Begun func(context.Context, PassStart) context.Context

	// Requested is called for each try of a request, with the context of the request, as soon as
	// its answer begins. It must be quick and safe for concurrent use.
	Requested func(context.Context, RequestEvent)

	// Observer is called after every pass, except passes cancelled by their context. It must be
	// quick and safe for concurrent use. It may read (Get, Status, Forecast, History) and
	// Deliver. Import, and Poll, AcceptRemovals and Forget of the same type, deadlock: they wait
	// for the pass that Observer is called in.
	Observer func(PassEvent)

	// Logger gets what happens; secrets never. Its attributes are environment (the name),
	// environment_id and type. Defaults to silence.
	Logger *slog.Logger
}

// An Engine keeps the environments of one store and syncs them. It is safe for concurrent use.
//
// What has to outlive the process is in the store. An Engine itself only has what can be made or
// learned anew: open sessions, what the client may read, hints, and who waits for news.
type Engine struct {
	store  storage.Store
	opts   Options
	holder string // under which this Engine holds leases
	leases *storage.Leases
	models map[string]history.Model // by type, for questions to a history

	opening  gate               // guards sessions
	sessions map[int64]*session // open environments, by ID
	working  inProcess          // what goroutines of this process do alone
	polling  sync.Map           // environment ID -> *poller.Poller, while Run polls it
	changed  *broadcast         // a record was changed by this process
	recorded sync.Map           // environment ID -> *broadcast: a pass of this process ended
	heard    sync.Map           // environment ID -> *hints
}

// Open returns the Engine of a store. It starts nothing, makes no request and leaves closing the
// store to the caller. A nil opts has the defaults.
func Open(store storage.Store, opts *Options) (*Engine, error) {
	if store == nil {
		return nil, errors.New("environment: a store is required")
	}
	e := &Engine{
		store: store, opening: newGate(), sessions: map[int64]*session{},
		working: inProcess{taken: map[string]chan struct{}{}}, changed: newBroadcast(),
	}
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

// Close gives back the quota that this process has reserved and not used, so that the next process
// has it at once; without Close it counts as used for about a window of the limit. No method of the
// Engine may be running; the store stays open.
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

// History returns what was recorded of an environment, to be queried: what changed
// (history.Query), who changed it, how an object or everything was at a time. Its questions take
// types by name or label. It is read-only: methods that write fail with history.ErrReadOnly.
// What is kept is changed by Forget, AcceptRemovals, Delete and Record.RetentionDays, which ask
// Options.Authorize and for a confirmation in production.
func (e *Engine) History(ctx context.Context, id int64) (*history.History, error) {
	if _, err := e.Get(ctx, id); err != nil {
		return nil, err
	}
	return e.historyOf(ctx, id)
}

// historyOf is History for who was authorized already.
func (e *Engine) historyOf(ctx context.Context, id int64) (*history.History, error) {
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
