package environment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// A session is an environment at work: its record at one revision, with the
// limiter, the history and the client that go with it.
type session struct {
	engine  *Engine
	record  Record
	limiter *ratelimit.Limiter
	history *history.History
	traffic *traffic

	connecting gate
	client     *genesys.Client                // from connect on
	answers    atomic.Pointer[genesys.Client] // the same, for who does not connect

	access   accessCache
	audits   auditCache
	outage   outage
	imports  atomic.Int64 // that this session has ended
	imported ImportResult // by the last of them; guarded by the lease to import
}

// session returns the open session of an environment, making it if the record
// is new or was changed.
func (e *Engine) session(ctx context.Context, id int64) (*session, error) {
	r, _, err := e.read(ctx, id)
	if err != nil {
		return nil, err
	}
	if !r.Deleting.IsZero() {
		return nil, fmt.Errorf("%w: %q is being deleted", ErrNotFound, r.Name)
	}
	var s *session
	err = e.opening.do(ctx, func() error {
		old := e.sessions[id]
		if old != nil && old.record.Revision >= r.Revision {
			s = old
			return nil
		}
		if s, err = e.newSession(ctx, r, old); err != nil {
			return fmt.Errorf("environment: %q: %w", r.Name, err)
		}
		e.sessions[id] = s
		return nil
	})
	return s, err
}

func (e *Engine) newSession(ctx context.Context, r Record, old *session) (*session, error) {
	s := &session{engine: e, record: r, connecting: newGate(), access: accessCache{gate: newGate()}, audits: auditCache{gate: newGate()}}
	if s.traffic = new(traffic{began: time.Now().UTC()}); old != nil {
		s.traffic = old.traffic
	}
	var err error
	if old != nil && quotaKey(old.record) == quotaKey(r) {
		s.limiter = old.limiter
		err = s.limiter.SetLimits(r.limits())
	} else {
		s.limiter, err = ratelimit.New(r.limits(), &ratelimit.Options{Ledger: &ledger{e.store, quotaKey(r)}})
	}
	if err != nil {
		return nil, err
	}
	s.history, err = history.Open(ctx, e.store, r.ID, &history.Options{
		Rotation: e.opts.Rotation,
		Logger:   e.opts.Logger,
		Models:   e.models,
		Clock:    s.orgTime,
		Fence:    func(b *storage.Batch) { b.Require(aliveKey(r.ID), alive) },
	})
	return s, err
}

// online returns the session with a client, for which it opens the secret. It sends
// nothing. It asks whether op is allowed first; what Run does by itself has no op.
func (e *Engine) online(ctx context.Context, id int64, op Operation) (*session, error) {
	s, err := e.session(ctx, id)
	if err == nil && op != "" {
		err = e.authorize(ctx, op, s.record, s.record)
	}
	if err != nil {
		return nil, err
	}
	if err := s.connecting.do(ctx, func() error { return s.connect(ctx) }); err != nil {
		return nil, fmt.Errorf("environment: %q: %w", s.record.Name, err)
	}
	return s, nil
}

// Role returns the role that the environment's OAuth client needs: the permissions
// to read the selected types, and audits if the record says so, and no others. Its JSON is what the service takes at
// POST /api/v2/authorization/roles. It makes no request.
func (e *Engine) Role(ctx context.Context, id int64) (genesys.Role, error) {
	r, err := e.Get(ctx, id)
	if err != nil {
		return genesys.Role{}, err
	}
	role := genesys.RoleFor("cxsync "+r.Name, e.needed(r))
	role.Description = "Reads the configuration that cxsync keeps the history of"
	return role, nil
}

// Client returns the client of an environment, to ask its org something more with
// the record's secret and within its quota. Its requests have background priority
// unless ratelimit.WithPriority says otherwise. It keeps the credentials that it was
// made with: after an update of the record, ask for it again.
func (e *Engine) Client(ctx context.Context, id int64) (*genesys.Client, error) {
	s, err := e.online(ctx, id, OpClient)
	if err != nil {
		return nil, err
	}
	return s.client, nil
}

func (s *session) connect(ctx context.Context) (err error) {
	if s.client != nil {
		return nil
	}
	e, r := s.engine, s.record
	if r.ClientSecret, err = e.secret(ctx, r); err != nil {
		return err
	}
	s.client, err = genesys.NewClient(r.client(), &genesys.Options{
		Transport: e.opts.Transport,
		Pace: func(base http.RoundTripper) http.RoundTripper {
			return &knownOrg{session: s, base: punctual{s.limiter.Transport(counting{patient{s, watched{s, s.traffic, base}}})}}
		},
		Login:     func(base http.RoundTripper) http.RoundTripper { return dated{s.limiter, watched{s, nil, base}} },
		Catalogue: e.opts.Catalogue,
		Logger:    e.opts.Logger,
	})
	s.answers.Store(s.client)
	return err
}

// forget drops the session of an environment that is gone.
func (e *Engine) forget(ctx context.Context, id int64) error {
	return e.opening.do(ctx, func() error {
		delete(e.sessions, id)
		return nil
	})
}

// A reading is what the requests of one pass have in common.
type reading struct {
	requests atomic.Int64 // that reached the network
	outage   outage
	stop     context.CancelCauseFunc
}

type readingKey struct{}

// withReading returns a context for the requests of one pass.
func withReading(ctx context.Context) (context.Context, *reading) {
	r := new(reading)
	ctx, r.stop = context.WithCancelCause(ctx)
	return context.WithValue(ctx, readingKey{}, r), r
}

// dated lets the limiter see the date of a login, which comes before the first request
// that counts: after a restart it tells how much of the quota is free by now.
type dated struct {
	limiter *ratelimit.Limiter
	base    http.RoundTripper
}

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	resp, err := d.base.RoundTrip(r)
	if err == nil {
		d.limiter.ObserveDate(resp, sent)
	}
	return resp, err
}

// counting counts the requests of a reading.
type counting struct{ base http.RoundTripper }

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if reading, ok := r.Context().Value(readingKey{}).(*reading); ok {
		reading.requests.Add(1)
	}
	return c.base.RoundTrip(r)
}

// punctual ends a reading whose next request would come after the caller's
// deadline, as the deadline itself would: it says nothing about the org.
type punctual struct{ base http.RoundTripper }

func (p punctual) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.base.RoundTrip(r)
	if reading, ok := r.Context().Value(readingKey{}).(*reading); ok && tooLate(err) {
		reading.stop(err)
	}
	return resp, err
}

// tooLate reports whether a request was not sent because the quota has no slot
// for it before the caller's deadline.
func tooLate(err error) bool {
	_, ok := errors.AsType[*ratelimit.DeadlineError](err)
	return ok
}
