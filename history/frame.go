package history

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// The log is a sequence of frames. A frame is one value of the store with many entries of one
// commit: they are small and alike, so they compress together, and one key for each would be as
// large as what it names. Its key has the number of the first entry, the time of the commit, which
// all entries share, and the type. So a reader finds the frame of an entry (the last one that
// begins at it or before), the first frame of a time (by bisection, as neither numbers nor times
// decrease), and skips frames of other types without reading them.
//
// The invariant: a frame is written by the commit that appends its entries, and later only
// rewritten to hold fewer of them (rewrite.go). An entry never changes and never moves to another
// frame; its number is never given again, and may lead nowhere once it is trimmed.

// A record is an entry of the log: a Change, or a hidden one.
type record struct {
	Seq    uint64             `json:"seq"`
	Prev   uint64             `json:"prev,omitempty"` // the entry before it of the same object
	ID     string             `json:"id,omitempty"`
	Name   string             `json:"name,omitempty"`
	Kind   Kind               `json:"kind"`
	After  time.Time          `json:"after,omitzero"`    // unless it is that of the frame
	NoSpan bool               `json:"no_span,omitempty"` // After is unknown, whatever that of the frame
	Fields []diff.FieldChange `json:"changes,omitempty"`

	// If the object was compared by other rules before, Was is their fingerprint
	// and Step leads from the canonical form under these rules to the one under the
	// new. Otherwise Fields do. Before is the former form, without a Step, where a
	// Step would repeat both.
	Was    string             `json:"was,omitempty"`
	Step   []diff.FieldChange `json:"step,omitempty"`
	Before json.RawMessage    `json:"before,omitempty"`

	// Platform is what changed beside Fields by releases of the platform. Number is that of the
	// objects of a KindShape.
	Platform []diff.FieldChange `json:"platform,omitempty"`
	Number   int                `json:"number,omitempty"`

	frameID // set when it is read
}

// hidden reports whether people never see the entry: it only keeps the chain of its object exact.
func (r *record) hidden() bool { return r.Kind == kindRebased || r.Kind == kindSuperseded }

// first reports whether the object was unknown before it.
func (r *record) first() bool { return r.Kind == KindImported || r.Kind == KindCreated }

// step returns what leads from the canonical form before to the one after. Fields are mostly that;
// but they leave out what a release did and what only other rules show.
func (r *record) step() []diff.FieldChange {
	if r.Was != "" {
		return r.Step
	}
	if len(r.Platform) > 0 {
		return slices.Concat(r.Fields, r.Platform)
	}
	return r.Fields
}

// change returns what people see of an entry.
func (h *History) change(r *record) Change {
	return Change{
		Seq: r.Seq, Environment: h.environment, Type: r.typeName, ID: r.ID, Name: r.Name, Kind: r.Kind,
		At: r.at, After: r.After, Fields: r.Fields, Number: r.Number,
	}
}

// maxFrame is the size in bytes that ends a frame. Reading one entry decodes
// its frame, and larger ones hardly compress better.
const maxFrame = 64 << 10

// A frameWriter cuts the entries of one commit into frames.
type frameWriter struct {
	done  []encodedFrame
	next  encodedFrame
	size  int // of next
	total int // of all entries
}

// An encodedFrame is a frame that is about to be written.
type encodedFrame struct {
	first   uint64            // sequence number of the first entry
	entries []json.RawMessage // records as JSON
}

// add adds an entry, to a new frame if it does not fit into the one that was begun.
func (w *frameWriter) add(r record) error {
	data, err := encode(r)
	if err != nil {
		return fmt.Errorf("history: encoding a change of %q: %w", r.ID, err)
	}
	w.total += len(data)
	if w.size += len(data); w.size > maxFrame {
		w.flush()
		w.size = len(data)
	}
	if len(w.next.entries) == 0 {
		w.next.first = r.Seq
	}
	w.next.entries = append(w.next.entries, data)
	return nil
}

// flush ends the frame that was begun.
func (w *frameWriter) flush() {
	if len(w.next.entries) > 0 {
		w.done = append(w.done, w.next)
	}
	w.next, w.size = encodedFrame{}, 0
}

// encode returns the value of a frame. It is JSON that is put together here, because the entries are
// encoded already.
func (f encodedFrame) encode(o origin) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	if !o.after.IsZero() {
		fmt.Fprintf(&b, `"after":%q,`, o.after.UTC().Format(time.RFC3339Nano))
	}
	if o.pass > 0 {
		fmt.Fprintf(&b, `"pass":%d,`, o.pass)
	}
	b.WriteString(`"entries":[`)
	for i, e := range f.entries {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(e)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// A storedFrame is a frame as it was read.
type storedFrame struct {
	storage.Entry
	frameID
	origin
	records []record
}

// decodeFrame returns the frame in e, which has the identity id.
func decodeFrame(e storage.Entry, id frameID) (storedFrame, error) {
	f, err := splitFrame(e, id)
	if err != nil {
		return storedFrame{}, err
	}
	records := make([]record, len(f.Entries))
	for i, raw := range f.Entries {
		if records[i], err = f.decode(raw); err != nil {
			return storedFrame{}, err
		}
	}
	return storedFrame{e, id, origin{id.typeName, f.Pass, f.After}, records}, nil
}

// decode decodes an entry of the frame with the identity id, whose entries are later than after.
func (r *record) decode(raw []byte, id frameID, after time.Time) error {
	if err := r.UnmarshalJSON(raw); err != nil {
		return err
	}
	return r.place(id, after)
}

// place says which frame an entry is from.
func (r *record) place(id frameID, after time.Time) error {
	if r.Prev >= r.Seq { // Numbers fall along every chain; without that, following one might never end.
		return fmt.Errorf("%w: change %d comes after change %d", storage.ErrCorrupt, r.Seq, r.Prev)
	}
	r.frameID = id
	if r.After.IsZero() && !r.NoSpan {
		r.After = after
	}
	return nil
}

// frames iterates over the frames of a range whose type is wanted. Entries have the ids by which
// their objects are known today; those are read with the first frame, so that an empty range costs
// nothing.
func (h *History) frames(ctx context.Context, r storage.Range, wanted func(typeName string) bool) iter.Seq2[storedFrame, error] {
	return func(yield func(storedFrame, error) bool) {
		var former map[string]map[string]string
		read := false
		for f, err := range h.framesAsRecorded(ctx, r, wanted) {
			if err == nil && !read {
				former, err = h.former(ctx, h.keys.below("former"))
				read = true
			}
			if ids := former[f.frameID.typeName]; ids != nil {
				for i := range f.records {
					if now, ok := ids[f.records[i].ID]; ok {
						f.records[i].ID = now
					}
				}
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// framesAsRecorded is frames with the ids as they were recorded.
func (h *History) framesAsRecorded(ctx context.Context, r storage.Range, wanted func(typeName string) bool) iter.Seq2[storedFrame, error] {
	return func(yield func(storedFrame, error) bool) {
		for e, err := range h.store.Scan(ctx, r) {
			if err != nil {
				yield(storedFrame{}, fmt.Errorf("history: %w", err))
				return
			}
			id, err := h.keys.parseFrame(e.Key)
			if err != nil {
				yield(storedFrame{}, err)
				return
			}
			if !wanted(id.typeName) {
				continue
			}
			f, err := decodeFrame(e, id)
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// anyType wants the frames of all types.
func anyType(string) bool { return true }

// encode is json.Marshal without the escapes for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// decode is json.Unmarshal with an error that names the key.
func decode(key string, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("history: %w", &storage.KeyError{Key: key, Err: err})
	}
	return nil
}
