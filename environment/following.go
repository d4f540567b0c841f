package environment

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// FollowOptions configures Follow and FollowAll. The zero value delivers every
// change from the oldest on, and ends at the consumer's first error.
type FollowOptions struct {
	// FromNow lets a consumer of a new name begin with what is recorded from now on.
	// One that has a place goes on from there. Of an environment that is created while
	// FollowAll runs, it gets everything.
	FromNow bool

	// Types, Kinds and Field select the changes to deliver, as in history.Query; types
	// by name or label. The consumer's place moves past the others: a later Follow with
	// another selection does not go back for them. Empty selects all but imports.
	Types []string
	Kinds []history.Kind
	Field string

	// Retry is the pause before a change is handed to the consumer again that it has
	// failed on. Each further pause is twice as long, up to RetryMax. Changes behind it
	// wait, so that their order holds. 0 ends with the consumer's error.
	Retry time.Duration

	// RetryMax is the longest pause, at least Retry. Defaults to a minute, or to Retry if that is
	// longer.
	RetryMax time.Duration

	// WaitForWho is how long a change waits, from when it was recorded, for the org's audits to
	// say who made it. Changes behind it wait, so that their order holds. One of which nothing is
	// known by then is delivered as it is. Defaults to 0: no change waits.
	WaitForWho time.Duration

	// Attributed is handed a change again that the consumer has had before it was settled who made
	// it, each time that Change.Who has become another: somebody is named, a late audit corrects
	// that, or it is settled that nobody will be. Such changes come in the order of the log,
	// before newer ones, at least once over restarts; an error counts as the consumer's.
	// One that the consumer has had before audits were read at all is not handed again.
	// Defaults to nil: what comes later is not delivered.
	Attributed Consumer
}

// following is one consumer's delivery from one environment.
type following struct {
	engine   *Engine
	history  *history.History
	id       int64
	consumer string
	f        Consumer
	opts     FollowOptions
	failed   error // the consumer's, with which the delivery ends

	edition uint64 // of what is known of who made changes, as the consumer was told last
	waiting uint64 // the change that waits for who made it
	since   time.Time
}

func (e *Engine) following(id int64, consumer string, f Consumer, opts *FollowOptions) (*following, error) {
	fo := &following{engine: e, id: id, consumer: consumer, f: f}
	if opts != nil {
		fo.opts = *opts
	}
	fo.opts.Types = nil
	if opts != nil {
		for _, named := range opts.Types {
			name, err := e.typeName(named)
			if err != nil {
				return nil, err
			}
			fo.opts.Types = append(fo.opts.Types, name)
		}
	}
	for _, kind := range fo.opts.Kinds {
		if !slices.Contains(history.Kinds(), kind) {
			return nil, fmt.Errorf("environment: %q is no kind of change; they are %q", kind, history.Kinds())
		}
	}
	if fo.opts.Field != "" {
		if _, err := diff.ParsePath(fo.opts.Field); err != nil {
			return nil, fmt.Errorf("environment: field: %w", err)
		}
	}
	if fo.opts.Retry < 0 || fo.opts.RetryMax < 0 {
		return nil, fmt.Errorf("environment: a pause of %v is negative; 0 ends at the consumer's first error", min(fo.opts.Retry, fo.opts.RetryMax))
	}
	if fo.opts.WaitForWho < 0 {
		return nil, fmt.Errorf("environment: a wait of %v for who made a change is negative; 0 does not wait", fo.opts.WaitForWho)
	}
	if fo.opts.RetryMax == 0 {
		fo.opts.RetryMax = max(time.Minute, fo.opts.Retry)
	}
	if fo.opts.RetryMax < fo.opts.Retry {
		return nil, fmt.Errorf("environment: the longest pause, %v, is shorter than the first, %v", fo.opts.RetryMax, fo.opts.Retry)
	}
	return fo, checkConsumer(consumer, f)
}

// deliver delivers what there is. The place moves past what is not delivered as
// well, so that nothing is read twice.
func (fo *following) deliver(ctx context.Context, lease *lease) error {
	place, known, err := fo.engine.place(ctx, fo.id, fo.consumer)
	if err != nil {
		return err
	}
	newest, err := fo.history.Cursor(ctx)
	if err != nil {
		return err
	}
	if !known && fo.opts.FromNow {
		return fo.move(ctx, lease, newest)
	}
	if err := fo.tell(ctx, lease); err != nil {
		return err
	}
	if newest <= place {
		return nil
	}
	for change, err := range fo.changes(ctx, place) {
		if err != nil {
			return err
		}
		if fo.waits(ctx, change) {
			return nil
		}
		if err := fo.hand(ctx, fo.f, change); err != nil {
			return err
		}
		place = change.Seq
		var b storage.Batch
		if err := fo.owe(&b, change); err != nil {
			return err
		}
		if err := fo.moveWith(ctx, lease, &b, place); err != nil {
			return err
		}
	}
	if place < newest {
		return fo.move(ctx, lease, newest)
	}
	return nil
}

// changes iterates over the changes behind one that the consumer is to get, of a log that is not
// empty. A type that was never read has none yet: no error, although history says so to those who ask
// for its changes from the first on. So the first change is asked for apart, whatever its type; of
// those behind it history only decodes what is of the types.
func (fo *following) changes(ctx context.Context, after uint64) iter.Seq2[history.Change, error] {
	q := history.Query{AfterSeq: after, Types: fo.opts.Types, Kinds: fo.opts.Kinds, Field: fo.opts.Field}
	if after > 0 || len(q.Types) == 0 {
		return fo.history.Changes(ctx, q)
	}
	first := q
	first.Types, first.BeforeSeq, q.AfterSeq = nil, 2, 1
	return func(yield func(history.Change, error) bool) {
		for c, err := range fo.history.Changes(ctx, first) {
			wanted := err != nil || slices.Contains(fo.opts.Types, c.Type)
			if wanted && !yield(c, err) {
				return
			}
		}
		for c, err := range fo.history.Changes(ctx, q) {
			if !yield(c, err) {
				return
			}
		}
	}
}

// errConsumer ends a delivery because of the consumer's error, which following.failed has. What is
// around a delivery acts on its own errors, and the consumer's may match them: one that asks for
// another environment returns ErrNotFound, one whose own call took too long that of a deadline.
var errConsumer = errors.New("environment: the consumer failed")

// result returns the error of a delivery for its caller.
func (fo *following) result(err error) error {
	if errors.Is(err, errConsumer) {
		return fo.failed
	}
	return err
}

// hand gives a change to the consumer, again and again if it is to be tried again.
func (fo *following) hand(ctx context.Context, f Consumer, change history.Change) error {
	for pause := fo.opts.Retry; ; pause += min(pause, fo.opts.RetryMax-pause) {
		err := f(ctx, change)
		if err == nil {
			return nil
		}
		if fo.opts.Retry == 0 {
			fo.failed = err
			return errConsumer
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fo.engine.opts.Logger.WarnContext(ctx, "a consumer failed and gets the change again", "environment_id", fo.id,
			"consumer", fo.consumer, "seq", change.Seq, "type", change.Type, "pause", pause, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (fo *following) move(ctx context.Context, lease *lease, to uint64) error {
	return fo.moveWith(ctx, lease, new(storage.Batch), to)
}

// moveWith moves the consumer's place, together with what is in the batch.
func (fo *following) moveWith(ctx context.Context, lease *lease, b *storage.Batch, to uint64) error {
	if err := b.PutJSON(ownKey(fo.id, "consumer", fo.consumer), to); err != nil {
		return err
	}
	return fo.commit(ctx, lease, b)
}

func (fo *following) commit(ctx context.Context, lease *lease, b *storage.Batch) error {
	lease.Fence(b)
	// What the consumer has done is done, even if the context ended meanwhile.
	return fo.engine.store.Commit(context.WithoutCancel(ctx), b)
}

// place returns the sequence number up to which a consumer has had the changes.
func (e *Engine) place(ctx context.Context, id int64, consumer string) (seq uint64, known bool, err error) {
	seq, err = storage.GetJSON[uint64](ctx, e.store, ownKey(id, "consumer", consumer))
	if errors.Is(err, storage.ErrNotFound) {
		return 0, false, nil
	}
	return seq, err == nil, err
}
