package environment

import (
	"context"
	"errors"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// Deliver hands every change that the named consumer has not had yet to f, in
// order, and returns. The consumer's place is stored after each call of f that
// returns nil, so that over restarts each change is delivered at least once. An
// error of f ends Deliver with that error, and the change comes again. First
// sights of an import are not delivered. A change that retention removes before
// the consumer had it is not either.
func (e *Engine) Deliver(ctx context.Context, id int64, consumer string, f func(context.Context, history.Change) error) error {
	h, err := e.History(ctx, id)
	if err != nil {
		return err
	}
	key := ownKey(id, "consumer", consumer)
	place, err := storage.GetJSON[uint64](ctx, e.store, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	for change, err := range h.Changes(ctx, history.Query{AfterSeq: place}) {
		if err != nil {
			return err
		}
		if err := f(ctx, change); err != nil {
			return err
		}
		var b storage.Batch
		if err := b.PutJSON(key, change.Seq); err != nil {
			return err
		}
		// What f has done is done, even if the context ended meanwhile.
		if err := e.store.Commit(context.WithoutCancel(ctx), &b); err != nil {
			return err
		}
	}
	return nil
}

// Follow delivers as Deliver does, and goes on with what this Engine records
// later, until ctx ends; it then returns nil.
func (e *Engine) Follow(ctx context.Context, id int64, consumer string, f func(context.Context, history.Change) error) error {
	for {
		news := e.recorded.next()
		err := e.Deliver(ctx, id, consumer, f)
		if ctx.Err() == nil && err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		}
	}
}
