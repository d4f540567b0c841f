package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// FollowAll follows every environment that Options.Authorize lets the caller follow,
// also those that are created later, until ctx ends; it then returns nil. The
// consumer has a place in each. Changes of one environment come one at a time and in
// order; f is called concurrently for different environments, which
// Change.Environment tells apart. The first error ends all. An environment that is
// deleted has no changes to come, which is none.
func (e *Engine) FollowAll(ctx context.Context, consumer string, f Consumer, opts *FollowOptions) error {
	if _, err := e.following(0, consumer, f, opts); err != nil {
		return err
	}
	newest, err := storage.GetJSON[int64](ctx, e.store, sequenceKey)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	following, stop := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop(nil)
	begun := map[int64]bool{}
	for {
		changed := e.changed.next()
		for r, err := range e.All(following) {
			if _, one := errors.AsType[*unreadableError](err); one {
				continue // Run logs it
			}
			if err != nil {
				stop(err)
				break
			}
			if begun[r.ID] || !r.Deleting.IsZero() || e.authorize(following, OpConsumer, r, r) != nil {
				continue
			}
			begun[r.ID] = true
			var o FollowOptions
			if opts != nil {
				o = *opts
			}
			o.FromNow = o.FromNow && r.ID <= newest
			wg.Go(func() {
				if err := e.Follow(following, r.ID, consumer, f, &o); err != nil && !e.isGone(following, r.ID) {
					stop(err)
				}
			})
		}
		select {
		case <-following.Done():
			if ended(ctx) {
				return nil
			}
			return context.Cause(following)
		case <-changed:
		case <-time.After(e.glance()):
		}
	}
}

// isGone reports whether an environment was deleted, or is being.
func (e *Engine) isGone(ctx context.Context, id int64) bool {
	r, _, err := e.read(ctx, id)
	return errors.Is(err, ErrNotFound) || err == nil && !r.Deleting.IsZero()
}

// A ConsumerStatus tells how far a consumer has come with an environment's changes.
type ConsumerStatus struct {
	Name   string        `json:"name"`
	Seq    uint64        `json:"seq"`              // it has had the changes up to this one
	Behind uint64        `json:"behind"`           // how many numbers of the log it has not had; not each is a change
	Lag    time.Duration `json:"lag"`              // since the oldest change was recorded that it has not had, by the org's time; in JSON nanoseconds
	Owed   int           `json:"owed"`             // changes it has had of which it is still to be told who made them; see FollowOptions.Attributed
	Holder string        `json:"holder,omitempty"` // the Options.Instance of the process that delivers to it now
}

// Consumers returns the consumers that have a place in an environment's changes, by
// name. What their FollowOptions leave out counts as not had until they pass it.
func (e *Engine) Consumers(ctx context.Context, id int64) ([]ConsumerStatus, error) {
	h, err := e.History(ctx, id)
	if err != nil {
		return nil, err
	}
	newest, err := h.Cursor(ctx)
	if err != nil {
		return nil, err
	}
	now := e.orgNow(ctx, id)
	consumers := []ConsumerStatus{}
	for entry, err := range e.store.Scan(ctx, storage.Prefix(ownKey(id, "consumer")+"/")) {
		if err != nil {
			return nil, err
		}
		parts, err := storage.SplitKey(entry.Key)
		if err != nil {
			return nil, err
		}
		c := ConsumerStatus{Name: parts[len(parts)-1]}
		if err := json.Unmarshal(entry.Value, &c.Seq); err != nil {
			return nil, err
		}
		if c.Seq < newest {
			c.Behind = newest - c.Seq
		}
		for change, err := range h.Changes(ctx, history.Query{AfterSeq: c.Seq, Limit: 1}) {
			if err != nil {
				return nil, err
			}
			c.Lag = max(0, now.Sub(change.At))
		}
		for _, err := range e.store.Scan(ctx, owedRange(id, c.Name, 0)) {
			if err != nil {
				return nil, err
			}
			c.Owed++
		}
		consumers = append(consumers, c)
	}
	return consumers, e.consumerHolders(ctx, id, consumers)
}

func (e *Engine) consumerHolders(ctx context.Context, id int64, consumers []ConsumerStatus) error {
	keys := make([]string, len(consumers))
	for i, c := range consumers {
		keys[i] = leaseKey(id, "consumer", c.Name)
	}
	held, err := e.leases.Holders(ctx, keys...)
	for i := range consumers {
		if h, ok := held[keys[i]]; ok {
			consumers[i].Holder = e.instanceOf(h)
		}
	}
	return err
}

// ResetConsumer lets a consumer go on behind the change with that sequence number: 0
// hands it every change again, ConsumerStatus.Seq plus Behind skips to now. A number that
// the log has not reached is refused, because changes up to it would never be delivered.
// While somebody delivers to it, that is storage.ErrLocked.
func (e *Engine) ResetConsumer(ctx context.Context, id int64, consumer string, seq uint64) error {
	return e.editConsumer(ctx, id, consumer, func(b *storage.Batch, key string) error {
		h, err := history.Open(ctx, e.store, id, nil)
		if err != nil {
			return err
		}
		if newest, err := h.Cursor(ctx); err != nil {
			return err
		} else if seq > newest {
			return fmt.Errorf("environment: %q cannot go on behind change %d: the last is %d", consumer, seq, newest)
		}
		b.DeleteRange(owedRange(id, consumer, seq))
		return b.PutJSON(key, seq)
	})
}

// DeleteConsumer forgets a consumer: under the same name it is a new one. While
// somebody delivers to it, that is storage.ErrLocked.
func (e *Engine) DeleteConsumer(ctx context.Context, id int64, consumer string) error {
	return e.editConsumer(ctx, id, consumer, func(b *storage.Batch, key string) error {
		b.Delete(key)
		b.DeleteRange(owedRange(id, consumer, 0))
		return nil
	})
}

func (e *Engine) editConsumer(ctx context.Context, id int64, consumer string, edit func(*storage.Batch, string) error) error {
	r, _, err := e.read(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpConsumer, r, r)
	}
	if err != nil {
		return err
	}
	return e.unlessHeld(ctx, id, func(ctx context.Context, lease *lease) error {
		if _, known, err := e.place(ctx, id, consumer); err != nil || !known {
			if err == nil {
				err = fmt.Errorf("%w: %q has no place in the changes of %q", ErrNoConsumer, consumer, r.Name)
			}
			return err
		}
		var b storage.Batch
		if err := edit(&b, ownKey(id, "consumer", consumer)); err != nil {
			return err
		}
		lease.Fence(&b)
		return e.store.Commit(ctx, &b)
	}, "consumer", consumer)
}
