package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// Delete removes an environment with its history and its secret. What it has used of
// the quota stays used: that is its OAuth client's.
// For a production environment confirm must be its name; ErrUnconfirmed says
// so. A Delete that was interrupted is finished by calling it again; until
// then the environment is not polled.
func (e *Engine) Delete(ctx context.Context, id int64, confirm string) error {
	err := storage.Update(ctx, e.store, func(b *storage.Batch) error {
		r, raw, err := e.read(ctx, id)
		if err != nil {
			return err
		}
		if err := e.authorize(ctx, OpDelete, r, Record{}); err != nil {
			return err
		}
		if err := r.confirmed(confirm, "deletes the environment with its history"); err != nil {
			return err
		}
		if r.Deleting.IsZero() {
			r.Deleting = time.Now().UTC()
			r.Revision++
		}
		b.Delete(aliveKey(id))
		b.Require(recordKey(id), raw)
		return e.putRecord(b, r)
	})
	if err != nil {
		return err
	}
	if err := e.forget(ctx, id); err != nil {
		return err
	}
	e.changed.notify()
	h, err := history.Open(ctx, e.store, id, &history.Options{Logger: e.opts.Logger})
	if err != nil {
		return err
	}
	if err := h.Delete(ctx); err != nil {
		return err
	}
	return storage.Update(ctx, e.store, func(b *storage.Batch) error {
		r, raw, err := e.read(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return nil // another Delete was first, and the name may be another's by now
		} else if err != nil {
			return err
		}
		b.Require(recordKey(id), raw)
		b.DeleteRange(ownRange(id))
		b.Delete(nameKey(foldName(r.Name)))
		b.Delete(recordKey(id))
		announce(b)
		return nil
	})
}

// confirmed guards what cannot be undone in a production environment.
func (r Record) confirmed(confirm, loss string) error {
	if r.IsProduction && confirm != r.Name {
		return fmt.Errorf("%w %q: it %s", ErrUnconfirmed, r.Name, loss)
	}
	return nil
}

// lossBy says what an update would take away for good: history, or the guard
// of what takes away history. It returns "" if nothing.
func (r Record) lossBy(update Record) string {
	switch {
	case !update.IsProduction && r.IsProduction:
		return "would no longer be guarded as production"
	case update.RetentionDays > 0 && r.RetentionDays == 0:
		return fmt.Sprintf("would keep superseded changes for %d days only, instead of for ever", update.RetentionDays)
	case update.RetentionDays > 0 && update.RetentionDays < r.RetentionDays:
		return fmt.Sprintf("would keep superseded changes for %d days only, instead of %d", update.RetentionDays, r.RetentionDays)
	}
	return ""
}

// Pause stops the scheduled polling of an environment until Resume. A pass
// that is running ends early; what it has recorded stays.
func (e *Engine) Pause(ctx context.Context, id int64) error { return e.setPaused(ctx, id, true) }

// Resume takes up polling again. A run that was missed happens once, at once.
func (e *Engine) Resume(ctx context.Context, id int64) error { return e.setPaused(ctx, id, false) }

func (e *Engine) setPaused(ctx context.Context, id int64, paused bool) error {
	err := storage.Update(ctx, e.store, func(b *storage.Batch) error {
		r, raw, err := e.read(ctx, id)
		if err != nil {
			return err
		}
		old := r
		r.Paused = paused
		r.Updated = time.Now().UTC()
		r.Revision++
		if err := e.authorize(ctx, OpUpdate, old, r); err != nil {
			return err
		}
		b.Require(recordKey(id), raw)
		return e.putRecord(b, r)
	})
	e.changed.notify()
	return err
}
