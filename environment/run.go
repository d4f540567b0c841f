package environment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

const (
	// retryUnavailable is how long a type that this client cannot read is left alone.
	retryUnavailable = 24 * time.Hour
	// trimEvery is how often expired changes are removed while Run polls.
	trimEvery = 24 * time.Hour
	// retryTrim is when that is tried again while the org's time is not known.
	retryTrim = time.Minute
	// spread is the window over which object types that share a tick start.
	spread = 30 * time.Second
)

// Run polls every environment that is not paused, each object type on its
// schedule, until ctx ends. Records that are created, changed, paused or
// deleted meanwhile take effect at once, those by another process within a sixth
// of Options.Lease. It returns nil when ctx ended, with everything it started
// gone; the error is that of a store that cannot be read when Run begins, or that
// does nothing any more (storage.ErrFailed, storage.ErrClosed), which it notices
// within a sixth of Options.Lease.
//
// Types that share a tick start within 30 seconds of it, each always after the same
// part of them. The first pass over a type is made at the first tick after Run began
// to poll it, and is an import of what there is, which consumers do not get: call
// Import to have it at once. A tick that nobody ran at is made up for at once.
//
// Processes that share a store share the work: each pass is made by one of
// them, and if that one stops, by another within Options.Lease.
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
		case err != nil && (first || isOver(err)):
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

// isOver reports whether an error is that of a store that heals by nothing.
func isOver(err error) bool {
	return errors.Is(err, storage.ErrFailed) || errors.Is(err, storage.ErrClosed)
}

// glance is how often a process looks at what others may have done.
func (e *Engine) glance() time.Duration { return e.opts.Lease / 6 }

// running is what Run has started.
type running struct {
	engine  *Engine
	wg      sync.WaitGroup
	pollers map[int64]*polled
	adopted bool   // the pollers agree with the records as they were
	news    []byte // when this was the news
}

// polled is one environment that is being polled.
type polled struct {
	*poller.Poller
	revision int64
	stop     context.CancelFunc
}

// look adopts the records if one was changed since the last look.
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

// adopt makes what runs agree with the records.
func (r *running) adopt(ctx context.Context) error {
	active := map[int64]bool{}
	for record, err := range r.engine.records(ctx) {
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

func (r *running) start(ctx context.Context, record Record) {
	e, id := r.engine, record.ID
	ctx, stop := context.WithCancel(ctx)
	p := poller.New(func(ctx context.Context, f poller.Firing) error { return e.poll(ctx, id, f) }, &poller.Options{
		Concurrency: e.opts.Concurrency,
		Spread:      spread,
		SpreadKey:   strconv.FormatInt(id, 10),
		State:       &dueTimes{e.store, id},
		Logger:      e.opts.Logger.With("environment", record.Name),
	})
	e.plan(p, record)
	r.pollers[id] = &polled{p, record.Revision, stop}
	e.polling.Store(id, p)
	r.wg.Go(func() {
		defer stop()
		defer e.polling.CompareAndDelete(id, p)
		for err := p.Run(ctx); err != nil && ctx.Err() == nil; err = p.Run(ctx) {
			e.opts.Logger.ErrorContext(ctx, "polling could not begin and is tried again", "environment", record.Name, "error", err)
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
		e.opts.Logger.Error("the stored polling plan is invalid", "environment", record.Name, "error", err)
		return
	}
	var types []string
	for _, t := range e.Selected(record) {
		types = append(types, t.Name)
	}
	p.SetPlan(plan, types)
}

// poll makes one scheduled pass, unless another process makes it.
func (e *Engine) poll(ctx context.Context, id int64, f poller.Firing) error {
	s, err := e.online(ctx, id, "")
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
	if errors.Is(err, errTakenOver) {
		return &poller.DeferredError{Until: time.Now().Add(e.opts.Lease)}
	}
	if late, ok := errors.AsType[*ratelimit.DeadlineError](err); ok {
		return &poller.DeferredError{Until: late.Free} // after Run, so that the tick is left to whoever runs next
	}
	return err
}

// Poll reads types of an environment now, given by name or label, parents first,
// with interactive priority. They need not be among those that the record selects;
// without any it reads all that are. A pass over one of them that is under way, here
// or in another process, is waited for, and another one follows. An error of one
// type does not keep the others from being read. A deadline before which the quota
// has no slot is a *ratelimit.DeadlineError.
func (e *Engine) Poll(ctx context.Context, id int64, types ...string) ([]PassResult, error) {
	s, err := e.online(ctx, id, OpPoll)
	if err != nil {
		return nil, err
	}
	var wanted []genesys.ObjectType
	for _, nameOrLabel := range types {
		name, err := e.typeName(nameOrLabel)
		if err != nil {
			return nil, err
		}
		t, _ := s.client.Catalogue().Lookup(name)
		wanted = append(wanted, t)
	}
	if len(types) == 0 {
		wanted = e.Selected(s.record)
	}
	ctx = ratelimit.WithPriority(ctx, ratelimit.Interactive)
	var results []PassResult
	var errs []error
	for _, level := range e.opts.Catalogue.Levels(wanted) {
		for _, t := range level {
			result, err := s.pass(ctx, t, occasion{})
			if err != nil {
				errs = append(errs, err)
				continue
			}
			results = append(results, result)
		}
	}
	return results, errors.Join(errs...)
}

func (e *Engine) trimDaily(ctx context.Context, id int64) {
	for {
		wait := trimEvery
		err := e.trim(ctx, id)
		switch {
		case errors.Is(err, history.ErrNoTime): // nothing was read yet
			wait = retryTrim
		case err != nil && ctx.Err() == nil && !errors.Is(err, storage.ErrLocked):
			e.opts.Logger.ErrorContext(ctx, "removing expired changes failed", "environment_id", id, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (e *Engine) trim(ctx context.Context, id int64) error {
	s, err := e.session(ctx, id)
	if err != nil || s.record.RetentionDays == 0 {
		return err // without a lease, which takes two commits
	}
	if _, _, confirmed := s.orgTime(); !confirmed {
		return history.ErrNoTime
	}
	return e.unlessHeld(ctx, id, s.trim, "trim")
}

// trim removes what the record's retention lets expire.
func (s *session) trim(ctx context.Context, lease *lease) error {
	if s.record.RetentionDays == 0 {
		return nil
	}
	_, err := s.history.Fenced(lease.Fence).Trim(ctx, s.record.retention(), nil)
	if errors.Is(err, storage.ErrConflict) && !lease.Lost(err) && !isDeleted(s.record.ID, err) {
		return nil // somebody else removes from the same log: what is left goes the next time
	}
	if errors.Is(err, history.ErrNoTime) {
		return nil // of an org whose answers have no Date; the client has warned of it
	}
	return err
}
