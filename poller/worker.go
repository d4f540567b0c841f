package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// errExited is the error of a run whose job ended its goroutine, as testing's FailNow does.
var errExited = errors.New("poller: job called runtime.Goexit")

// work serves the queue until it is empty or the context ends.
func (p *Poller) work(ctx context.Context) {
	defer p.leave() // also when a job ends the goroutine
	for {
		o, f := p.dequeue(ctx)
		if o == nil {
			return
		}
		p.serve(ctx, o, f)
	}
}

func (p *Poller) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers--
	if len(p.queue) > 0 {
		p.notify()
	}
}

// dequeue makes the next object busy. Its firing is nil if there is only a time to save.
func (p *Poller) dequeue(ctx context.Context) (*object, *Firing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 && ctx.Err() == nil {
		o := p.queue[0]
		p.queue = p.queue[1:]
		o.queued = false
		f := o.pending
		if f == nil && !o.unsaved {
			continue // stopped by a change of the plan
		}
		o.busy, o.pending, o.unsaved, o.stopped = true, nil, false, false
		if f != nil {
			f.Started = clockTime()
			f.Lag = max(0, f.Started.Sub(f.planned))
			o.running, o.lastDue, o.lastStart, o.lastLag = true, f.Due, f.Started, f.Lag
		}
		return o, f
	}
	return nil, nil
}

func (p *Poller) serve(ctx context.Context, o *object, f *Firing) {
	defer p.release(o)
	if f == nil {
		p.save(ctx, o, Firing{Object: o.name})
		return
	}
	p.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "run started", slog.String("object", f.Object), slog.Time("due", f.Due), slog.Duration("lag", f.Lag))
	err := errExited
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		p.conclude(ctx, o, *f, err)
	}()
	err = p.job(ctx, *f)
}

// conclude records the outcome of a run.
func (p *Poller) conclude(ctx context.Context, o *object, f Firing, err error) {
	interrupted := err != nil && ctx.Err() != nil
	deferred, ok := errors.AsType[*DeferredError](err)
	if ok && !interrupted {
		p.postpone(o, f, deferred.Until)
		return
	}
	p.mu.Lock()
	o.running, o.lastEnd, o.lastErr = false, clockTime(), err
	if !interrupted {
		o.settled = earlier(later(o.settled, f.Due), o.lastEnd)
	}
	p.mu.Unlock()
	if interrupted {
		return
	}
	if err != nil {
		p.report(ctx, f, "run failed", err)
	}
	p.save(ctx, o, f)
}

// postpone makes a firing pending again, unless its object was stopped meanwhile.
func (p *Poller) postpone(o *object, f Firing, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.running = false
	if !o.stopped {
		p.request(o, f)
		p.hold(o, until)
	}
}

// save hands the object's time to the State, also when the context ended while the run came to its end.
func (p *Poller) save(ctx context.Context, o *object, f Firing) {
	p.mu.Lock()
	settled := o.settled
	p.mu.Unlock()
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := p.opts.State.Save(saving, o.name, settled); err != nil {
		p.report(ctx, f, "time not saved", fmt.Errorf("poller: save the time of %s: %w", o.name, err))
	}
}

func (p *Poller) report(ctx context.Context, f Firing, what string, err error) {
	p.opts.Logger.LogAttrs(ctx, slog.LevelWarn, what, slog.String("object", f.Object), slog.Time("due", f.Due), slog.Any("error", err))
	p.opts.OnError(f, err)
}

// release lets the object's next run start.
func (p *Poller) release(o *object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.busy = false
	p.resume(o)
}
