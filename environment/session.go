package environment

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// A session is an environment at work: its record at one revision, with the limiter, the history
// and the client that go with it. Every operation begins with the session, which is made anew when
// the record was changed. What is under way goes on with the session it began with; only the limit
// changes under it, because old and new session share the limiter.
type session struct {
	engine  *Engine
	record  Record
	limiter *ratelimit.Limiter
	history *history.History
	traffic *traffic
	types   func() map[string]bool // by name, that the record selects

	connecting gate                           // guards client
	client     *genesys.Client                // nil before connect
	answers    atomic.Pointer[genesys.Client] // the same, for those who ask what it knows and do not connect

	access   accessCache
	audits   auditCache
	outage   outage
	imports  atomic.Int64 // how many imports have ended in this session
	imported ImportResult // of the last of them; guarded by the lease to import
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

// newSession makes the session of r. It takes over the traffic of the old one, nil if there is none,
// and its limiter if the client is the same: requests that wait for a slot then obey the new limit.
func (e *Engine) newSession(ctx context.Context, r Record, old *session) (*session, error) {
	s := &session{
		engine: e, record: r, connecting: newGate(),
		access: accessCache{gate: newGate()}, audits: auditCache{gate: newGate()},
	}
	s.types = sync.OnceValue(func() map[string]bool {
		names := map[string]bool{}
		for _, t := range e.Selected(r) {
			names[t.Name] = true
		}
		return names
	})
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
		Fence:    func(b *storage.Batch) { b.Require(aliveKey(r.ID), alive) }, // nothing is added after Delete began
	})
	return s, err
}

// dropSession forgets the session of an environment that is being deleted.
func (e *Engine) dropSession(ctx context.Context, id int64) error {
	return e.opening.do(ctx, func() error {
		delete(e.sessions, id)
		return nil
	})
}
