package environment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// readAudits reads the tail of an environment's audits for as long as Run polls it.
func (e *Engine) readAudits(ctx context.Context, id int64) {
	for ctx.Err() == nil {
		changed := e.changed.next()
		wait, err := e.readAuditsOnce(ctx, id)
		if err != nil && ctx.Err() == nil && !errors.Is(err, storage.ErrLocked) && !errors.Is(err, errTakenOver) {
			e.opts.Logger.WarnContext(ctx, "audits could not be read and are tried again", "environment_id", id, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(wait):
		}
	}
}

// readAuditsOnce reads the tail if that is due, and returns when to look again.
func (e *Engine) readAuditsOnce(ctx context.Context, id int64) (wait time.Duration, err error) {
	s, err := e.session(ctx, id)
	if err != nil {
		return retryTrim, err
	}
	if s.record.AuditMinutes == 0 {
		return time.Hour, nil // or when the record changes
	}
	if s, err = e.online(ctx, id, ""); err != nil {
		return retryTrim, err
	}
	due := func() (time.Duration, error) {
		state, err := s.auditTail(ctx)
		every := s.auditEvery()
		if state.Unavailable != "" {
			every = retryUnavailable
		}
		return every - min(every, s.since(state.Checked)), err
	}
	wait, err = due()
	if wait > 0 || err != nil {
		return max(wait, time.Second), err // without a lease, which takes two commits
	}
	err = e.unlessHeld(ctx, id, func(ctx context.Context, lease *lease) error {
		if wait, err := due(); wait > 0 || err != nil {
			return err // another process was first
		}
		return s.readTail(ctx, lease)
	}, "audits")
	return min(s.auditEvery(), time.Minute), err
}

// readTail reads what is due of the tail, and notes how that ended.
func (s *session) readTail(ctx context.Context, lease *lease) error {
	state, err := s.auditTail(ctx)
	if err != nil {
		return err
	}
	ctx, reading := withReading(ctx)
	defer reading.stop(nil)
	t := tail{session: s, lease: lease, state: &state}
	err = t.read(ctx)
	if late := context.Cause(ctx); err != nil && tooLate(late) || ended(ctx) || lease.Lost(err) {
		return err
	}
	state.Checked, state.Failed, state.Unavailable = s.now(), "", ""
	switch refused := new(unavailableError); {
	case errors.As(err, &refused):
		state.Unavailable, err = refused.reason, nil
	case err != nil:
		state.Failed = err.Error()
	}
	state.Readings++
	state.Requests += reading.requests.Load()
	var b storage.Batch
	if putErr := b.PutJSON(s.auditKey(), state); putErr != nil {
		return putErr
	}
	err = errors.Join(err, lease.finish(ctx, s.engine.store, &b))
	s.engine.recordedOf(s.record.ID).notify() // of who made changes
	return err
}

// A tail is one reading of it.
type tail struct {
	*session
	lease *lease
	state *auditTail
	org   string              // ID of the organization
	types map[string]bool     // that are selected
	tells map[string][]string // by service of the org, the services of the catalogue that it stands for
}

func (t *tail) read(ctx context.Context) error {
	may, err := t.permissions(ctx, time.Now().Add(-accessFor))
	if err != nil {
		return err
	}
	if may.Known() && !may.Has(auditPermission) {
		return &unavailableError{reason: "the client lacks the permission " + auditPermission}
	}
	if err := t.learnTime(ctx); err != nil {
		return err
	}
	if err := t.resolve(ctx); err != nil {
		return t.failed(ctx, err)
	}
	single, err := t.client.AuditNeedsService(ctx)
	if err != nil {
		return t.failed(ctx, err)
	}
	now, _, _ := t.orgTime()
	due := []string{""}
	if single {
		due = t.dueServices(now)
	}
	for _, service := range due {
		if err := t.readService(ctx, service, now); err != nil {
			return t.failed(ctx, err)
		}
	}
	return nil
}

// failed translates an error of the org.
func (t *tail) failed(ctx context.Context, err error) error {
	if over := t.ends(ctx, err); over != nil {
		return over
	}
	if errors.Is(err, genesys.ErrUnavailable) {
		return &unavailableError{reason: err.Error()}
	}
	return fmt.Errorf("environment: audits: %w", err)
}

// resolve finds out which services of the org tell of the selected types.
func (t *tail) resolve(ctx context.Context) error {
	mapping, err := t.auditMapping(ctx)
	if err != nil {
		return err
	}
	org, err := storage.GetJSON[genesys.Named](ctx, t.engine.store, t.orgKey())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	t.org = org.ID
	t.types, t.tells = map[string]bool{}, map[string][]string{}
	for _, selected := range t.engine.Selected(t.record) {
		t.types[selected.Name] = true
		if org := mapping.Audit(selected); org.Service != "" && !slices.Contains(t.tells[org.Service], selected.Audit.Service) {
			t.tells[org.Service] = append(t.tells[org.Service], selected.Audit.Service)
		}
	}
	return nil
}

// dueServices returns the services to be read now. They share the budget by how busy they are.
func (t *tail) dueServices(now time.Time) (due []string) {
	total := 0.0
	for service := range t.tells {
		total += t.weight(service)
	}
	for _, service := range slices.Sorted(maps.Keys(t.tells)) {
		perDay := t.auditBudget() * t.weight(service) / total
		every := min(auditRarest, max(t.auditEvery(), time.Duration(float64(24*time.Hour)/perDay)))
		if known := t.state.Services[service]; known == nil || now.Sub(known.Until) >= every-time.Second {
			due = append(due, service)
		}
	}
	return due
}

func (t *tail) weight(service string) float64 {
	weight := 0.5
	if known := t.state.Services[service]; known != nil {
		weight += known.Busy
	}
	return weight
}

// readService reads one service, or all at once, up to now.
func (t *tail) readService(ctx context.Context, service string, now time.Time) error {
	known := t.state.Services[service]
	if known == nil {
		known = &auditService{Until: now.Add(-auditStart)}
		t.state.Services[service] = known
	}
	since := known.Until.Add(-auditOverlap)
	if oldest := now.Add(-auditReach); since.Before(oldest) {
		since = oldest
	}
	for since.Before(now) {
		until := since.Add(auditWindow)
		if until.After(now) {
			until = now
		}
		if err := t.readWindow(ctx, service, known, since, until); err != nil {
			return err
		}
		since = until
	}
	return nil
}

// readWindow reads what was written between two times, and stores it with the cursor.
func (t *tail) readWindow(ctx context.Context, service string, known *auditService, since, until time.Time) error {
	var records []history.Evidence
	n := 0
	for r, err := range t.client.Audits(ctx, genesys.AuditQuery{Since: since, Until: until, Service: service, Realtime: true}) {
		if err != nil {
			return err
		}
		n++
		if e, ok := t.evidence(r); ok {
			records = append(records, e)
		}
	}
	before := *known
	perHour := float64(n) / max(auditOverlap, until.Sub(since)).Hours()
	known.Busy += (perHour - known.Busy) / 8
	known.Until = until
	read := history.AuditsRead{Records: records, Read: map[string]history.Span{}}
	for of, tells := range t.tells {
		if service == "" || service == of {
			for _, name := range tells {
				read.Read[name] = history.Span{Since: since, Until: until}
			}
		}
	}
	err := t.history.Fenced(t.lease.Fence).Attribute(ctx, read, func(b *storage.Batch) error {
		return b.PutJSON(t.auditKey(), t.state)
	})
	if err != nil {
		*known = before
		return err
	}
	for _, e := range records {
		for _, target := range e.Targets {
			if !e.System {
				t.hint(target, e.At)
			}
		}
	}
	return nil
}

// auditMapping returns of what the org keeps audits, which is asked for once a day.
func (s *session) auditMapping(ctx context.Context) (mapping genesys.AuditMapping, err error) {
	err = s.audits.do(ctx, func() error {
		if time.Since(s.audits.known) < accessFor {
			mapping = s.audits.mapping
			return nil
		}
		if mapping, err = s.client.AuditMapping(ctx, true); err == nil {
			s.audits.mapping, s.audits.known = mapping, time.Now()
		}
		return err
	})
	return mapping, err
}

// auditCache keeps the mapping of the org's audits.
type auditCache struct {
	gate
	mapping genesys.AuditMapping
	known   time.Time
}
