package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// A release may be met in a few objects first, in which nothing tells it from an edit: who sees one division of many
// compares its objects alone, and an object that was just edited is read alone. The pass that compares the others finds
// those unchanged. They do not speak against a release: their newest change is the very field that the others show.
//
// That is asked only where it can make a difference: at least ten objects show a field, and too many others do not.

// earlier returns how many of the objects that the pass has compared show what a release does by their newest change.
func (p *Pass) earlier(ctx context.Context, key releaseKey) (n int, err error) {
	var ids, keys []string
	for id, s := range p.seen {
		if s.compared && s.live && !p.heldIDs[id] {
			ids, keys = append(ids, id), append(keys, p.h.keys.head(p.typeName, id))
		}
	}
	heads, err := storage.GetMany(ctx, p.h.store, keys)
	if err != nil {
		return 0, fmt.Errorf("history: %w", err)
	}
	for i := range ids {
		var hd head
		data, found := heads[keys[i]]
		if !found {
			continue
		}
		if err := decode(keys[i], data, &hd); err != nil {
			return 0, err
		}
		r, err := p.h.record(ctx, hd.tip())
		if err != nil && !errors.Is(err, ErrTrimmed) {
			return 0, err
		}
		if err == nil && shows(r.Fields, key) {
			n++
		}
	}
	return n, nil
}

// shows reports whether field changes have what a release does.
func shows(fields []diff.FieldChange, key releaseKey) bool {
	for _, c := range fields {
		if k, ok := releaseOf(c); ok && k == key {
			return true
		}
	}
	return false
}
