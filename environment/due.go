package environment

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
)

// dueTimes keeps the poller's intended times in the store, for all processes.
type dueTimes struct {
	store storage.Store
	id    int64
}

var _ poller.State = (*dueTimes)(nil)

// Load implements poller.State.
func (d *dueTimes) Load(ctx context.Context) (map[string]time.Time, error) {
	times := map[string]time.Time{}
	for entry, err := range d.store.Scan(ctx, storage.Prefix(ownKey(d.id, "due")+"/")) {
		if err != nil {
			return nil, err
		}
		parts, err := storage.SplitKey(entry.Key)
		if err != nil {
			return nil, err
		}
		var due time.Time
		if err := json.Unmarshal(entry.Value, &due); err != nil {
			return nil, err
		}
		times[parts[len(parts)-1]] = due
	}
	return times, nil
}

// Save implements poller.State. What a pass has saved already, or another
// process, is left as it is.
func (d *dueTimes) Save(ctx context.Context, object string, due time.Time) error {
	if settled, err := d.settled(ctx, object, due); settled || err != nil {
		return err
	}
	var b storage.Batch
	if err := d.put(&b, object, due); err != nil {
		return err
	}
	b.Require(aliveKey(d.id), alive)
	return d.store.Commit(ctx, &b)
}

// settled reports whether a tick has had its pass. A time in the future was
// saved under a clock that ran ahead, and says nothing.
func (d *dueTimes) settled(ctx context.Context, object string, tick time.Time) (bool, error) {
	last, err := storage.GetJSON[time.Time](ctx, d.store, d.key(object))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return !last.Before(tick) && !last.After(time.Now()), err
}

func (d *dueTimes) put(b *storage.Batch, object string, due time.Time) error {
	return b.PutJSON(d.key(object), due.UTC())
}

func (d *dueTimes) key(object string) string { return ownKey(d.id, "due", object) }
