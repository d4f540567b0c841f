package history

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// What a pass finds waits in its queue until a commit is due: many objects share one write. An
// object is in the queue once, so the order among objects does not matter, and for one object
// nothing is overtaken.
//
// The invariant: what a commit writes follows from the heads as they are in that commit, never from
// what the pass saw when it began. So a pass that is killed and one that is repeated leave the same,
// and an object that somebody else has recorded meanwhile is not recorded twice.

// pending is what a pass has found out about an object and not yet committed: its body, its removal,
// or only that it is to be read again.
type pending struct {
	Object
	remove         bool               // it is gone; nothing else counts
	unread         bool               // only again counts: see keepUnread
	held           bool               // back by the commit that met it, to be decided about; see release.go
	decided        bool               // it was held back before
	fields         []diff.FieldChange // of an object that is held back
	edited         bool               // a witness of an edit moved in it
	late           bool               // its marker had moved before its body came
	suspect        bool               // so it had, or that of its parent did: it may have been edited
	waited         wait               // for a pass that could decide about it, until now
	waits          *wait              // only that no pass could decide about it counts; see wait.go
	raw, canonical diff.Digest        // of Body
	again          reread             // the doubt that is left, zero for none
	after          time.Time          // when it was known to be what it was
	isFirst        bool               // nobody can tell whether it was there before, if it is new
}

// flush commits the queue. What it writes follows from the heads as they are at
// that moment, so it is right whoever else has written since the pass began,
// and a second application writes nothing.
func (p *Pass) flush(ctx context.Context) error {
	if len(p.queue) == 0 && len(p.returned) == 0 {
		return nil
	}
	return p.flushWith(ctx, func(*tx, Summary) error { return nil })
}

// commitBytes is the size of what a commit writes, old values included, that
// leaves the rest of the queue to the next one.
const commitBytes = 20 << 20

// flushWith commits the queue together with what last adds, which is told what
// the pass has found with that. If it is too much for one commit, last is in the
// last one.
func (p *Pass) flushWith(ctx context.Context, last func(*tx, Summary) error) error {
	for {
		n, err := p.flushOne(ctx, last)
		if err != nil {
			return err
		}
		all := n == len(p.queue)
		for _, o := range p.queue[:n] {
			delete(p.queued, o.ID)
			if o.held {
				p.hold(o)
			}
		}
		p.queue = slices.Delete(p.queue, 0, n)
		if all {
			p.bytes = 0
			p.returned = slices.DeleteFunc(p.returned, func(id string) bool { return !p.heldIDs[id] })
			return nil
		}
	}
}

// flushOne makes one commit of flushWith and returns how many of the queue are in it. The commit
// may be built several times, so nothing of the pass changes before it has succeeded.
func (p *Pass) flushOne(ctx context.Context, last func(*tx, Summary) error) (n int, err error) {
	var sum Summary
	first := p.first
	err = p.commit(ctx, func(t *tx) error {
		n, sum = 0, p.sum
		if first = p.first; first.IsZero() {
			first = t.now.At
		}
		// Heads and entries name their rules by fingerprint, so the rules are in the store no later
		// than the first of these.
		if len(p.queue) > 0 && !p.rules.stored.Load() {
			if err := t.batch.PutJSON(p.h.keys.rules(p.rules.comparer.Fingerprint()), p.rules.Rules); err != nil {
				return err
			}
		}
		for chunk := range slices.Chunk(p.queue, readAhead) {
			known, err := p.known(ctx, chunk)
			if err != nil {
				return err
			}
			for i, o := range chunk {
				if t.batch.Size()+t.frames.total >= commitBytes {
					return nil // last belongs to the commit that empties the queue
				}
				kind, err := p.write(ctx, t, o, known[i])
				if err != nil {
					return err
				}
				sum.count(kind)
				n++
			}
		}
		held := maps.Clone(p.heldIDs)
		for _, o := range p.queue[:n] {
			held[o.ID] = held[o.ID] || o.held
		}
		for _, id := range p.returned {
			if !held[id] { // the record says since when its change may have happened
				t.batch.Delete(p.h.keys.missing(p.typeName, id))
			}
		}
		return last(t, sum)
	})
	if err != nil {
		return 0, err
	}
	if len(p.queue) > 0 {
		p.rules.stored.Store(true)
	}
	p.sum, p.first = sum, first
	p.committed += n
	return n, nil
}

// commit is History.commit for a pass that is not over. An error is the end of
// the pass.
func (p *Pass) commit(ctx context.Context, build func(*tx) error) error {
	p.h.mu.Lock()
	newest := p.h.passes[p.typeName] == p
	p.h.mu.Unlock()
	err := error(nil)
	if !newest {
		err = fmt.Errorf("history: pass over %s: %w", p.typeName, ErrSuperseded)
	} else {
		err = p.h.commit(ctx, p.origin, build)
	}
	if err != nil {
		p.over = err
	}
	return err
}

// keepFound commits what a pass has found that cannot be made to its end.
func (p *Pass) keepFound(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil {
		_ = p.flush(ctx) // the next pass finds what this one cannot keep
	}
}

// enqueue adds to what the next commit writes. An object is in it once: if it is there already, with
// what was found earlier, that is committed first. What was held back of it is dropped, because what
// is found now follows from the same head and is newer.
func (p *Pass) enqueue(ctx context.Context, o *pending) error {
	p.unhold(o.ID)
	if p.queued[o.ID] {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	if len(p.queue) == 0 {
		p.oldest = time.Now()
	}
	o.Body = bytes.Clone(o.Body)
	p.queue = append(p.queue, o)
	p.queued[o.ID] = true
	p.bytes += len(o.Body)
	return nil
}

// commitIfDue commits the queue if it is large or old enough, and decides about what is held back if that
// takes too much memory.
func (p *Pass) commitIfDue(ctx context.Context) error {
	if !p.isDue() {
		return nil
	}
	if err := p.flush(ctx); err != nil || p.heldBytes < maxHeld || p.compared < releaseObjects {
		return err
	}
	return p.decide(ctx)
}

// isDue reports whether the queue is large or old enough for a commit. A commit rewrites the pages of a
// store that its keys are on. Lists come in no order of ids, so in a large store nearly every key is
// on another page, whose neighbours come in later commits. So commits grow with what the pass has
// committed: an import of 200,000 objects writes less than half of the bytes that commits of 500
// objects would, in less time.
func (p *Pass) isDue() bool {
	delay := batchDelay
	if p.last.Completed.IsZero() {
		delay = importDelay
	}
	return len(p.queue)+len(p.returned) >= max(p.h.opts.BatchObjects, p.committed/4) || p.bytes >= batchBytes ||
		len(p.queue) > 0 && time.Since(p.oldest) >= delay
}
