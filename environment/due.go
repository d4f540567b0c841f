package environment

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
)

// dueTimes keeps for each type the last tick that has had its pass, in the store and so for all
// processes. The poller reads it when it begins, to make up for ticks at which nobody ran; each
// pass looks at it, to leave a tick alone that another process has served. The pass itself writes
// it, with its last commit (session.putState); the poller's own Save comes later and finds it done,
// unless the job made no pass at all.
type dueTimes struct {
	store storage.Store
	id    int64
}

// ownTimes is the state of a poller of this process. A tick at which the process could not even
// begin, because no key of its vault opens the client secret, is not over: another process serves
// it, or this one once it is started with the right key. Here it fails once, like any other.
type ownTimes struct {
	dueTimes
	unable sync.Map // by type, the newest such tick
}

var _ poller.State = (*ownTimes)(nil)

// Save implements poller.State.
func (o *ownTimes) Save(ctx context.Context, typeName string, due time.Time) error {
	if tick, ok := o.unable.Load(typeName); ok && !due.After(tick.(time.Time)) {
		return nil
	}
	return o.dueTimes.Save(ctx, typeName, due)
}

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

// Save notes that a tick is over. What a pass has saved already, or another
// process, is left as it is.
func (d *dueTimes) Save(ctx context.Context, typeName string, due time.Time) error {
	if settled, err := d.settled(ctx, typeName, due); settled || err != nil {
		return err
	}
	var b storage.Batch
	if err := d.put(&b, typeName, due); err != nil {
		return err
	}
	b.Require(aliveKey(d.id), alive)
	return d.store.Commit(ctx, &b)
}

// settled reports whether a tick has had its pass. A time in the future was
// saved under a clock that ran ahead, and says nothing.
func (d *dueTimes) settled(ctx context.Context, typeName string, tick time.Time) (bool, error) {
	last, err := storage.GetJSON[time.Time](ctx, d.store, d.key(typeName))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return !last.Before(tick) && !last.After(time.Now()), err
}

// put adds to b that the tick has had its pass.
func (d *dueTimes) put(b *storage.Batch, typeName string, due time.Time) error {
	return b.PutJSON(d.key(typeName), due.UTC())
}

func (d *dueTimes) key(typeName string) string { return ownKey(d.id, "due", typeName) }
