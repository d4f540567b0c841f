package environment

import (
	"context"
	"errors"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

const (
	// trimEvery is how often expired changes are removed while Run polls.
	trimEvery = 24 * time.Hour
	// retryTrim is when that is tried again while the org's time is not known, and generally a
	// pause before what runs beside the passes is tried again.
	retryTrim = time.Minute
)

// trimDaily removes expired changes for as long as Run polls the environment. Retention counts by
// the org's time, so nothing happens before the org has answered.
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

// trim is one trim of trimDaily, made by one of the processes that share the store.
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

// trim removes what the record's retention lets expire. Import calls it as well, under its own
// lease; so two trims of one log can meet, and the one that loses leaves the rest to the next.
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
