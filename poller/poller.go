package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
)

// Options are the options of [New].
type Options struct {
	// Concurrency is the largest number of jobs that run at once. Defaults to 4.
	Concurrency int

	// Spread is the window over which types that share a tick start, each at its [Offset] within
	// the window. A window never reaches beyond the type's next tick. Defaults to 0: all are due at
	// the tick.
	Spread time.Duration

	// SpreadKey is the key for Offset. Give pollers with the same types different keys, so that
	// they do not march in step.
	SpreadKey string

	// State keeps intended times over restarts. Defaults to memory: only what passes between two
	// calls of Run is missed.
	State State

	// Logger gets the runs at debug level and their failures as warnings. Defaults to silence.
	Logger *slog.Logger

	// OnError is called when a run fails, or when its time can not be saved. It is called
	// concurrently, before the type's next run can start. A run that fails because the context
	// ended is not reported.
	OnError func(f Firing, err error)
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = 4
	}
	if opts.State == nil {
		opts.State = noState{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.OnError == nil {
		opts.OnError = func(Firing, error) {}
	}
	return opts
}

// maxSleep bounds how late a tick is noticed after the wall clock was set or the machine was
// suspended.
const maxSleep = time.Minute

// saveTimeout bounds one Save, because the end of Run's context does not.
const saveTimeout = 10 * time.Second

// How a tick becomes a run. Every type with a schedule has one next tick, and a place in the agenda
// by the time at which its run is planned to start: the tick and the type's offset within the
// spread. Run sleeps until the first of them is due, makes a Firing of it (agenda.go), and puts the
// type into the queue, from which a bounded number of workers take it (worker.go).
//
// A type has at most one run in progress and one that is pending. Whatever asks for another one
// meanwhile, be it a tick, a trigger or a job that put itself off, is folded into the pending one.
// So a slow job loses no tick and gets no backlog: its next run stands for all ticks that passed.
//
// settled is what is never lost: every tick up to there has had its run. It moves only when a run
// has ended and is saved in the State, so after a kill the ticks behind it are missed ones, and
// lead to one run. A run that the end of Run's context made fail does not move it.

// Poller runs a job for each type at the times of a plan. Its methods may be called concurrently.
type Poller struct {
	job  Job
	opts Options
	wake chan struct{} // Run has something to do before its timer

	mu      sync.Mutex
	active  bool                   // Run is in progress
	known   map[string]*polledType // every type ever polled, since its run may still be in progress
	types   []*polledType          // those to poll, by name
	agenda  agenda                 // those with a next tick
	queue   []*polledType          // those with something to do that no worker has
	held    []*polledType          // those with something to do that was put off until some time
	workers int                    // goroutines that serve the queue
	ticked  time.Time              // when Run last looked, to notice a clock that is set back
}

// New returns a Poller that does nothing before SetPlan and Run. It panics if job is nil.
func New(job Job, opts *Options) *Poller {
	if job == nil {
		panic("poller: New with a nil Job")
	}
	return &Poller{
		job:   job,
		opts:  opts.withDefaults(),
		wake:  make(chan struct{}, 1),
		known: make(map[string]*polledType),
	}
}

// SetPlan makes the poller poll the types, given by name, on the plan's schedules. It takes effect
// at once.
//
// A type whose schedule stays the same is not disturbed. One with a new schedule has its next run
// at the first tick from now on; a run that is due already still happens. A type that is off or no
// longer listed has no further runs; a run in progress goes on.
func (p *Poller) SetPlan(plan *Plan, types []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := clockTime()
	listed := make([]*polledType, 0, len(types))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(types))) {
		t := p.known[name]
		if t == nil {
			t = &polledType{name: name}
			p.known[name] = t
		}
		schedule, _ := plan.Schedule(name)
		p.adopt(t, schedule, now)
		listed = append(listed, t)
	}
	for _, t := range p.types {
		if _, ok := slices.BinarySearchFunc(listed, t.name, (*polledType).compare); !ok {
			p.adopt(t, nil, now)
			t.stop()
		}
	}
	p.types = listed
	p.notify()
}

// Trigger asks for a run of a type now, as a tick would; the type may be off. If one is in progress,
// the run follows it; if one is pending or put off, that one starts as soon as a worker is free. It
// reports false if the type is not among those of SetPlan.
func (p *Poller) Trigger(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := slices.BinarySearchFunc(p.types, name, (*polledType).compare)
	if !ok {
		return false
	}
	now := clockTime()
	t := p.types[i]
	t.held = time.Time{}
	p.hasten(t, now)
	p.request(t, Firing{Type: name, Due: now, Triggered: true, planned: now})
	p.notify()
	return true
}

// Run polls until the context ends, and then waits for the jobs in progress; it leaves no goroutine
// behind and returns nil. What is pending by then is dropped; its ticks are missed ones when Run is
// called again. Run fails if the state can not be loaded or another Run is in progress.
func (p *Poller) Run(ctx context.Context) error {
	saved, err := p.opts.State.Load(ctx)
	if err != nil {
		return fmt.Errorf("poller: load state: %w", err)
	}
	if err := p.begin(saved); err != nil {
		return err
	}
	defer p.end()
	var workers sync.WaitGroup
	defer workers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.mu.Lock()
		now := clockTime()
		p.tick(now, false)
		for range min(len(p.queue), p.opts.Concurrency-p.workers) {
			p.workers++
			workers.Go(func() { p.work(ctx) })
		}
		timer.Reset(p.untilNext(now))
		p.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-p.wake:
		}
	}
	return nil
}

// begin plans the next tick of every type from where it was settled, and requests the runs that were
// missed.
func (p *Poller) begin(saved map[string]time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active {
		return errors.New("poller: Run is in progress already")
	}
	p.active = true
	now := clockTime()
	for _, t := range p.types {
		// A time saved under a clock that ran ahead must not silence the type until then.
		t.settled = instant.Earlier(instant.Later(t.settled, saved[t.name]), now)
		if t.settled.IsZero() {
			t.settled, t.unsaved = now, true
		}
		if t.unsaved {
			p.enqueue(t)
		}
		if t.schedule != nil {
			p.plan(t, t.schedule.Next(t.settled))
		}
	}
	p.tick(now, true)
	return nil
}

// end drops what is pending. Its ticks are not settled, so the next Run finds them missed.
func (p *Poller) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active = false
	p.agenda, p.queue, p.held = nil, nil, nil
	for _, t := range p.known {
		t.pending, t.queued, t.due, t.held = nil, false, time.Time{}, time.Time{}
	}
}

// notify makes Run look again.
func (p *Poller) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
