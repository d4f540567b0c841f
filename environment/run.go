package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

const (
	// retryUnavailable is how long a type that this client cannot read is left alone.
	retryUnavailable = 24 * time.Hour
	// trimEvery is how often expired changes are removed while Run polls.
	trimEvery = 24 * time.Hour
	// spread is the window over which object types that share a tick start.
	spread = 30 * time.Second
)

// Run polls every environment that is not paused, each object type on its
// schedule, until ctx ends. Records that are created, changed, paused or
// deleted meanwhile take effect at once. It returns nil when ctx ended, with
// everything it started gone.
func (e *Engine) Run(ctx context.Context) error {
	r := &running{engine: e, pollers: map[int64]*polled{}}
	defer r.wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for {
		news := e.changed.next()
		if err := r.adopt(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		}
	}
}

// running is what Run has started.
type running struct {
	engine  *Engine
	wg      sync.WaitGroup
	pollers map[int64]*polled
}

// polled is one environment that is being polled.
type polled struct {
	*poller.Poller
	revision int64
	stop     context.CancelFunc
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
	p := poller.New(func(ctx context.Context, f poller.Firing) error { return e.poll(ctx, id, f.Object) }, &poller.Options{
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
		if err := p.Run(ctx); err != nil && ctx.Err() == nil {
			e.opts.Logger.ErrorContext(ctx, "polling ended", "environment", record.Name, "error", err)
		}
	})
	r.wg.Go(func() { e.trimDaily(ctx, id) })
}

// plan gives a poller the record's schedules. A record that was stored has been checked.
func (e *Engine) plan(p *poller.Poller, record Record) {
	plan, err := poller.NewPlan(record.polling(), &poller.PlanOptions{Resolve: resolver(e.types)})
	if err != nil {
		e.opts.Logger.Error("the stored polling plan is invalid", "environment", record.Name, "error", err)
		return
	}
	var objects []string
	for _, t := range e.Selected(record) {
		objects = append(objects, t.Name)
	}
	p.SetPlan(plan, objects)
}

// poll makes one scheduled pass.
func (e *Engine) poll(ctx context.Context, id int64, objectType string) error {
	s, err := e.session(ctx, id)
	if err != nil {
		return err
	}
	t, ok := s.client.Type(objectType)
	if !ok {
		return fmt.Errorf("environment: unknown object type %s", objectType)
	}
	state, err := s.typeState(ctx, objectType)
	if err != nil {
		return err
	}
	if state.Unavailable != "" && time.Since(state.Checked) < retryUnavailable {
		return nil
	}
	_, err = s.pass(ctx, t, 0)
	return err
}

// Poll reads the named object types of an environment now, in the order given
// but parents first, with interactive priority. An error of one type does not
// keep the others from being read.
func (e *Engine) Poll(ctx context.Context, id int64, objects ...string) ([]PassResult, error) {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpPoll, s.record)
	}
	if err != nil {
		return nil, err
	}
	var types []genesys.ObjectType
	for _, object := range objects {
		t, ok := s.client.Type(object)
		if !ok {
			return nil, fmt.Errorf("environment: %q is no object type%s", object, suggestion(e.types, object))
		}
		types = append(types, t)
	}
	ctx = ratelimit.WithPriority(ctx, ratelimit.Interactive)
	var results []PassResult
	var errs []error
	for _, level := range levels(e.types, types) {
		for _, t := range level {
			result, err := s.pass(ctx, t, 0)
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
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		s, err := e.session(ctx, id)
		if err == nil {
			err = s.trim(ctx)
		}
		if err != nil && ctx.Err() == nil {
			e.opts.Logger.ErrorContext(ctx, "removing expired changes failed", "environment", id, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// trim removes what the record's retention lets expire.
func (s *session) trim(ctx context.Context) error {
	if s.record.RetentionDays == 0 {
		return nil
	}
	_, err := s.history.Trim(ctx, s.record.retention(), nil)
	return err
}

// dueTimes keeps the poller's intended times in the store.
type dueTimes struct {
	store storage.Store
	id    int64
}

var _ poller.State = (*dueTimes)(nil)

// Load implements poller.State.
func (d *dueTimes) Load(ctx context.Context) (map[string]time.Time, error) {
	times := map[string]time.Time{}
	for entry, err := range d.store.Scan(ctx, storage.Prefix(ownKey(d.id, "due")+"/")) {
		if err != nil {
			return nil, err
		}
		parts, err := storage.SplitKey(entry.Key)
		if err != nil {
			return nil, err
		}
		var due time.Time
		if err := json.Unmarshal(entry.Value, &due); err != nil {
			return nil, err
		}
		times[parts[len(parts)-1]] = due
	}
	return times, nil
}

// Save implements poller.State.
func (d *dueTimes) Save(ctx context.Context, object string, due time.Time) error {
	var b storage.Batch
	if err := b.PutJSON(ownKey(d.id, "due", object), due.UTC()); err != nil {
		return err
	}
	return d.store.Commit(ctx, &b)
}
