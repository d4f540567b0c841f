package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
)

// How runs are made. There are as many workers as the queue needs, Concurrency at most; each goes
// when the queue is empty. A type that a worker has is busy, which keeps its next run out of the
// queue.

// errExited is the error of a run whose job ended its goroutine, as testing's FailNow does.
var errExited = errors.New("poller: job called runtime.Goexit")

// work serves the queue until it is empty or the context ends.
func (p *Poller) work(ctx context.Context) {
	defer p.leave() // also when a job ends the goroutine
	for {
		t, f := p.dequeue(ctx)
		if t == nil {
			return
		}
		p.serve(ctx, t, f)
	}
}

// leave ends a worker. A job may have ended its goroutine with types left in the queue.
func (p *Poller) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers--
	if len(p.queue) > 0 {
		p.notify()
	}
}

// dequeue makes the next type busy. Its firing is nil if there is only a time to save.
func (p *Poller) dequeue(ctx context.Context) (*polledType, *Firing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 && ctx.Err() == nil {
		t := p.queue[0]
		p.queue = p.queue[1:]
		t.queued = false
		f := t.pending
		if f == nil && !t.unsaved {
			continue // stopped by a change of the plan
		}
		t.busy, t.pending, t.unsaved, t.stopped = true, nil, false, false
		if f != nil {
			f.Started = clockTime()
			f.Lag = max(0, f.Started.Sub(f.planned))
			t.running, t.lastDue, t.lastStart, t.lastLag = true, f.Due, f.Started, f.Lag
		}
		return t, f
	}
	return nil, nil
}

// serve makes a run, or saves a time if f is nil. A job that panics costs its own run only.
func (p *Poller) serve(ctx context.Context, t *polledType, f *Firing) {
	defer p.release(t)
	if f == nil {
		p.save(ctx, t, Firing{Type: t.name})
		return
	}
	p.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "run started", slog.String("type", f.Type), slog.Time("due", f.Due), slog.Duration("lag", f.Lag))
	err := errExited
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		p.conclude(ctx, t, *f, err)
	}()
	err = p.job(ctx, *f)
}

// conclude records the outcome of a run. One that failed is settled like one that succeeded: it
// comes again at the next tick and not before. Only a run that was interrupted, or that the job put
// off, is not settled.
func (p *Poller) conclude(ctx context.Context, t *polledType, f Firing, err error) {
	interrupted := err != nil && ctx.Err() != nil
	deferred, ok := errors.AsType[*DeferredError](err)
	if ok && !interrupted {
		p.postpone(t, f, deferred.Until)
		return
	}
	p.mu.Lock()
	t.running, t.lastEnd, t.lastErr = false, clockTime(), err
	if !interrupted {
		t.settled = instant.Earlier(instant.Later(t.settled, f.Due), t.lastEnd)
	}
	p.mu.Unlock()
	if interrupted {
		return
	}
	if err != nil {
		p.report(ctx, f, "run failed", err)
	}
	p.save(ctx, t, f)
}

// postpone makes a firing pending again, unless its type was stopped meanwhile.
func (p *Poller) postpone(t *polledType, f Firing, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.running = false
	if !t.stopped {
		p.request(t, f)
		p.hold(t, until)
	}
}

// save hands the type's time to the State, also when the context ended while the run came to its
// end.
func (p *Poller) save(ctx context.Context, t *polledType, f Firing) {
	p.mu.Lock()
	settled := t.settled
	p.mu.Unlock()
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := p.opts.State.Save(saving, t.name, settled); err != nil {
		p.report(ctx, f, "time not saved", fmt.Errorf("poller: save the time of %s: %w", t.name, err))
	}
}

// report tells of a failure.
func (p *Poller) report(ctx context.Context, f Firing, what string, err error) {
	p.opts.Logger.LogAttrs(ctx, slog.LevelWarn, what, slog.String("type", f.Type), slog.Time("due", f.Due), slog.Any("error", err))
	p.opts.OnError(f, err)
}

// release lets the type's next run start.
func (p *Poller) release(t *polledType) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.busy = false
	p.resume(t)
}
