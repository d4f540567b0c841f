package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// A release may be met in a few objects first, in which nothing tells it from an edit: who sees one division of many
// compares its objects alone, and an object that was just edited is read alone. The pass that compares the others finds
// those unchanged. They do not speak against a release: their newest change is the very field that the others show.
//
// That is asked only where it can make a difference: at least five objects show a field, and too many others do not. It
// ends as soon as too many speak against a release, which the first few do where the field is an edit.

// earlier returns how many of the objects that the pass has compared show what a release does by
// their newest change. It stops where more than most of them do not.
func (p *Pass) earlier(ctx context.Context, key releaseKey, most int) (had int, err error) {
	var ids []string
	for id, s := range p.seen {
		if s.compared && s.live && !p.heldIDs[id] {
			ids = append(ids, id)
		}
	}
	asked := 0
	for chunk := range slices.Chunk(ids, readAhead) {
		keys := make([]string, len(chunk))
		for i, id := range chunk {
			keys[i] = p.h.keys.head(p.typeName, id)
		}
		heads, err := storage.GetMany(ctx, p.h.store, keys)
		if err != nil {
			return 0, fmt.Errorf("history: %w", err)
		}
		for _, k := range keys {
			shown, err := p.showsLast(ctx, k, heads[k], key)
			if err != nil {
				return 0, err
			}
			if asked++; shown {
				had++
			}
			if asked-had > most {
				return had, nil
			}
		}
	}
	return had, nil
}

// showsLast reports whether the newest change of an object, whose head is stored under headKey, has
// what a release does.
func (p *Pass) showsLast(ctx context.Context, headKey string, data []byte, key releaseKey) (bool, error) {
	if data == nil {
		return false, nil // it was forgotten meanwhile
	}
	var hd head
	if err := decode(headKey, data, &hd); err != nil || hd.Hidden > 0 {
		return false, err
	}
	if hd.Kind != KindUpdated && hd.Kind != KindRestored {
		return false, nil // the others have no fields
	}
	r, err := p.h.record(ctx, hd.Seq)
	if errors.Is(err, ErrTrimmed) {
		return false, nil
	}
	return err == nil && shows(r.Fields, key), err
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
