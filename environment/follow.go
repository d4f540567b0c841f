package environment

import (
	"context"
	"errors"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// A Consumer is a function that changes are handed to. Its context ends when
// another process takes over from this one.
type Consumer = func(context.Context, history.Change) error

// Deliver hands every change that the named consumer has not had yet to f, in
// order, and returns. The consumer's place is stored after each call of f that
// returns nil, so that over restarts each change is delivered at least once. An
// error of f ends Deliver with that error, and the change comes again. First
// sights of an import are not delivered. A change that retention removes before
// the consumer had it is not either.
//
// At most one caller, in all processes, delivers to a consumer at a time. While
// another Deliver or Follow does, Deliver fails with storage.ErrLocked: at once if it is
// in this process, and else when the other process has shown that it lives. From one
// that does not, Deliver takes over within Options.Lease.
func (e *Engine) Deliver(ctx context.Context, id int64, consumer string, f Consumer) error {
	h, err := e.History(ctx, id)
	if err != nil {
		return err
	}
	return e.unlessHeld(ctx, id, func(ctx context.Context, lease *lease) error {
		return e.deliver(ctx, lease, h, id, consumer, f)
	}, "consumer", consumer)
}

// Follow delivers as Deliver does, and goes on with what is recorded later, by
// this process or another, until ctx ends; it then returns nil. While somebody
// else delivers to the consumer, Follow waits and takes over when that one ends.
// The error is f's, or that of a store that fails, such as storage.ErrFailed.
func (e *Engine) Follow(ctx context.Context, id int64, consumer string, f Consumer) error {
	h, err := e.History(ctx, id)
	if err != nil {
		return err
	}
	err = e.alone(ctx, id, func(ctx context.Context, lease *lease) error {
		for {
			news := e.recordedOf(id).next()
			if err := e.deliver(ctx, lease, h, id, consumer, f); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-news:
			case <-time.After(e.glance()):
			}
		}
	}, "consumer", consumer)
	if ended(ctx) {
		return nil
	}
	return err
}

// recordedOf tells when this process has recorded something of an environment.
func (e *Engine) recordedOf(id int64) *broadcast {
	b, _ := e.recorded.LoadOrStore(id, newBroadcast())
	return b.(*broadcast)
}

// deliver delivers what there is. The place moves past what is not delivered as
// well, so that nothing is read twice.
func (e *Engine) deliver(ctx context.Context, lease *lease, h *history.History, id int64, consumer string, f Consumer) error {
	key := ownKey(id, "consumer", consumer)
	place, err := storage.GetJSON[uint64](ctx, e.store, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	newest, err := h.Cursor(ctx)
	if err != nil || newest <= place {
		return err
	}
	move := func(to uint64) error {
		var b storage.Batch
		if err := b.PutJSON(key, to); err != nil {
			return err
		}
		lease.Fence(&b)
		place = to
		// What f has done is done, even if the context ended meanwhile.
		return e.store.Commit(context.WithoutCancel(ctx), &b)
	}
	for change, err := range h.Changes(ctx, history.Query{AfterSeq: place}) {
		if err != nil {
			return err
		}
		if err := f(ctx, change); err != nil {
			return err
		}
		if err := move(change.Seq); err != nil {
			return err
		}
	}
	if place < newest {
		return move(newest)
	}
	return nil
}
