package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/internal/jsonscan"
	"github.com/cxsync/cxsync/storage"
)

// How what is recorded moves to other ids; identity.go says why. All moves are found first and
// written then, whole objects in one commit, each only if it is still to be made.

// A move is what becomes of all that was recorded of one object.
type move struct {
	typeName   string
	id, parent string   // of the object now
	from       string   // whose head becomes that of the object; "" if it has one
	superseded []string // whose heads end
	parts      []Object // that they are of, if they were a list
}

// moves returns what has to move, and whether it cannot be told what some bodies are of. An id below a
// parent begins with that of the parent, so objects move for two reasons, alone or together: their
// own rule is another one, or their parent has moved. Without a rule for bodies only the beginning
// of the id is exchanged.
func (h *History) moves(ctx context.Context, typeName string) (moves []*move, lost bool, err error) {
	identity, above := h.opts.Models[typeName].Identity, h.opts.Models[typeName].Parent
	parents, err := h.formerIDs(ctx, above)
	if err != nil || identity == nil && len(parents) == 0 {
		return nil, false, err
	}
	groups := map[string][]candidate{}
	for hd, err := range h.heads(ctx, typeName) {
		if err != nil {
			return nil, false, err
		}
		c := candidate{idHead: hd, parent: hd.Parent}
		if now, ok := parents[hd.Parent]; ok && hd.Parent != "" {
			c.parent = now
		}
		now := []Object{{ID: c.parent + strings.TrimPrefix(hd.id, hd.Parent)}}
		if identity != nil {
			o, ok, err := h.withBody(ctx, typeName, hd)
			if err != nil {
				return nil, false, err
			}
			if !ok {
				return nil, false, fmt.Errorf("history: %w", &storage.KeyError{Key: h.keys.body(typeName, hd.id), Err: storage.ErrCorrupt})
			}
			now, c.newest = identity.Objects(c.parent, o.body), newestDate(o.body)
		}
		switch {
		case len(now) == 1 && now[0].Body == nil:
			groups[now[0].ID] = append(groups[now[0].ID], c)
		case hd.live():
			moves = append(moves, &move{typeName: typeName, superseded: []string{hd.id}, parts: now})
			lost = lost || len(now) == 0
		}
	}
	for id, group := range groups {
		if m := moveTo(typeName, id, group); m != nil {
			moves = append(moves, m)
		}
	}
	slices.SortFunc(moves, func(a, b *move) int {
		return cmp.Or(strings.Compare(a.id, b.id), slices.Compare(a.superseded, b.superseded))
	})
	return moves, lost, nil
}

// A candidate is a head that may become that of an object.
type candidate struct {
	idHead
	parent string
	newest time.Time
}

// moveTo returns how the heads of one object become one; nil if there is nothing to do. What was
// recorded as deleted beside it stays: it was an earlier version.
//
// Of several heads the one is kept that has the id of today already; else a live one; then the one
// whose body says that it was changed last; then the one with the newest change.
func moveTo(typeName, id string, group []candidate) *move {
	best := slices.MaxFunc(group, func(a, b candidate) int {
		return cmp.Or(compareBool(a.id == id, b.id == id), compareBool(a.live(), b.live()),
			a.newest.Compare(b.newest), cmp.Compare(a.Seq, b.Seq))
	})
	m := &move{typeName: typeName, id: id, parent: best.parent}
	if best.id != id {
		m.from = best.id
	}
	for _, c := range group {
		if c.id != best.id && c.live() {
			m.superseded = append(m.superseded, c.id)
		}
	}
	if m.from == "" && m.superseded == nil {
		return nil
	}
	return m
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// newestDate returns the newest time that the members of a body say it was changed, zero if none does:
// of two versions of one object that were recorded as two objects, the later one is the object.
func newestDate(body []byte) (newest time.Time) {
	it := jsonscan.Members(body)
	for it.Next() {
		if text, ok := jsonscan.String(it.Value()); ok && isWitness(it.Key()) {
			if at, err := time.Parse(time.RFC3339, text); err == nil {
				newest = instant.Later(newest, at)
			}
		}
	}
	return newest
}

// write adds the move to t, if it is still to be made.
func (m *move) write(ctx context.Context, h *History, t *tx) error {
	for _, part := range m.parts {
		if err := m.writePart(ctx, h, t, part); err != nil {
			return err
		}
	}
	for _, id := range m.superseded {
		hd, found, err := h.head(ctx, m.typeName, id)
		if err != nil {
			return err
		}
		if !found || !hd.live() {
			continue
		}
		seq, err := t.append(record{ID: id, Name: hd.Name, Kind: kindSuperseded, Prev: hd.tip()})
		if err != nil {
			return err
		}
		hd.change(seq, t.now.At, kindSuperseded)
		t.batch.Delete(h.keys.missing(m.typeName, id))
		if err := t.batch.PutJSON(h.keys.head(m.typeName, id), hd); err != nil {
			return err
		}
	}
	if m.from == "" {
		return nil
	}
	return m.writeHead(ctx, h, t)
}

// writeHead moves all that is kept under the former id.
func (m *move) writeHead(ctx context.Context, h *History, t *tx) error {
	hd, found, err := h.head(ctx, m.typeName, m.from)
	if err != nil || !found {
		return err
	}
	hd.Parent = m.parent
	if err := t.batch.PutJSON(h.keys.head(m.typeName, m.id), hd); err != nil {
		return err
	}
	t.batch.Delete(h.keys.head(m.typeName, m.from))
	t.batch.Delete(h.keys.former(m.typeName, m.id)) // it may have been moved away from there before
	moved := [][2]string{
		{h.keys.body(m.typeName, m.from), h.keys.body(m.typeName, m.id)},
		{h.keys.missing(m.typeName, m.from), h.keys.missing(m.typeName, m.id)},
	}
	releases, err := h.releases(ctx, m.typeName)
	if err != nil {
		return err
	}
	for _, seq := range releases {
		moved = append(moved, [2]string{h.keys.released(m.typeName, seq, m.from), h.keys.released(m.typeName, seq, m.id)})
	}
	for _, keys := range moved {
		value, err := h.store.Get(ctx, keys[0])
		switch {
		case errors.Is(err, storage.ErrNotFound):
			continue
		case err != nil:
			return fmt.Errorf("history: %w", err)
		}
		t.batch.Put(keys[1], value)
		t.batch.Delete(keys[0])
	}
	return t.batch.PutJSON(h.keys.former(m.typeName, m.from), m.id)
}

// writePart records one of the objects that were recorded as one before. It compares by the rules
// of that one until it is seen.
func (m *move) writePart(ctx context.Context, h *History, t *tx, part Object) error {
	whole, found, err := h.head(ctx, m.typeName, m.superseded[0])
	if err != nil || !found || !whole.live() {
		return err
	}
	if _, known, err := h.head(ctx, m.typeName, part.ID); known || err != nil {
		return err
	}
	comparer, err := h.comparerOf(ctx, whole.Rules)
	if err != nil {
		return err
	}
	canonical, err := comparer.Digest(h.secret, part.Body)
	if err != nil {
		return fmt.Errorf("history: stored body of %s %q: %w", m.typeName, m.superseded[0], err)
	}
	seq, err := t.append(record{ID: part.ID, Name: part.Name, Kind: KindImported})
	if err != nil {
		return err
	}
	t.batch.Put(h.keys.body(m.typeName, part.ID), part.Body)
	return t.batch.PutJSON(h.keys.head(m.typeName, part.ID), head{
		Name: part.Name, Parent: part.Parent, Seq: seq, Changed: t.now.At, Kind: KindImported,
		Raw: diff.RawDigest(h.secret, part.Body), Size: len(part.Body), Canonical: canonical, Rules: whole.Rules,
	})
}

// moveParentRecords moves what a type knows of parents that have moved.
func (h *History) moveParentRecords(ctx context.Context, o origin, typeName string) error {
	parents, err := h.formerIDs(ctx, h.opts.Models[typeName].Parent)
	if err != nil || len(parents) == 0 {
		return err
	}
	return h.commit(ctx, o, func(t *tx) error {
		var failed error
		for id, known := range h.parentRecords(ctx, typeName, &failed) {
			now, ok := parents[id]
			if !ok {
				continue
			}
			t.batch.Delete(h.keys.parent(typeName, id))
			if err := t.batch.PutJSON(h.keys.parent(typeName, now), known); err != nil {
				return err
			}
		}
		return failed
	})
}
