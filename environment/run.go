package environment

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
)

// spread is the window over which types that share a tick start.
const spread = 30 * time.Second

// Run polls every environment that is not paused, each type on its schedule, until ctx ends.
// Records that are created, changed, paused or deleted meanwhile take effect at once; if another
// process does it, within a sixth of Options.Lease. A record that cannot be read is logged, and
// keeps no other from being polled. Run returns nil once ctx is done and its
// goroutines have exited. It returns an error if the store cannot be read when Run begins, or
// within a sixth of Options.Lease after the store has failed for good (storage.ErrFailed,
// storage.ErrClosed).
//
// Types due at the same tick are spread over 30 seconds, each at a fixed offset. The first pass
// over a type only sets the baseline: it is made at the first tick after Run began to poll the
// type, it records imports, and consumers do not get these. Call Import to have the baseline at
// once. Ticks at which no process ran lead to one pass at once.
//
// Processes that share a store share the work: each pass is made by one of them, and if that one
// stops, by another within Options.Lease.
func (e *Engine) Run(ctx context.Context) error {
	r := &running{engine: e, pollers: map[int64]*polled{}}
	defer r.wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for first := true; ; first = false {
		changed := e.changed.next()
		err := r.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (first || isFatal(err)):
			return err
		case err != nil:
			e.opts.Logger.WarnContext(ctx, "the environments cannot be read; they are polled as they were", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-time.After(e.glance()):
		}
	}
}

// isFatal reports a permanent store failure: trying again is of no use.
func isFatal(err error) bool {
	return errors.Is(err, storage.ErrFailed) || errors.Is(err, storage.ErrClosed)
}

// glance is how often a process looks at what others may have done, since a store has no way to
// tell it: records that changed, a lease that became free, changes to deliver.
func (e *Engine) glance() time.Duration { return e.opts.Lease / 6 }

// running is one call of Run and what it has started: a poller and three helpers for each
// environment that is not paused. It keeps them in step with the records. Reading all records at
// each glance would cost too much, so every commit that changes one also gives the news key
// another value, and only that is compared.
type running struct {
	engine  *Engine
	wg      sync.WaitGroup    // for all goroutines that Run started
	pollers map[int64]*polled // by environment
	adopted bool              // the pollers agree with the records as they were when
	news    []byte            // the news key had this value
}

// polled is one environment that is being polled, at one revision of its record.
type polled struct {
	*poller.Poller
	revision int64
	stop     context.CancelFunc
}

// look adopts the records if one was changed since the last look, by this process or another.
func (r *running) look(ctx context.Context) error {
	news, err := r.engine.store.Get(ctx, newsKey)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if r.adopted && bytes.Equal(news, r.news) {
		return nil
	}
	if err := r.adopt(ctx); err != nil {
		return err
	}
	r.adopted, r.news = true, news
	return nil
}

// adopt makes what runs agree with the records: it starts what is new, gives changed plans to the
// pollers, and stops what was paused or deleted.
func (r *running) adopt(ctx context.Context) error {
	active := map[int64]bool{}
	for record, err := range r.engine.records(ctx) {
		if damaged, ok := errors.AsType[*unreadableError](err); ok {
			r.engine.opts.Logger.ErrorContext(ctx, "an environment cannot be polled", "environment_id", damaged.id, "error", err)
			active[damaged.id] = true // it goes on once the record can be read again
			continue
		}
		if err != nil {
			return err
		}
		if record.Paused || !record.Deleting.IsZero() {
			continue
		}
		active[record.ID] = true
		if p := r.pollers[record.ID]; p == nil {
			r.start(ctx, record)
		} else if p.revision != record.Revision {
			// The session has the limit, for requests that wait already as well.
			if _, err := r.engine.session(ctx, record.ID); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			p.revision = record.Revision
			r.engine.plan(p.Poller, record)
		}
	}
	for id, p := range r.pollers {
		if !active[id] {
			p.stop()
			delete(r.pollers, id)
		}
	}
	return nil
}

// start starts what polls an environment. All of it ends with the poller, whose stop function
// adopt calls.
func (r *running) start(ctx context.Context, record Record) {
	e, id := r.engine, record.ID
	ctx, stop := context.WithCancel(ctx)
	logger := e.opts.Logger.With("environment", record.Name, "environment_id", id)
	times := &ownTimes{dueTimes: dueTimes{e.store, id}}
	onTick := func(ctx context.Context, f poller.Firing) error { return e.onTick(ctx, id, f, times) }
	p := poller.New(onTick, &poller.Options{
		Concurrency: e.opts.Concurrency,
		Spread:      spread,
		SpreadKey:   strconv.FormatInt(id, 10),
		State:       times,
		Logger:      logger,
	})
	e.plan(p, record)
	r.pollers[id] = &polled{p, record.Revision, stop}
	e.polling.Store(id, p)
	r.wg.Go(func() {
		defer stop()
		defer e.polling.CompareAndDelete(id, p)
		for err := p.Run(ctx); err != nil && ctx.Err() == nil; err = p.Run(ctx) {
			logger.ErrorContext(ctx, "polling could not begin and is tried again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(e.glance()):
			}
		}
	})
	r.wg.Go(func() { e.trimDaily(ctx, id) })
	r.wg.Go(func() { e.readAudits(ctx, id) })
	r.wg.Go(func() { e.followHints(ctx, id) })
}

// plan gives a poller the record's schedules. A record that was stored has been checked.
func (e *Engine) plan(p *poller.Poller, record Record) {
	plan, err := record.plan(e.opts.Catalogue)
	if err != nil {
		e.opts.Logger.Error("the stored polling plan is invalid",
			"environment", record.Name, "environment_id", record.ID, "error", err)
		return
	}
	var types []string
	for _, t := range e.Selected(record) {
		types = append(types, t.Name)
	}
	p.SetPlan(plan, types)
}
