package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// How the entry of the log and the head of an object follow from what a pass found and from what the
// store has of it:
//
//   - not known: imported or created,
//   - known and equal: nothing, or the head alone,
//   - known and different: updated, restored if it was deleted, or a hidden step if only other rules
//     or a release of the platform make the difference,
//   - to be removed: deleted, unless it is already.

// readAhead is how many of the objects of a commit are read at a time: enough for a store to read
// them at once, few enough to stop where the commit is full.
const readAhead = 64

// A knownObject is what the store has of an object at the moment of the commit.
type knownObject struct {
	head
	found bool
	body  []byte  // if it is to be compared
	since missing // if the last complete walk missed it
}

// known reads what the store has of objects: heads first, in one read, then the bodies of those that
// are to be compared. The first keys are those of the heads, in the order of the objects; those of
// missing records, which only few objects have, stand behind them.
//
// No snapshot is needed for the two reads. The commit requires the counters that it read before
// these, so if anybody writes in between, all of this is read again.
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
		if !o.remove && !o.unread && o.waits == nil && !p.same(o, k.head) {
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

// same reports whether an object compares equal to its head. One whose head is of other rules never does:
// it has to be rebased.
func (p *Pass) same(o *pending, hd head) bool {
	return hd.live() && hd.Rules == p.rules.comparer.Fingerprint() && hd.Canonical == o.canonical
}

// write adds to t what follows from o, and returns the kind of the entry that
// it appended to the log, "" for none.
func (p *Pass) write(ctx context.Context, t *tx, o *pending, old knownObject) (Kind, error) {
	o.held = false
	if o.again.Left > 0 { // what the doubt is about may be older than the doubt, see writeNext
		o.again.After = old.earliest(o.again.After)
	}
	switch {
	case o.remove && (!old.found || !old.live()):
		return "", nil
	case o.remove:
		return p.h.writeRemoval(ctx, t, o.ID, old.head, o.after)
	case o.unread && (!old.found || !old.live()):
		return "", nil
	case o.waits != nil:
		return "", p.writeWait(t, o, old)
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

// earliest returns since when an object may have been edited, if a pass thinks since after: if a
// complete walk has missed it, since it was out of sight, if it is in doubt, since before the
// doubt, which the pass itself may have begun when it met the object before, and if it waits, since
// before that.
func (k *knownObject) earliest(after time.Time) time.Time {
	if k.since.Walks > 0 {
		after = instant.Earlier(after, k.since.After)
	}
	if doubt := k.doubt(); doubt.Left > 0 {
		after = instant.Earlier(after, doubt.After)
	}
	if k.Waits != nil {
		after = instant.Earlier(after, k.Waits.After)
	}
	return after
}

// writeNext records what differs between an object and its head.
func (p *Pass) writeNext(ctx context.Context, t *tx, o *pending, old knownObject) (Kind, error) {
	hd := old.head
	if p.same(o, hd) {
		if hd.Name == o.Name && hd.Parent == o.Parent && hd.Marker == o.Marker && hd.doubt().equal(o.again) && hd.Waits == nil {
			return "", nil
		}
		hd.label(o)
		if hd.Size = 0; hd.Raw == o.raw {
			hd.Size = len(o.Body)
		}
		return "", t.batch.PutJSON(p.h.keys.head(p.typeName, o.ID), hd)
	}
	r := record{ID: o.ID, Name: o.Name, Kind: KindUpdated, Prev: old.tip(), After: o.after}
	r.After = old.earliest(r.After)
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

// compare sets what r says about fields: the difference between the stored body and that of o. Under
// other rules it also sets the exact step between the two canonical forms. A step that replaces the
// whole body would hold the new form too, which is known; so only the old one is kept.
func (p *Pass) compare(ctx context.Context, r *record, o *pending, old knownObject) error {
	fingerprint := p.rules.comparer.Fingerprint()
	was, err := old.body, error(nil)
	// What Clean takes away is named in the rules of today. A body under the same rules was cleaned
	// when it was recorded.
	if p.clean != nil && old.Rules != fingerprint {
		if was, err = p.clean(was); err != nil {
			return fmt.Errorf("history: stored body of %s %q: %w", p.typeName, o.ID, err)
		}
	}
	if r.Fields, err = p.h.edits(ctx, old.Rules, fingerprint, was, o.Body); err != nil || old.Rules == fingerprint {
		return err
	}
	before, err := p.h.comparerOf(ctx, old.Rules)
	if err != nil {
		return err
	}
	r.Was = old.Rules
	r.Step, err = difference(p.h.plain, before, p.rules.comparer, old.body, o.Body)
	if len(r.Step) == 1 && r.Step[0].Path == "" {
		r.Step, r.Before = nil, r.Step[0].Old
	}
	return err
}

// putHead writes the head of an object whose stored body is now that of o.
func (p *Pass) putHead(t *tx, o *pending, hd head) error {
	hd.label(o)
	hd.Raw, hd.Size, hd.Canonical, hd.Rules = o.raw, len(o.Body), o.canonical, p.rules.comparer.Fingerprint()
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
