package environment

import (
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// How a record is changed, and what is confirmed first in production.

// UpdateOptions configures one Update or Put.
type UpdateOptions struct {
	// Confirm is the name of the production environment whose history or guard the
	// update takes away; see Record.IsProduction. Without it, such an update is
	// ErrUnconfirmed.
	Confirm string
}

// Update replaces the record of the same ID, if its Revision is still the stored one; otherwise
// the error is ErrStale: read the record again, change that, and Update. An empty ClientSecret
// leaves the secret as it is, but an update that names another client or host must give the secret
// again. Only Pause and Resume change Paused. A changed plan, limit or rule takes effect at once.
// The other errors are *InvalidError, ErrNotFound, ErrNameTaken and ErrUnconfirmed.
func (e *Engine) Update(ctx context.Context, r Record, opts *UpdateOptions) (Record, error) {
	if err := r.Check(e.opts.Catalogue); err != nil {
		return r, err
	}
	var o UpdateOptions
	if opts != nil {
		o = *opts
	}
	r = r.withDefaults()
	revision := r.Revision
	err := storage.Update(ctx, e.store, func(b *storage.Batch) error {
		old, raw, err := e.read(ctx, r.ID)
		if err != nil {
			return err
		}
		r.Created, r.Updated, r.Revision = old.Created, time.Now().UTC(), revision+1
		r.Paused, r.Deleting = old.Paused, time.Time{}
		if err := e.authorize(ctx, OpUpdate, old, r); err != nil {
			return err
		}
		if !old.Deleting.IsZero() {
			return fmt.Errorf("%w: %q is being deleted", ErrNotFound, old.Name)
		}
		if old.Revision != revision {
			return ErrStale
		}
		if loss := old.lossBy(r); loss != "" {
			if err := old.confirmed(o.Confirm, loss); err != nil {
				return err
			}
		}
		if err := e.checkAudience(ctx, old, r); err != nil {
			return err
		}
		b.Require(recordKey(r.ID), raw)
		if foldName(old.Name) != foldName(r.Name) {
			b.Delete(nameKey(foldName(old.Name)))
			if err := e.claimName(ctx, b, r); err != nil {
				return err
			}
		}
		return e.put(ctx, b, r)
	})
	if err != nil {
		return r, fmt.Errorf("environment: update %d: %w", r.ID, err)
	}
	e.changed.notify()
	e.warn(ctx, r)
	return r.withoutSecret(), nil
}

// confirmed guards what cannot be undone in a production environment. loss completes the sentence
// "it …" of the error.
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
