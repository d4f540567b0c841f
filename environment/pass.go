package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
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

// pass reads one object type and records what changed. A type that is not
// available to this client is a result, not an error. importNumber is the
// import that the pass is part of, or 0.
func (s *session) pass(ctx context.Context, t genesys.ObjectType, importNumber int64) (result PassResult, err error) {
	err = s.exclusive(ctx, t.Name, func() error {
		result, err = s.walk(ctx, t)
		return err
	})
	return s.conclude(ctx, t, result, err, importNumber)
}

// conclude books the end of a pass: it is remembered, observed, and announced
// to those who follow the changes.
func (s *session) conclude(ctx context.Context, t genesys.ObjectType, result PassResult, err error, importNumber int64) (PassResult, error) {
	result.Type = t.Name
	if unavailable := new(unavailableError); errors.As(err, &unavailable) {
		result.Unavailable, err = unavailable.reason, nil
	}
	if err != nil {
		err = fmt.Errorf("environment: %s: %w", t.Name, err)
	}
	if noteErr := s.note(ctx, t, result, err, importNumber); err == nil {
		err = noteErr
	}
	if s.engine.opts.Observer != nil && ctx.Err() == nil {
		s.engine.opts.Observer(PassEvent{s.record.ID, result, err})
	}
	s.engine.recorded.notify()
	return result, err
}

// unavailableError reports that the whole type is out of this client's reach.
type unavailableError struct{ reason string }

func (e *unavailableError) Error() string { return e.reason }

func (s *session) walk(ctx context.Context, t genesys.ObjectType) (result PassResult, err error) {
	began := time.Now()
	seen, err := s.sight(ctx, t, began.Add(-accessFor))
	if err != nil {
		return result, err
	}
	p, err := s.history.Begin(ctx, t.Name, s.shape(t))
	if err != nil {
		return result, err
	}
	ctx, requests := withRequests(ctx)
	w := &walker{session: s, t: t, pass: p, sight: seen, requests: requests}
	defer func() {
		result.Requests = requests.Load()
		result.steady = result.Requests - w.once
	}()
	if t.Parent == "" {
		err = w.objects(ctx, s.client.List(ctx, t))
	} else {
		err = w.children(ctx)
	}
	if err != nil {
		return result, err
	}
	absences, err := p.Settle(ctx, history.Walk{Complete: w.incomplete == "", Reason: w.incomplete, Coverage: seen.String()})
	if err != nil {
		return result, err
	}
	if err := w.confirm(ctx, absences, began); err != nil {
		return result, err
	}
	if result.Summary, err = p.End(ctx); err != nil {
		return result, err
	}
	return result, w.remember(ctx)
}
