package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// A PassResult tells how a pass over one object type ended.
type PassResult struct {
	history.Summary

	// Unavailable says why this client cannot read the type: a permission that
	// is missing, a feature that is off. Nothing was compared then.
	Unavailable string `json:"unavailable,omitempty"`

	// Requests that the pass sent, retries included.
	Requests int64 `json:"requests"`

	steady int64 // those of them that a pass needs in which nothing has changed
}

// A PassEvent is a PassResult of an environment, and the error that ended the pass if one did.
type PassEvent struct {
	Environment int64
	Result      PassResult
	Err         error
}

// An occasion is why a pass is made. The zero occasion is that somebody asked for it.
type occasion struct {
	tick      time.Time // the schedule's intended time, or zero
	importing int64     // number of the import that it is part of, or 0
	first     bool      // only if the type was never read
}

// pass waits for its lease, reads one object type and records what changed. A
// type that is not available to this client is a result, not an error. The
// result has no type if somebody else has made the pass meanwhile.
func (s *session) pass(ctx context.Context, t genesys.ObjectType, o occasion) (result PassResult, err error) {
	err = s.engine.alone(ctx, s.record.ID, func(ctx context.Context, lease *lease) error {
		result, err = s.underLease(ctx, lease, t, o)
		return err
	}, "pass", t.Name)
	return result, err
}

// tryPass is pass for a tick. While somebody else reads the type it fails with
// a storage.LockedError; and it does nothing if the tick has had its pass.
func (s *session) tryPass(ctx context.Context, t genesys.ObjectType, tick time.Time) error {
	o := occasion{tick: tick}
	if had, err := s.had(ctx, t, o); had || err != nil {
		return err // without a lease, which takes two commits
	}
	return s.engine.tryAlone(ctx, s.record.ID, func(ctx context.Context, lease *lease) error {
		_, err := s.underLease(ctx, lease, t, o)
		return err
	}, "pass", t.Name)
}

func (s *session) underLease(ctx context.Context, lease *lease, t genesys.ObjectType, o occasion) (result PassResult, err error) {
	if had, err := s.had(ctx, t, o); had || err != nil {
		return result, err
	}
	result, err = s.walk(ctx, lease, t, o)
	return s.conclude(ctx, lease, t, o, result, err)
}

// had reports whether somebody has made the pass before its lease was had.
func (s *session) had(ctx context.Context, t genesys.ObjectType, o occasion) (bool, error) {
	switch {
	case o.first:
		_, known, err := s.history.LastPass(ctx, t.Name)
		return known, err
	case o.importing > 0:
		state, err := s.typeState(ctx, t.Name)
		return state.Imported >= o.importing, err
	case !o.tick.IsZero():
		due := dueTimes{s.engine.store, s.record.ID}
		return due.settled(ctx, t.Name, o.tick)
	}
	return false, nil
}

// conclude books the end of a pass: one that was not recorded is remembered, and
// all are observed, and announced to those who follow the changes. One that its
// context ended, or would have, is not over: nothing is said of it.
func (s *session) conclude(ctx context.Context, lease *lease, t genesys.ObjectType, o occasion, result PassResult, err error) (PassResult, error) {
	if lease.Lost(err) || errors.Is(context.Cause(ctx), errTakenOver) {
		return result, err
	}
	result.Type = t.Name
	if unavailable := new(unavailableError); errors.As(err, &unavailable) {
		result.Unavailable, err = unavailable.reason, nil
	}
	if err != nil {
		err = fmt.Errorf("environment: %s: %w", t.Name, err)
	}
	interrupted := ended(ctx) || tooLate(err)
	if !lease.over && !interrupted {
		if noteErr := s.note(ctx, lease, t, o, result, err); err == nil {
			err = noteErr
		}
	}
	if err == nil && result.Unavailable == "" && !result.Complete {
		s.engine.opts.Logger.InfoContext(ctx, "a walk was not complete, so it removes nothing",
			"environment", s.record.Name, "type", t.Name, "reason", result.Reason)
	}
	if s.engine.opts.Observer != nil && !interrupted {
		s.engine.opts.Observer(PassEvent{s.record.ID, result, err})
	}
	s.engine.recordedOf(s.record.ID).notify()
	return result, err
}

// unavailableError reports that the whole type is out of this client's reach.
type unavailableError struct{ reason string }

func (e *unavailableError) Error() string { return e.reason }

// walk makes the pass. What is remembered of it is stored together with its end.
func (s *session) walk(ctx context.Context, lease *lease, t genesys.ObjectType, o occasion) (result PassResult, err error) {
	began := time.Now()
	w, err := s.begin(ctx, lease, t, o)
	if err != nil {
		return result, err
	}
	ctx, reading := withReading(ctx)
	defer reading.stop(nil)
	w.requests = &reading.requests
	defer func() {
		result.Requests = w.requests.Load()
		if late := context.Cause(ctx); err != nil && tooLate(late) {
			err = late // whatever it led to
		}
	}()
	if t.Parent == "" {
		err = w.objects(ctx, s.client.List(ctx, t))
	} else {
		err = w.children(ctx)
	}
	if err != nil {
		return result, err
	}
	absences, err := w.pass.Settle(ctx, history.Walk{Complete: w.incomplete == "", Reason: w.incomplete, Coverage: w.sight.String(), Since: w.since})
	if err != nil {
		return result, err
	}
	if err := w.confirm(ctx, absences, began); err != nil {
		return result, err
	}
	if err := w.doubt(ctx); err != nil {
		return result, err
	}
	result.steady = w.requests.Load() - w.once
	result.Summary, err = w.pass.EndWith(ctx, func(b *storage.Batch, sum history.Summary) error {
		if err := w.remember(ctx, b); err != nil {
			return err
		}
		lease.ReleaseWith(b)
		state := w.state.after(o, result, "")
		if sum.Complete {
			state.Sight = new(w.sight.String())
		}
		return s.putState(b, o, state)
	})
	lease.over = err == nil
	return result, err
}

// begin begins a pass over what the client sees of a type.
func (s *session) begin(ctx context.Context, lease *lease, t genesys.ObjectType, o occasion) (*walker, error) {
	now := time.Now()
	seen, err := s.sight(ctx, t, now.Add(-accessFor))
	if _, lacking := errors.AsType[*unavailableError](err); lacking && o == (occasion{}) {
		seen, err = s.sight(ctx, t, now) // who asks may just have given the permission
	}
	if err != nil {
		return nil, err
	}
	p, err := s.history.Fenced(lease.Fence).Begin(ctx, t.Name, s.rules(t))
	if err != nil {
		return nil, err
	}
	state, err := s.typeState(ctx, t.Name)
	if err != nil {
		return nil, err
	}
	if state.Sight != nil && seen.widens(*state.Sight) {
		p.Widened()
	}
	return &walker{session: s, t: t, state: state, pass: p, sight: seen}, nil
}
