package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// pending is what a pass has found out about an object and not yet committed.
type pending struct {
	Object
	remove         bool
	unread         bool               // only again counts: see keepUnread
	held           bool               // back by the commit that met it, to be decided about
	decided        bool               // it was held back before
	fields         []diff.FieldChange // of an object that is held back
	edited         bool               // a witness of an edit moved in it
	raw, canonical diff.Digest
	again          reread
	after          time.Time // when it was known to be what it was
	isFirst        bool      // nobody can tell whether it was there before, if it is new
}

// flush commits the queue. What it writes follows from the heads as they are at
// that moment, so it is right whoever else has written since the pass began,
// and a second application writes nothing.
func (p *Pass) flush(ctx context.Context) error {
	if len(p.queue) == 0 && len(p.found) == 0 {
		return nil
	}
	return p.flushWith(ctx, func(*tx, Summary) error { return nil })
}

// commitBytes is the size of what a commit writes, old values included, that
// leaves the rest of the queue to the next one.
const commitBytes = 16 << 20

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
			p.found = slices.DeleteFunc(p.found, func(id string) bool { return !p.heldIDs[id] })
			return nil
		}
	}
}

// flushOne makes one commit of flushWith and returns how many of the queue are
// in it.
func (p *Pass) flushOne(ctx context.Context, last func(*tx, Summary) error) (n int, err error) {
	var sum Summary
	first := p.first
	err = p.commit(ctx, func(t *tx) error {
		n, sum = 0, p.sum
		if first = p.first; first.IsZero() {
			first = t.now.At
		}
		if len(p.queue) > 0 && !p.shape.stored.Load() {
			if err := t.batch.PutJSON(p.h.keys.shape(p.shape.comparer.Fingerprint()), p.shape.Rules); err != nil {
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
					return nil
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
		for _, id := range p.found {
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
		p.shape.stored.Store(true)
	}
	p.sum, p.first = sum, first
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

// readAhead is how many of the objects of a commit are read at a time.
const readAhead = 64

// A knownObject is what the store has of an object.
type knownObject struct {
	head
	found bool
	body  []byte  // if it is to be compared
	since missing // if the last complete walk missed it
}

// known reads what the store has of objects.
func (p *Pass) known(ctx context.Context, objects []*pending) ([]knownObject, error) {
	var keys []string
	for _, o := range objects {
		keys = append(keys, p.h.keys.head(p.typeName, o.ID))
	}
	for _, o := range objects {
		if s := p.seen[o.ID]; s != nil && s.missing {
			keys = append(keys, p.h.keys.missing(p.typeName, o.ID))
		}
	}
	values, err := storage.GetMany(ctx, p.h.store, keys)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	known := make([]knownObject, len(objects))
	bodies := make([]string, len(objects))
	for i, o := range objects {
		k := &known[i]
		var data []byte
		if data, k.found = values[keys[i]]; !k.found {
			continue
		}
		if err := decode(keys[i], data, &k.head); err != nil {
			return nil, err
		}
		missed := p.h.keys.missing(p.typeName, o.ID)
		if data, ok := values[missed]; ok {
			if err := decode(missed, data, &k.since); err != nil {
				return nil, err
			}
		}
		if !o.remove && !o.unread && !p.same(o, k.head) {
			bodies[i] = p.h.keys.body(p.typeName, o.ID)
		}
	}
	return known, p.readBodies(ctx, known, bodies)
}

// readBodies reads the bodies that have a key.
func (p *Pass) readBodies(ctx context.Context, known []knownObject, keys []string) error {
	wanted := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == "" })
	if len(wanted) == 0 {
		return nil
	}
	bodies, err := storage.GetMany(ctx, p.h.store, wanted)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	for i, key := range keys {
		if key == "" {
			continue
		}
		body, ok := bodies[key]
		if !ok {
			return fmt.Errorf("history: %w", &storage.KeyError{Key: key, Err: storage.ErrNotFound})
		}
		known[i].body = body
	}
	return nil
}

// same reports whether an object compares equal to its head.
func (p *Pass) same(o *pending, hd head) bool {
	return hd.live() && hd.Shape == p.shape.comparer.Fingerprint() && hd.Canonical == o.canonical
}

// write adds to t what follows from o, and returns the kind of the entry that
// it appended to the log, "" for none.
func (p *Pass) write(ctx context.Context, t *tx, o *pending, old knownObject) (Kind, error) {
	o.held = false
	switch {
	case o.remove && (!old.found || !old.live()):
		return "", nil
	case o.remove:
		return p.h.writeRemoval(ctx, t, o.ID, old.head, o.after)
	case o.unread && (!old.found || !old.live()):
		return "", nil
	case o.unread:
		old.Reread = &o.again
		return "", t.batch.PutJSON(p.h.keys.head(p.typeName, o.ID), old.head)
	case !old.found:
		return p.writeFirst(t, o)
	}
	return p.writeNext(ctx, t, o, old)
}

// writeFirst records the first sight of an object.
func (p *Pass) writeFirst(t *tx, o *pending) (Kind, error) {
	kind, after := KindCreated, o.after
	if o.isFirst {
		kind, after = KindImported, time.Time{} // it may always have been there
	}
	seq, err := t.append(record{ID: o.ID, Name: o.Name, Kind: kind, After: after})
	if err != nil {
		return "", err
	}
	hd := head{Seq: seq, Changed: t.now.At, Kind: kind}
	t.batch.Put(p.h.keys.body(p.typeName, o.ID), o.Body)
	return kind, p.putHead(t, o, hd)
}

// writeNext records what differs between an object and its head.
func (p *Pass) writeNext(ctx context.Context, t *tx, o *pending, old knownObject) (Kind, error) {
	hd := old.head
	if p.same(o, hd) {
		if hd.Name == o.Name && hd.Parent == o.Parent && hd.Marker == o.Marker && hd.doubt().equal(o.again) {
			return "", nil
		}
		hd.label(o)
		return "", t.batch.PutJSON(p.h.keys.head(p.typeName, o.ID), hd)
	}
	r := record{ID: o.ID, Name: o.Name, Kind: KindUpdated, Prev: old.tip(), After: o.after}
	if old.since.Walks > 0 {
		r.After = instant.Earlier(r.After, old.since.After) // what was missed may have been in doubt before
	}
	if err := p.compare(ctx, &r, o, old); err != nil {
		return "", err
	}
	if old.live() && p.separate(t, &r, o, old) {
		o.held = true
		return "", nil
	}
	switch {
	case !old.live():
		r.Kind = KindRestored
	case len(r.Fields) == 0:
		r.Kind = kindRebased
	}
	if old.Raw != o.raw {
		t.batch.Put(p.h.keys.body(p.typeName, o.ID), o.Body)
	}
	seq, err := t.append(r)
	if err != nil {
		return "", err
	}
	if r.hidden() {
		hd.Hidden, hd.HiddenAt = seq, t.now.At
	} else {
		hd.change(seq, t.now.At, r.Kind)
	}
	return r.Kind, p.putHead(t, o, hd)
}

// compare sets what r says about fields: the difference between the stored body
// and that of o.
func (p *Pass) compare(ctx context.Context, r *record, o *pending, old knownObject) error {
	fingerprint := p.shape.comparer.Fingerprint()
	was, err := old.body, error(nil)
	if p.clean != nil && old.Shape != fingerprint {
		if was, err = p.clean(was); err != nil {
			return fmt.Errorf("history: stored body of %s %q: %w", p.typeName, o.ID, err)
		}
	}
	if r.Fields, err = p.h.edits(ctx, old.Shape, fingerprint, was, o.Body); err != nil || old.Shape == fingerprint {
		return err
	}
	before, err := p.h.comparerOf(ctx, old.Shape)
	if err != nil {
		return err
	}
	r.Was = old.Shape
	r.Step, err = difference(p.h.plain, before, p.shape.comparer, old.body, o.Body)
	if len(r.Step) == 1 && r.Step[0].Path == "" {
		r.Step, r.Before = nil, r.Step[0].Old
	}
	return err
}

// edits returns what changed between two bodies that compare by the rules with
// these fingerprints, perhaps different ones: the differences in fields that both
// rules compare, and, if the bodies were read in different ways, that both have.
func (h *History) edits(ctx context.Context, before, after string, old, new []byte) ([]diff.FieldChange, error) {
	both, err := h.union(ctx, before, after)
	if err != nil {
		return nil, err
	}
	a, err := both.Canonical(nil, old)
	if err != nil {
		return nil, fmt.Errorf("history: stored body: %w", err)
	}
	b, err := both.Canonical(nil, new)
	if err != nil {
		return nil, err
	}
	alike, err := h.readAlike(ctx, before, after)
	if err == nil && !alike {
		a, b, err = both.Shared(a, b)
	}
	if err != nil {
		return nil, err
	}
	return both.Diff(a, b)
}

// readAlike reports whether the bodies under two rules were read in the same way.
func (h *History) readAlike(ctx context.Context, before, after string) (bool, error) {
	if before == after {
		return true, nil
	}
	a, err := h.shape(ctx, before)
	if err != nil {
		return false, err
	}
	b, err := h.shape(ctx, after)
	return err == nil && a.Reads == b.Reads, err
}

// difference returns the difference, as how sees it, between the canonical form of a
// body under one comparer and that of another body under another one.
func difference(how, before, after *diff.Comparer, old, new []byte) ([]diff.FieldChange, error) {
	a, err := before.Canonical(nil, old)
	if err != nil {
		return nil, fmt.Errorf("history: stored body: %w", err)
	}
	b, err := after.Canonical(nil, new)
	if err != nil {
		return nil, err
	}
	return how.Diff(a, b)
}

// putHead writes the head of an object whose stored body is now that of o.
func (p *Pass) putHead(t *tx, o *pending, hd head) error {
	hd.label(o)
	hd.Raw, hd.Canonical, hd.Shape = o.raw, o.canonical, p.shape.comparer.Fingerprint()
	return t.batch.PutJSON(p.h.keys.head(p.typeName, o.ID), hd)
}

// writeRemoval records that a live object is gone. Its head and its body stay,
// so that what follows can be compared with them.
func (h *History) writeRemoval(ctx context.Context, t *tx, id string, hd head, after time.Time) (Kind, error) {
	typeName := t.origin.typeName
	r := record{ID: id, Name: hd.Name, Kind: KindDeleted, Prev: hd.tip(), After: after}
	m, found, err := h.missingRecord(ctx, typeName, id)
	if err != nil {
		return "", err
	}
	if found {
		r.After = m.After
		t.batch.Delete(h.keys.missing(typeName, id))
	}
	seq, err := t.append(r)
	if err != nil {
		return "", err
	}
	hd.change(seq, t.now.At, KindDeleted)
	return KindDeleted, t.batch.PutJSON(h.keys.head(typeName, id), hd)
}
