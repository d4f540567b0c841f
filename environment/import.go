package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// An import is a pass over each selected type, under one number. The number is stored when the
// import begins, and each pass stores it with what it remembers of its type. So after a kill it is
// known which types are done, and all processes agree on it. The lease to import makes imports of
// one environment follow each other; whoever waited for it finds that the import it was going to
// make has been made.

// resumeWithin is how long an interrupted import can be resumed. After that
// what it has read counts as old, and everything is read again.
const resumeWithin = time.Hour

// ImportOptions configures one import.
type ImportOptions struct {
	// OnProgress is called after each type. Calls are serial and block the import. It may read,
	// Deliver and Poll. Do not call Import from it: that deadlocks.
	OnProgress func(Progress)
}

// ImportResult sums up an import.
type ImportResult struct {
	Started time.Time    `json:"started"`
	Ended   time.Time    `json:"ended"`
	Types   []PassResult `json:"types"`   // passes that ended, in that order; unavailable types among them
	Failed  []TypeError  `json:"failed"`  // types whose pass failed
	Resumed int          `json:"resumed"` // types that were done before: by an interrupted import or another process
}

// newImportResult returns one whose lists are [] in JSON when they are empty.
func newImportResult() ImportResult {
	return ImportResult{Types: []PassResult{}, Failed: []TypeError{}}
}

// A TypeError says why a type could not be read.
type TypeError struct {
	Type string
	Err  error
}

func (e TypeError) Error() string { return e.Err.Error() }

// MarshalJSON writes the type and the text of the reason.
func (e TypeError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"type": e.Type, "error": e.Err.Error()})
}

// Unwrap returns the reason.
func (e TypeError) Unwrap() error { return e.Err }

// Import reads every selected type now, parents first, and records what is new or changed. What is
// there at the first pass over a type is recorded as imported; consumers see what changes from then
// on. An import after the first is a pass over each type: it resets nothing, and what changed since
// is a change. So a program may import at each start. Requests are sent with interactive priority.
//
// Import goes on past a type that fails; those are in the result. The error is for what stops an
// import: a refused login (genesys.ErrUnauthorized), an outage, a store that fails, a context that
// ended or has a deadline before which the quota has no slot (*ratelimit.DeadlineError).
//
// An import that was stopped within the last hour is resumed: types it had done are not read
// again. A call during a running import joins it; if another process runs it, its types count as
// Resumed in the result.
func (e *Engine) Import(ctx context.Context, id int64, opts *ImportOptions) (ImportResult, error) {
	s, err := e.online(ctx, id, OpImport)
	if err != nil {
		return newImportResult(), err
	}
	asked, imports := time.Now(), s.imports.Load()
	before, err := s.lastImport(ctx)
	if err != nil {
		return newImportResult(), err
	}
	result := newImportResult()
	err = e.alone(ctx, id, func(ctx context.Context, lease *lease) error {
		if s.imports.Load() > imports {
			result = s.imported // it was under way when this one was called
			return nil
		}
		im := &importing{session: s, lease: lease, began: asked, before: before, result: newImportResult()}
		if opts != nil {
			im.opts = *opts
		}
		err := im.run(ratelimit.WithPriority(ctx, ratelimit.Interactive))
		if result = im.result; err == nil {
			s.imported = result
			s.imports.Add(1)
		}
		return err
	}, "import")
	return result, err
}

// importing is one import at work.
type importing struct {
	*session
	lease *lease
	opts  ImportOptions

	before importState // the newest import when this one was called
	state  importState // this import; an older one if it is resumed
	began  time.Time   // when this call began; the import may be older

	mu       sync.Mutex // guards what follows
	progress Progress
	left     map[string]float64 // by type: requests that those to be done may take
	result   ImportResult
	fatal    error // what stops the import
}

// run makes the import, under its lease: one level of the catalogue after the other, so that
// parents come before what is listed under them.
func (im *importing) run(ctx context.Context) error {
	if _, err := im.permissions(ctx, im.began); err != nil {
		return err
	}
	if err := im.learnTime(ctx); err != nil {
		return err
	}
	if err := im.begin(ctx); err != nil {
		return err
	}
	types := im.engine.Selected(im.record)
	todo, err := im.unfinished(ctx, types)
	if err != nil {
		return err
	}
	im.result.Resumed = len(types) - len(todo)
	im.progress.Types, im.progress.Done = len(types), im.result.Resumed
	all := im.engine.opts.Catalogue.Levels(todo)
	for i, level := range all {
		if err := im.estimate(ctx, all[i:]); err != nil {
			return err
		}
		im.all(ctx, level)
		if im.fatal != nil {
			return im.fatal
		}
	}
	im.result.Ended = instant.Later(im.result.Started, im.now())
	if err := im.trim(ctx, im.lease); err != nil {
		return err
	}
	return im.finish(ctx)
}

// all reads types side by side, none of which is listed under another.
func (im *importing) all(ctx context.Context, types []genesys.ObjectType) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan genesys.ObjectType)
	var wg sync.WaitGroup
	for range min(im.engine.opts.Concurrency, len(types)) {
		wg.Go(func() {
			for t := range queue {
				if ctx.Err() != nil {
					continue
				}
				result, err := im.pass(ctx, t, occasion{importing: im.state.Number})
				if im.done(ctx, t, result, err); im.failed() {
					stop(im.fatal)
				}
			}
		})
	}
	for _, t := range types {
		if ctx.Err() == nil {
			queue <- t
		}
	}
	close(queue)
	wg.Wait()
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.fatal == nil && ctx.Err() != nil {
		im.fatal = context.Cause(ctx)
	}
}

// failed reports whether the import has to stop.
func (im *importing) failed() bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.fatal != nil
}

// done notes the end of one pass, and whether its error stops the import.
func (im *importing) done(ctx context.Context, t genesys.ObjectType, result PassResult, err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	switch {
	case im.fatal != nil:
		return
	case err == nil && result.Type == "":
		im.result.Resumed++
	case err == nil:
		im.result.Types = append(im.result.Types, result)
	case ctx.Err() != nil || stopsImport(err):
		im.fatal = err
		return
	default:
		im.result.Failed = append(im.result.Failed, TypeError{t.Name, err})
	}
	im.progress.Done++
	im.progress.Objects += result.Objects
	im.progress.Requests += result.Requests
	im.progress.Last, im.progress.Err = result, err
	delete(im.left, t.Name)
	im.progress.End = im.end(time.Now())
	if im.opts.OnProgress != nil {
		im.opts.OnProgress(im.progress)
	}
}

// stopsImport reports whether the next type would fail the same way: after a refused login, an
// outage, a deadline, and everything that is not about reading the org, such as a failing store.
func stopsImport(err error) bool {
	_, reading := errors.AsType[*readError](err)
	_, outage := errors.AsType[*outageError](err)
	return !reading || outage || errors.Is(err, genesys.ErrUnauthorized) || tooLate(err)
}

// importState numbers the imports of an environment.
type importState struct {
	Number  int64     `json:"number"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
}

// begin finds out which import this one is, and stores that. It is a new one, unless one was
// interrupted less than an hour ago, or another process has ended one since this one was called:
// then it goes on with that one's number, in the latter case with nothing left to do.
func (im *importing) begin(ctx context.Context) error {
	state, err := im.lastImport(ctx)
	if err != nil {
		return err
	}
	wasOver := !state.Ended.IsZero() && state.Number == im.before.Number && state.Ended.Equal(im.before.Ended)
	if state.Number == 0 || wasOver || state.Ended.IsZero() && im.since(state.Started) >= resumeWithin {
		state = importState{Number: state.Number + 1, Started: im.now()}
	}
	im.state, im.result.Started = state, state.Started
	var b storage.Batch
	if err := b.PutJSON(im.stateKey(), im.state); err != nil {
		return err
	}
	im.lease.Fence(&b)
	return im.engine.store.Commit(ctx, &b)
}

// finish stores that the import is over, and gives its lease back.
func (im *importing) finish(ctx context.Context) error {
	im.state.Ended = im.result.Ended
	var b storage.Batch
	if err := b.PutJSON(im.stateKey(), im.state); err != nil {
		return err
	}
	return im.lease.finish(ctx, im.engine.store, &b)
}

func (im *importing) stateKey() string { return ownKey(im.record.ID, "import") }

// unfinished returns the types that this import has not read yet.
func (im *importing) unfinished(ctx context.Context, types []genesys.ObjectType) ([]genesys.ObjectType, error) {
	known, err := im.overview(ctx)
	if err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	var todo []genesys.ObjectType
	for _, t := range types {
		if known.states[t.Name].Imported != im.state.Number {
			todo = append(todo, t)
		}
	}
	return todo, nil
}

// lastImport returns what is stored of the newest import, the zero importState if there was none.
func (s *session) lastImport(ctx context.Context) (importState, error) {
	state, err := storage.GetJSON[importState](ctx, s.engine.store, ownKey(s.record.ID, "import"))
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return state, err
}
