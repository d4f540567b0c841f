package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// End commits what is left and records the pass. The absences that were neither
// removed nor seen since Settle are then withheld. Without a Settle the walk
// was not complete.
func (p *Pass) End(ctx context.Context) (Summary, error) {
	return p.endWith(ctx, func(*storage.Batch, Summary) error { return nil })
}

// endWith is End with one more part: what add puts into the Batch, under keys of
// the caller's own, is committed together with the record of the pass. It may be
// called more than once.
func (p *Pass) endWith(ctx context.Context, add func(*storage.Batch, Summary) error) (Summary, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil {
		p.over = p.end(ctx, add)
	}
	if p.over != nil {
		return Summary{}, p.over
	}
	p.over = fmt.Errorf("history: pass over %s has ended", p.typeName)
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	if p.h.passes[p.typeName] == p {
		delete(p.h.passes, p.typeName) // with what it knows of every object
	}
	return p.sum, nil
}

// end makes the last commits of the pass. The record of the pass is in the very last one, with what
// add puts there: a pass that is recorded as complete has nothing left to write.
func (p *Pass) end(ctx context.Context, add func(*storage.Batch, Summary) error) error {
	if !p.settled {
		p.addReason("", "the walk was not settled")
		p.sum.Reason = p.reason
	}
	if err := p.decide(ctx); err != nil {
		return err
	}
	p.decided = true
	p.sum.Withheld = len(p.missingIDs())
	missing, err := p.writeMissing(ctx)
	if err != nil {
		return err
	}
	var final Summary
	err = p.flushWith(ctx, func(t *tx, sum Summary) error {
		// What was seen twice may have changed twice.
		sum.Unchanged = max(0, sum.Objects-sum.Imported-sum.Created-sum.Updated-sum.Restored)
		sum.Ended = instant.Later(sum.Started, t.now.At) // not before what it recorded, though the time is known better by now
		final = sum
		r := passRecord{
			Summary: sum, Completed: p.last.Completed, Coverage: p.last.Coverage, First: p.first,
			Walked: p.walked, Cycle: p.cycle, Identity: p.last.Identity, Forgot: p.last.Forgot && !sum.Complete,
			Unoffered: p.unoffered,
		}
		if sum.Complete {
			r.Completed = sum.AsOf
		}
		if r.First.IsZero() {
			r.First = t.now.At
		}
		if err := p.putMissing(ctx, t, missing); err != nil {
			return err
		}
		if err := t.batch.PutJSON(p.h.keys.pass(p.typeName), r); err != nil {
			return err
		}
		return add(&t.batch, sum)
	})
	p.sum = final
	return err
}

// writeMissing stores which objects the walk missed, but for the last of them,
// which it returns: they are committed together with the record of the pass.
//
// A process that dies between two of these commits leaves absences noted of a walk that no record
// tells of. They are right all the same, as the walk was complete where it proved them, and the next
// walk that misses the objects counts as the second.
func (p *Pass) writeMissing(ctx context.Context) (last []string, err error) {
	ids := slices.DeleteFunc(p.missingIDs(), func(id string) bool {
		_, missed := p.missed[id]
		return !missed
	})
	for n := p.h.opts.BatchObjects; len(ids) > n; ids = ids[n:] {
		if err := p.commit(ctx, func(t *tx) error { return p.putMissing(ctx, t, ids[:n]) }); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// putMissing adds to t what is known of absences, but for objects whose removal was accepted or
// that were forgotten since Settle.
func (p *Pass) putMissing(ctx context.Context, t *tx, ids []string) error {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = p.h.keys.head(p.typeName, id)
	}
	heads, err := storage.GetMany(ctx, p.h.store, keys)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	for i, id := range ids {
		data, found := heads[keys[i]]
		if !found {
			continue
		}
		var hd head
		if err := decode(keys[i], data, &hd); err != nil {
			return err
		}
		if !hd.live() {
			continue
		}
		if err := t.batch.PutJSON(p.h.keys.missing(p.typeName, id), p.missed[id]); err != nil {
			return err
		}
	}
	return nil
}
