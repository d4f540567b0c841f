package environment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// errTakenOver ends what is done under a lease that another process has taken,
// because this one had not renewed it in time.
var errTakenOver = errors.New("environment: another process has taken over")

// Whoever makes a pass, imports, trims, reads audits or delivers to a consumer acts alone, in all
// processes that share the store. The right to do so is a lease: a key of the store that names its
// holder, with a term. The holder renews it several times within the term; who wants it watches
// for renewals by its own clock, and takes it when the whole term has passed without one.
//
// A process that only stalled does not know that it lost its lease. So every commit under a lease
// is fenced: it requires that the lease is still the one that was acquired. What such a process
// still writes is refused as a whole, and it learns then that it was replaced (errTakenOver).
//
// Leases work between processes. Between the goroutines of one process inProcess does the same
// without a commit; both are needed, and that of the process is taken first.

// A lease is the right to act alone on something of one environment: among all goroutines of this
// process, and among all processes that share the store.
type lease struct {
	*storage.Lease
	over bool // given back, by a commit that also stored the result
}

// finish commits b as the last that is done under the lease, and gives it back.
func (l *lease) finish(ctx context.Context, s storage.Store, b *storage.Batch) error {
	l.ReleaseWith(b)
	err := s.Commit(ctx, b)
	l.over = err == nil
	return err
}

// inProcess says which leases goroutines of this process have, or try to get: at most one
// goroutine for each key.
type inProcess struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // by key; closed when that goroutine is done
}

// take lets the caller try to get a lease, or returns what to wait for.
func (p *inProcess) take(key string) (busy <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ended, ok := p.taken[key]; ok {
		return ended
	}
	p.taken[key] = make(chan struct{})
	return nil
}

// end lets the others try, one of which will succeed.
func (p *inProcess) end(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.taken[key])
	delete(p.taken, key)
}

// The three ways to act alone differ in what they do while somebody else has the lease: tryAlone
// fails, unlessHeld finds out first whether that one still lives, alone waits. The key of the lease
// is made of the environment's ID and name, as in leaseKey.

// tryAlone runs f while nobody else has the lease of that name. If somebody has, it fails at once
// with a *storage.LockedError.
func (e *Engine) tryAlone(ctx context.Context, id int64, f func(context.Context, *lease) error, name ...string) error {
	key := leaseKey(id, name...)
	if e.working.take(key) != nil {
		return &storage.LockedError{Name: key, Holder: e.holder}
	}
	defer e.working.end(key)
	return e.leased(ctx, id, key, f)
}

// unlessHeld is tryAlone, but watches a lease that another process has until that one
// shows that it lives, within a third of the lease's term, or has lost it. So whoever
// asks once in a while is not locked out for good by a process that was killed.
func (e *Engine) unlessHeld(ctx context.Context, id int64, f func(context.Context, *lease) error, name ...string) error {
	key := leaseKey(id, name...)
	var until time.Time
	for {
		err := e.tryAlone(ctx, id, f, name...)
		locked := lockedBy(err, key)
		if locked == nil || locked.Until.IsZero() || !until.IsZero() && !until.Equal(locked.Until) {
			return err
		}
		until = locked.Until
		if err := awaitLook(ctx, locked, e.glance()); err != nil {
			return err
		}
	}
}

// alone waits for the lease of that name and runs f while nobody else has it. If
// another process takes it over meanwhile, alone waits for it once more, and runs f anew.
func (e *Engine) alone(ctx context.Context, id int64, f func(context.Context, *lease) error, name ...string) error {
	key := leaseKey(id, name...)
	for busy := e.working.take(key); busy != nil; busy = e.working.take(key) {
		select {
		case <-busy:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer e.working.end(key)
	for wait := e.opts.Lease / 30; ; wait = min(2*wait, e.glance()) {
		err := e.leased(ctx, id, key, f)
		locked := lockedBy(err, key)
		if locked == nil && !errors.Is(err, errTakenOver) {
			return err
		}
		if err := awaitLook(ctx, locked, wait); err != nil {
			return err
		}
	}
}

// lockedBy returns err if it says that somebody else has the lease of key, else nil.
func lockedBy(err error, key string) *storage.LockedError {
	if locked, ok := errors.AsType[*storage.LockedError](err); ok && locked.Name == key {
		return locked
	}
	return nil
}

// nextLook returns when to look again at a lease that somebody else has: after wait,
// or when it can be taken because its holder showed no sign of life, if that is sooner.
func nextLook(locked *storage.LockedError, wait time.Duration) time.Time {
	look := time.Now().Add(wait)
	if locked != nil && !locked.Until.IsZero() && locked.Until.Before(look) {
		return locked.Until
	}
	return look
}

// awaitLook waits for nextLook.
func awaitLook(ctx context.Context, locked *storage.LockedError, wait time.Duration) error {
	select {
	case <-time.After(time.Until(nextLook(locked, wait))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// newLeases returns the leases of this Engine. Their term is three quarters of Options.Lease:
// others look at one that they wait for each sixth of Options.Lease, so that they take it within
// Options.Lease of its last renewal.
func (e *Engine) newLeases() *storage.Leases {
	return storage.NewLeases(e.store, &storage.LeaseOptions{
		Holder: e.holder, Dead: e.dead, TTL: e.opts.Lease * 3 / 4,
	})
}

// leased runs f under the lease of key, which it renews meanwhile, and gives back unless f did so
// with its last commit. The context of f ends when the lease is lost; the error is errTakenOver
// then. If the environment was deleted meanwhile, that is ErrNotFound, and what f may have written
// after the deletion is removed.
func (e *Engine) leased(ctx context.Context, id int64, key string, f func(context.Context, *lease) error) error {
	acquired, err := e.leases.Acquire(ctx, key)
	if err != nil {
		return err
	}
	l := &lease{Lease: acquired}
	err = e.exists(ctx, id)
	if err == nil {
		err = l.keep(ctx, f)
	}
	if isDeleted(id, err) {
		err = fmt.Errorf("%w with ID %d: it was deleted meanwhile", ErrNotFound, id)
	}
	switch {
	case l.Lost(err):
		return fmt.Errorf("%w: %w", errTakenOver, err)
	case errors.Is(err, ErrNotFound):
		return errors.Join(err, e.sweep(ctx, id))
	case l.over:
		return err
	}
	releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.opts.Lease/4)
	defer cancel()
	if releaseErr := l.Release(releasing); releaseErr != nil {
		// It ends by itself; the work that was done under it is stored.
		e.opts.Logger.WarnContext(ctx, "a lease was not given back", "lease", key, "error", releaseErr)
	}
	return err
}

// keep runs f and renews the lease for as long.
func (l *lease) keep(ctx context.Context, f func(context.Context, *lease) error) error {
	working, stop := context.WithCancelCause(ctx)
	var keeper sync.WaitGroup
	defer keeper.Wait() // also when f panics: nobody else would get the lease
	defer stop(nil)
	keeper.Go(func() {
		if err := l.Keep(working); working.Err() == nil {
			stop(fmt.Errorf("%w: %w", errTakenOver, err))
		}
	})
	err := f(working, l)
	if lost := context.Cause(working); err != nil && errors.Is(lost, errTakenOver) {
		err = lost
	}
	return err
}

// ended reports whether ctx is done, whatever the reason.
func ended(ctx context.Context) bool { return ctx.Err() != nil }

// exists returns ErrNotFound for an environment that is deleted, so that no
// lease outlives it.
func (e *Engine) exists(ctx context.Context, id int64) error {
	_, _, err := e.read(ctx, id)
	return err
}

// isDeleted reports whether a commit was refused because the environment is being deleted, or has
// been: its alive key is not there.
func isDeleted(id int64, err error) bool {
	refused, ok := errors.AsType[*storage.KeyError](err)
	return ok && refused.Key == aliveKey(id) && errors.Is(err, storage.ErrConflict)
}

// sweep removes what was written of an environment after its deletion.
func (e *Engine) sweep(ctx context.Context, id int64) error {
	var b storage.Batch
	b.RequireAbsent(recordKey(id))
	b.DeleteRange(ownRange(id))
	if err := e.store.Commit(ctx, &b); !errors.Is(err, storage.ErrConflict) {
		return err
	}
	return nil
}

// dead reports holders of leases that are known to have ended: those of an earlier opening of a
// store that only one process can open. So after a restart their work is taken up at once.
func (e *Engine) dead(holder string) bool {
	store, ok := e.store.(storage.Exclusive)
	return ok && !strings.HasPrefix(holder, store.Opening()+" ")
}

// holderName is the name under which this Engine holds leases: Options.Instance, and before it the
// opening of the store where that tells the living from the dead; see dead.
func (e *Engine) holderName() string {
	if store, ok := e.store.(storage.Exclusive); ok {
		return store.Opening() + " " + e.opts.Instance
	}
	return e.opts.Instance
}

// instanceOf returns the Options.Instance of a holder.
func (e *Engine) instanceOf(holder string) string {
	if store, ok := e.store.(storage.Exclusive); ok {
		return strings.TrimPrefix(holder, store.Opening()+" ")
	}
	return holder
}
