package environment

import (
	"context"
	"errors"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// How an environment is deleted, with all that is kept of it. The removal of a single object is
// no matter of this file: history decides that (its removal.go and confirm.go).
//
// A history may have millions of keys, more than one commit takes. So the first commit marks the
// record as being deleted and removes the alive key, which every commit of a pass requires: from
// then on nothing can be added. Then the history goes, and the last commit removes the rest with
// the record. Between them a kill leaves a marked record, which Delete finishes when it is called
// again.

// Delete removes an environment with its history and its secret. What it has used of the quota
// stays used, because the service counts by OAuth client. For a production environment confirm
// must be its name; otherwise the error is ErrUnconfirmed. A Delete that was interrupted is
// finished by calling it again; until then the environment is not polled.
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
	if err := e.dropSession(ctx, id); err != nil {
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
