package environment

import (
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// Create checks the record, gives it an ID and stores it, with its secret sealed. It makes no
// request: Validate finds out whether the org answers. Import comes next, to set the baseline from
// which changes are told. It returns the record as it is stored, without the secret. The errors
// are *InvalidError and ErrNameTaken.
func (e *Engine) Create(ctx context.Context, r Record) (Record, error) {
	if err := e.authorize(ctx, OpCreate, Record{}, r); err != nil {
		return r, err
	}
	if err := r.Check(e.opts.Catalogue); err != nil {
		return r, err
	}
	r = r.withDefaults()
	now := time.Now().UTC()
	r.Created, r.Updated, r.Revision, r.Paused, r.Deleting = now, now, 1, false, time.Time{}
	err := storage.Update(ctx, e.store, func(b *storage.Batch) error {
		id, err := storage.Sequence(ctx, e.store, b, sequenceKey, 1)
		if err != nil {
			return err
		}
		r.ID = int64(id)
		if err := e.claimName(ctx, b, r); err != nil {
			return err
		}
		b.Put(aliveKey(r.ID), alive)
		return e.put(ctx, b, r)
	})
	if err != nil {
		return r, fmt.Errorf("environment: create %q: %w", r.Name, err)
	}
	e.changed.notify()
	e.warn(ctx, r)
	return r.withoutSecret(), nil
}

// warn logs what a record that was just stored says that may not be meant, and a plan that does
// not fit the quota. Validate and Forecast say more about these.
func (e *Engine) warn(ctx context.Context, r Record) {
	e.logDoubts(r)
	s, err := e.session(ctx, r.ID)
	if err != nil {
		return // a hook that has no secret yet, say; whatever uses the session reports it
	}
	if f, err := s.forecast(ctx); err == nil && !f.Fits {
		e.opts.Logger.WarnContext(ctx, "the polling plan takes more requests than the limit allows",
			"environment", r.Name, "environment_id", r.ID, "requests_a_day", f.PerDay, "limit_a_day", f.LimitPerDay)
	}
}
