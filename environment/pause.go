package environment

import (
	"context"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// Pause stops the scheduled polling of an environment, in all processes, until Resume. A scheduled
// pass that is running is cancelled; what it has recorded stays. Import and Poll still work.
func (e *Engine) Pause(ctx context.Context, id int64) error { return e.setPaused(ctx, id, true) }

// Resume takes up polling again. A type whose ticks were missed has one pass at once.
func (e *Engine) Resume(ctx context.Context, id int64) error { return e.setPaused(ctx, id, false) }

// setPaused changes one field of the record, whatever its revision: unlike an Update it cannot
// overwrite what somebody else changed.
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
