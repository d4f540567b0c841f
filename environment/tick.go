package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// What happens at a tick of the schedule. Every process that runs an environment has a
// poller for it, and the pollers do not know of each other: each calls onTick for each tick. So
// three things can be true here: nobody has made the pass, which makes this process try for its
// lease; another process is making it, and then this one looks again later, because that one may
// die; or the tick has had its pass, as its due time in the store tells, and nothing is left to
// do. A tick is over only when that due time is stored, by the same commit that ends the pass.

// retryUnavailable is how long a type that this client cannot read is left alone: its ticks make
// no request meanwhile. Poll and Import ask at once.
const retryUnavailable = 24 * time.Hour

// onTick is the poller's job: it makes the pass that a tick asks for, unless another process makes
// it. A *poller.DeferredError says that the tick is not served yet.
func (e *Engine) onTick(ctx context.Context, id int64, f poller.Firing, times *ownTimes) error {
	s, err := e.online(ctx, id, "")
	if errors.Is(err, ErrSealed) {
		times.unable.Store(f.Type, f.Due)
	}
	if err != nil {
		return err
	}
	t, ok := s.client.Catalogue().Lookup(f.Type)
	if !ok {
		return fmt.Errorf("environment: unknown type %s", f.Type)
	}
	state, err := s.typeState(ctx, f.Type)
	if err != nil {
		return err
	}
	if state.Unavailable != "" && s.since(state.Checked) < retryUnavailable {
		return nil
	}
	err = s.tryPass(ctx, t, f.Due)
	if busy, ok := errors.AsType[*storage.LockedError](err); ok {
		// Once it is free, the due time tells whether there is still something to do.
		return &poller.DeferredError{Until: nextLook(busy, e.glance())}
	}
	if errors.Is(err, errTakenOver) { // the other process makes the pass, or dies within the term
		return &poller.DeferredError{Until: time.Now().Add(e.opts.Lease)}
	}
	if late, ok := errors.AsType[*ratelimit.DeadlineError](err); ok {
		return &poller.DeferredError{Until: late.Free} // after Run, so that the tick is left to whoever runs next
	}
	return err
}
