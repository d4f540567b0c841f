package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cxsync/cxsync/internal/jsonscan"
	"github.com/cxsync/cxsync/storage"
)

// A heldLog holds entries of the log of one type, so that a question about the past of many objects
// reads each frame once, whatever the order of the objects is.
//
// There may be a quarter of a million entries. Decoded they would take several times the memory
// that they have as text, in many small pieces that each garbage collection walks through. So a
// heldLog keeps the text: packed into a few large blocks, with an index that has no pointers. An
// entry is decoded when its object is asked for, which is once. Entries are found by their sequence
// numbers, by which those of an object lead from one to the next.
//
// Memory is bounded: where the entries of all objects are too many, those of the first half of the
// objects are held, and the others need another turn. What is not held, such as entries that were
// recorded under an id of another half, is found in the log: that costs time only.
type heldLog struct {
	blocks  [][]byte
	frames  []heldFrame
	entries []heldEntry // newest first
	size    int         // in bytes, about
}

// A heldFrame is what all entries of a frame have in common.
type heldFrame struct {
	frameID
	after time.Time
}

// A heldEntry says where the text of an entry is.
type heldEntry struct {
	seq                       uint64
	frame, block, start, size uint32
}

// heldBlock is the size in bytes of a block, unless an entry is larger.
const heldBlock = 1 << 20

// maxBehind is the size in bytes of the entries that a query over many objects
// holds at once. For more it takes another turn over the log.
const maxBehind = 64 << 20

// behind returns the entries of a type behind t. Only those of objects whose heads are in r; and if
// these are more than limit bytes, it lowers r.End to make them fewer.
func (h *History) behind(ctx context.Context, typeName string, t time.Time, r *storage.Range, limit int) (*heldLog, error) {
	first, err := h.seek(ctx, t.Add(1)) // an entry of just t made what was there at t
	if err != nil {
		return nil, err
	}
	frames := h.keys.frames(first, ^uint64(0))
	frames.Reverse = true
	all := *r == h.keys.below("head", typeName)
	held := &heldLog{}
	size := func(e storage.Entry) int { return len(e.Value) }
	name := func(e storage.Entry) (namedFrame, error) { return h.namedFrame(e, typeName) }
	for f, err := range inOrder(h.store.Scan(ctx, frames), size, name) {
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		if f.typeName != typeName {
			continue
		}
		held.frames = append(held.frames, heldFrame{f.frameID, f.After})
		for i, raw := range slices.Backward(f.Entries) {
			if all || r.Contains(h.keys.head(typeName, f.objects[i])) {
				held.add(f.seqs[i], uint32(len(held.frames)-1), raw)
			}
		}
		// Frames come newest first, so halving drops no entry of an object that stays: what was read so
		// far of the first half is kept, and what follows is filtered by the lower r.End.
		if held.size > limit {
			if held, err = h.halve(typeName, held, r); err != nil {
				return nil, err
			}
			all = *r == h.keys.below("head", typeName)
			limit = max(limit, 2*held.size) // one object may have more; then the next try is far away
		}
	}
	return held, nil
}

// A namedFrame is a frame with the number of each entry and the id of its object.
type namedFrame struct {
	frameText
	seqs    []uint64
	objects []string
}

// namedFrame returns the frame in e, with no entries if it is of another type.
func (h *History) namedFrame(e storage.Entry, typeName string) (f namedFrame, err error) {
	id, err := h.keys.parseFrame(e.Key)
	if err != nil || id.typeName != typeName {
		return f, err
	}
	if f.frameText, err = splitFrame(e, id); err != nil {
		return f, err
	}
	f.seqs, f.objects = make([]uint64, len(f.Entries)), make([]string, len(f.Entries))
	for i, raw := range f.Entries {
		if f.seqs[i], f.objects[i], err = entryNames(raw); err != nil {
			return f, f.corrupt(err)
		}
	}
	return f, nil
}

// add copies the text of an entry; the frame that it is from is not kept.
func (l *heldLog) add(seq uint64, frame uint32, raw []byte) {
	last := len(l.blocks) - 1
	if last < 0 || len(l.blocks[last])+len(raw) > cap(l.blocks[last]) {
		l.blocks = append(l.blocks, make([]byte, 0, max(heldBlock, len(raw))))
		last++
	}
	start := len(l.blocks[last])
	l.blocks[last] = append(l.blocks[last], raw...)
	l.entries = append(l.entries, heldEntry{seq, frame, uint32(last), uint32(start), uint32(len(raw))})
	l.size += len(raw) + 24
}

// text returns an entry as it was written.
func (l *heldLog) text(e heldEntry) []byte { return l.blocks[e.block][e.start:][:e.size] }

// halve returns a log of the first half of the objects and lowers r.End to it. The log of one object
// stays as it is.
func (h *History) halve(typeName string, l *heldLog, r *storage.Range) (*heldLog, error) {
	keys := make([]string, len(l.entries))
	for i, e := range l.entries {
		_, id, err := entryNames(l.text(e))
		if err != nil {
			return nil, err
		}
		keys[i] = h.keys.head(typeName, id)
	}
	objects := slices.Compact(slices.Sorted(slices.Values(keys)))
	if len(objects) < 2 {
		return l, nil
	}
	r.End = objects[len(objects)/2]
	half := &heldLog{frames: l.frames}
	for i, e := range l.entries {
		if keys[i] < r.End {
			half.add(e.seq, e.frame, l.text(e))
		}
	}
	return half, nil
}

// before returns a finder that takes what it can from the log, and the rest from next.
func (l *heldLog) before(next finder) finder {
	return func(ctx context.Context, seq uint64) (record, error) {
		i, found := slices.BinarySearchFunc(l.entries, seq, func(e heldEntry, seq uint64) int { return cmp.Compare(seq, e.seq) })
		if !found {
			return next(ctx, seq)
		}
		var r record
		f := l.frames[l.entries[i].frame]
		err := r.decode(l.text(l.entries[i]), f.frameID, f.after)
		return r, err
	}
}

// entryNames returns the number of an entry and the id of its object, without decoding what follows
// them.
func entryNames(raw []byte) (seq uint64, object string, err error) {
	it := jsonscan.Members(raw)
	for object == "" && it.Next() && err == nil {
		switch string(it.Key()) {
		case `"seq"`:
			seq, err = strconv.ParseUint(string(it.Value()), 10, 64)
		case `"id"`:
			object, err = decodeString(it.Value(), "")
		}
	}
	return seq, object, cmp.Or(err, it.Err())
}
