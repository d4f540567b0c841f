package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
)

// A Consumer is a function that changes are handed to. Its context ends when
// another process takes over from this one.
type Consumer = func(context.Context, history.Change) error

// Deliver hands every change that the named consumer has not had yet to f, in
// order, and returns. The consumer's place is stored after each call of f that
// returns nil, so that over restarts each change is delivered at least once. A
// consumer of a new name begins with the oldest change. An
// error of f ends Deliver with that error, and the change comes again. First
// sights of an import are not delivered. A change that retention removes before
// the consumer had it is not either.
//
// At most one caller, in all processes, delivers to a consumer at a time. While
// another Deliver or Follow does, Deliver fails with storage.ErrLocked: at once if it is
// in this process, and else when the other process has shown that it lives. From one
// that does not, Deliver takes over within Options.Lease.
func (e *Engine) Deliver(ctx context.Context, id int64, consumer string, f Consumer) error {
	following, err := e.follower(ctx, id, consumer, f, nil)
	if err != nil {
		return err
	}
	return following.result(e.unlessHeld(ctx, id, following.deliver, "consumer", consumer))
}

// checkConsumer refuses what can be no consumer's name, and a consumer that cannot be called.
func checkConsumer(consumer string, f Consumer) error {
	switch {
	case consumer == "":
		return errors.New("environment: a consumer needs a name, under which its place is kept")
	case len(consumer) > 200 || !isPrintable(consumer):
		return fmt.Errorf("environment: %q is no name of a consumer: want at most 200 bytes that can be printed",
			printable.Brief(consumer, 100))
	case f == nil:
		return fmt.Errorf("environment: the consumer %q has no function to call", consumer)
	}
	return nil
}

// Follow delivers as Deliver does, and goes on with what is recorded later, by
// this process or another, until ctx ends; it then returns nil. While somebody
// else delivers to the consumer, Follow waits and takes over when that one ends.
// The error is f's, unless opts says to try again, or that of a store that fails,
// such as storage.ErrFailed. A nil opts is the zero one.
func (e *Engine) Follow(ctx context.Context, id int64, consumer string, f Consumer, opts *FollowOptions) error {
	following, err := e.follower(ctx, id, consumer, f, opts)
	if err != nil {
		return err
	}
	err = e.alone(ctx, id, func(ctx context.Context, lease *lease) error {
		for {
			news := e.recordedOf(id).next()
			if err := following.deliver(ctx, lease); err != nil {
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
	return following.result(err)
}

// follower returns the delivery to a consumer, if the caller may have it: to deliver moves
// the consumer's place, for whoever else delivers to it as well.
func (e *Engine) follower(ctx context.Context, id int64, consumer string, f Consumer, opts *FollowOptions) (*following, error) {
	r, err := e.Get(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpConsumer, r, r)
	}
	if err == nil && !r.Deleting.IsZero() {
		err = fmt.Errorf("%w: %q is being deleted", ErrNotFound, r.Name)
	}
	if err != nil {
		return nil, err
	}
	following, err := e.following(id, consumer, f, opts)
	if err != nil {
		return nil, err
	}
	following.history, err = e.historyOf(ctx, id)
	return following, err
}

// recordedOf tells when this process has recorded something of an environment.
func (e *Engine) recordedOf(id int64) *broadcast {
	b, _ := e.recorded.LoadOrStore(id, newBroadcast())
	return b.(*broadcast)
}
