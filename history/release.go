package history

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// When the platform is released, a field may come to all objects of a type, or go from them. Nobody
// edited them, so that is one change of the type: an entry of KindShape. A pass can tell only when
// it has compared all objects, so it holds back those in which a field came or went. Then it
// recognises a release where all of these hold:
//
//   - the pass has compared at least 10 objects, of which at least 5 were not edited. One was edited if
//     a field came or went in it and a witness of an edit moved,
//   - the field came, or went, in at least 80 % of those that were not edited, without those in which it
//     was an edit just before, because fewer were compared then (releaseearlier.go),
//   - with one value in all of these.
//
// What is read because a marker moved shows edits more often than the rest: below a parent whose marker
// moved, or in an object whose marker had moved before its body came. Where at least 5 others were
// compared, these suspects are not asked. A pass that has compared fewer than 10 of the others reads
// more (sample.go), and lets objects wait for the next pass if it cannot (wait.go).
//
// The rest are edits. A release is remembered: an object that shows the same later, because it is
// read again later, joins it. An object that was edited as well is a change without that field.
//
// The path of an object through this: write meets a field that came or went (separate) and holds it
// back; decide, at the end of the walk, finds the releases (recognise), records them, and queues what
// was held back a second time; then separate knows these releases and moves their fields out of the
// change, to record.Platform, which keeps the step exact.
//
// The invariant: an entry that people see has no field of a release that was recognised, and a field
// is never lost: it is in the edit or in the release.
const (
	releaseObjects  = 10
	releaseUnedited = 5
	releaseShare    = 0.8

	// maxHeld is how many bytes of bodies are held back. With more the pass decides by what it has
	// compared so far.
	maxHeld = 64 << 20
)

// A release is a field that the platform brought to the objects of a type, or took from them.
type release struct {
	Op    diff.Op         `json:"op"`
	Path  string          `json:"path"` // as a pointer, in which elements of arrays have no index
	Value json.RawMessage `json:"value"`

	seq uint64 // of its entry
}

// A releaseKey is what makes two releases the same.
type releaseKey struct {
	op          diff.Op
	path, value string
}

// releaseOf returns the release that a field change may be a part of: a member that came or went,
// wherever it is. An element of a list that came is somebody's edit, and so is a changed value.
func releaseOf(c diff.FieldChange) (releaseKey, bool) {
	if c.Path == "" || c.Op != diff.OpAdd && c.Op != diff.OpRemove {
		return releaseKey{}, false
	}
	tokens := strings.Split(c.Path, "/")[1:]
	if isIndex(tokens[len(tokens)-1]) {
		return releaseKey{}, false
	}
	key := releaseKey{op: c.Op, value: string(c.New)}
	if c.Op == diff.OpRemove {
		key.value = string(c.Old)
	}
	for _, token := range tokens {
		if !isIndex(token) {
			key.path += "/" + token
		}
	}
	return key, true
}

// isIndex reports whether a token of a pointer is the index of an element, as far as it shows.
func isIndex(token string) bool { return token != "" && strings.Trim(token, "0123456789") == "" }

// change returns the release as a field change.
func (k releaseKey) change() diff.FieldChange {
	c := diff.FieldChange{Op: k.op, Path: k.path}
	if k.op == diff.OpAdd {
		c.New = json.RawMessage(k.value)
	} else {
		c.Old = json.RawMessage(k.value)
	}
	return c
}

// releases reads what is remembered of the releases of a type: the sequence number of each.
func (h *History) releases(ctx context.Context, typeName string) (map[releaseKey]uint64, error) {
	known := map[releaseKey]uint64{}
	for e, err := range h.store.Scan(ctx, h.keys.below("release", typeName)) {
		var r release
		var last string
		if err == nil {
			last, err = h.keys.last(e.Key)
		}
		if err == nil {
			r.seq, err = strconv.ParseUint(last, 16, 64)
		}
		if err == nil {
			err = decode(e.Key, e.Value, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("history: releases of %s: %w", typeName, err)
		}
		known[releaseKey{r.Op, r.Path, string(r.Value)}] = r.seq
	}
	return known, nil
}

// released returns the ids of the objects that a release reached, as far as they were read since.
func (h *History) released(ctx context.Context, typeName string, seq uint64) (ids []string, err error) {
	for e, err := range h.store.Scan(ctx, h.keys.below("released", typeName, hex16(seq))) {
		var id string
		if err == nil {
			id, err = h.keys.last(e.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("history: the objects of release %d: %w", seq, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// withObjects adds to a change of KindShape what it is about.
func (h *History) withObjects(ctx context.Context, c Change) (Change, error) {
	var err error
	if c.Kind == KindShape {
		c.Objects, err = h.released(ctx, c.Type, c.Seq)
		c.Number = max(c.Number, len(c.Objects))
	}
	return c, err
}

// separate takes from the fields of a record what known releases have done, and reports whether to
// hold the object back: because a field came or went that may be part of another one.
func (p *Pass) separate(t *tx, r *record, o *pending, old knownObject) (hold bool) {
	var edits []diff.FieldChange
	seqs := map[uint64]bool{}
	for _, c := range r.Fields {
		key, ok := releaseOf(c)
		seq, known := p.releases[key]
		if ok && known {
			r.Platform = append(r.Platform, c)
			seqs[seq] = true
			continue
		}
		// A type with fewer objects cannot show a release, so nothing of it is held back.
		hold = hold || ok && !o.decided && !p.decided && p.live >= releaseObjects
		edits = append(edits, c)
	}
	if hold {
		o.fields = edits
		o.edited, o.late = p.witnessMoved(o, old), old.doubt().Late
		o.suspect = o.late || p.moved(o.Parent)
		if o.waited = (wait{}); old.Waits != nil {
			o.waited = *old.Waits
		}
		return true
	}
	r.Fields = edits
	for seq := range seqs {
		t.batch.Put(p.h.keys.released(p.typeName, seq, o.ID), []byte("{}"))
	}
	return false
}

// hold keeps an object back until the pass decides.
func (p *Pass) hold(o *pending) {
	p.held = append(p.held, o)
	p.heldIDs[o.ID] = true
	p.heldBytes += len(o.Body)
}

// unhold drops an object that was held back, because it was seen again.
func (p *Pass) unhold(id string) {
	if !p.heldIDs[id] {
		return
	}
	delete(p.heldIDs, id)
	for i, o := range p.held {
		if o.ID == id {
			p.heldBytes -= len(o.Body)
			p.held = append(p.held[:i], p.held[i+1:]...)
			return
		}
	}
}

// decide tells releases from edits among what was held back, records both, and lets wait what it cannot
// tell (wait.go). All that was queued is committed. A release is recorded before the objects that it
// reached: should the pass die in between, the next one finds them as parts of a release that is known.
func (p *Pass) decide(ctx context.Context) error {
	if len(p.held) == 0 {
		return nil
	}
	found, err := p.recognise(ctx)
	if err == nil && len(found) > 0 {
		err = p.recordReleases(ctx, found)
	}
	if err != nil {
		return err
	}
	mayWait := p.mayWait()
	for _, o := range p.held {
		o.decided = !mayWait || !p.letWait(o)
		o.fields = nil
		p.queued[o.ID] = true
	}
	p.queue = append(p.held, p.queue...)
	p.held, p.heldBytes = nil, 0
	clear(p.heldIDs)
	return p.flush(ctx)
}

// recognise returns the releases among what was held back, with the ids of the objects that show
// them. Objects that were edited as well count neither for nor against one, and neither do those that
// showed it before, when too few were compared to tell.
func (p *Pass) recognise(ctx context.Context) (map[releaseKey][]string, error) {
	withSuspects := p.unsuspected() < releaseUnedited
	of := p.unsuspected()
	if withSuspects {
		of = p.unedited()
	}
	shown, tell := map[releaseKey][]string{}, map[releaseKey]int{}
	values := map[releaseKey]int{} // how many there are of a field that came or went
	for _, o := range p.held {
		if o.edited {
			continue
		}
		own := map[releaseKey]bool{}
		for _, c := range o.fields {
			key, ok := releaseOf(c)
			if !ok || own[key] {
				continue
			}
			own[key] = true
			shown[key] = append(shown[key], o.ID)
			if withSuspects || !o.suspect {
				if tell[key]++; tell[key] == 1 {
					values[releaseKey{op: key.op, path: key.path}]++
				}
			}
		}
	}
	for key := range shown {
		is, err := p.isRelease(ctx, key, tell[key], of, values[releaseKey{op: key.op, path: key.path}])
		if err != nil {
			return nil, err
		}
		if !is {
			delete(shown, key)
		}
	}
	return shown, nil
}

// isRelease reports whether what n of so many objects show is a release. Values is how many values they
// show there.
func (p *Pass) isRelease(ctx context.Context, key releaseKey, n, of, values int) (bool, error) {
	isMost := func(of int) bool { return float64(n) >= releaseShare*float64(of) }
	if p.compared < releaseObjects || of < releaseUnedited || n == 0 || values != 1 {
		return false, nil
	}
	if isMost(of) || n < releaseUnedited {
		return isMost(of), nil
	}
	most := int(float64(n)/releaseShare) - n + 1 // that may speak against it, rounded up
	had, err := p.earlier(ctx, key, most)
	return err == nil && isMost(of-had), err
}

// maxListed is how many objects are in the commit of a release. The others follow with the commits
// of their own.
const maxListed = 10_000

// recordReleases appends an entry for each release.
func (p *Pass) recordReleases(ctx context.Context, found map[releaseKey][]string) error {
	seqs := map[releaseKey]uint64{}
	err := p.commit(ctx, func(t *tx) error {
		listed := 0
		for key, ids := range found {
			seq, err := t.append(record{Kind: KindShape, After: p.origin.after, Fields: []diff.FieldChange{key.change()}, Number: len(ids)})
			if err != nil {
				return err
			}
			r := release{Op: key.op, Path: key.path, Value: json.RawMessage(key.value)}
			value, err := encode(r)
			if err != nil {
				return fmt.Errorf("history: %w", err)
			}
			t.batch.Put(p.h.keys.release(p.typeName, seq), value)
			for _, id := range ids {
				if listed++; listed <= maxListed {
					t.batch.Put(p.h.keys.released(p.typeName, seq, id), []byte("{}"))
				}
			}
			seqs[key] = seq
		}
		return nil
	})
	maps.Copy(p.releases, seqs)
	return err
}

// withoutPlatform returns the fields that no release brought or took, as those of the records say
// that count.
func withoutPlatform(fields []diff.FieldChange, records []record, counts func(*record) bool) []diff.FieldChange {
	platform := map[releaseKey]bool{}
	for i := range records {
		if !counts(&records[i]) {
			continue
		}
		for _, c := range records[i].Platform {
			if key, ok := releaseOf(c); ok {
				platform[key] = true
			}
		}
	}
	var edits []diff.FieldChange
	for _, c := range fields {
		if key, ok := releaseOf(c); !ok || !platform[key] {
			edits = append(edits, c)
		}
	}
	return edits
}

// forgetReleases erases that releases reached an object.
func (h *History) forgetReleases(ctx context.Context, b *storage.Batch, typeName, id string) error {
	known, err := h.releases(ctx, typeName)
	for _, seq := range known {
		b.Delete(h.keys.released(typeName, seq, id))
	}
	return err
}
