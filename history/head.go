package history

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// A Head is what is known about an object without its body. A pass needs the heads of all objects
// of a type, and hardly any of their bodies.
type Head struct {
	Type      string    `json:"type"`
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Parent    string    `json:"parent,omitempty"` // id of the object it belongs to
	Marker    string    `json:"marker,omitempty"` // change marker of its list item
	FirstSeen time.Time `json:"first_seen"`
	Changed   time.Time `json:"changed"` // when its newest change was recorded
}

// head is the stored form of a Head. Its type and id are in the key. It stays when the object is
// deleted, with the last body, so that an object which comes back can be compared.
//
// The invariant: Raw, Size, Canonical and Rules are those of the body that is stored, and the chain of
// entries that begins at tip leads from its canonical form back to the first sight of the object. Name,
// Parent and Marker are those of the bytes that were seen last, which may differ from the stored ones
// in what is not compared.
type head struct {
	Name      string    `json:"name,omitempty"`
	Parent    string    `json:"parent,omitempty"`
	Marker    string    `json:"marker,omitempty"`
	FirstSeen time.Time `json:"first_seen,omitzero"` // left out while it is Changed
	Reread    *reread   `json:"reread,omitempty"`    // it is read again whatever its marker
	Waits     *wait     `json:"waits,omitempty"`     // a field came or went in it, and no pass could tell why

	// The newest change.
	Seq     uint64    `json:"seq"`
	Changed time.Time `json:"changed"`
	Kind    Kind      `json:"kind"`

	// The newest entry of the log if it is a hidden one behind the change: a step to other rules, or
	// to the body after a release of the platform, which is no news of the object.
	Hidden   uint64    `json:"hidden,omitempty"`
	HiddenAt time.Time `json:"hidden_at,omitzero"`

	Raw       diff.Digest `json:"raw"`            // of the stored body, byte for byte
	Size      int         `json:"size,omitempty"` // of the stored body, in bytes; 0 where the labels are not those of its bytes
	Canonical diff.Digest `json:"canonical"`      // of the stored body, under Rules
	Rules     string      `json:"shape"`          // fingerprint of the rules that Canonical is of
}

// change makes an entry of the log the newest change.
func (hd *head) change(seq uint64, at time.Time, kind Kind) {
	if hd.FirstSeen.IsZero() {
		hd.FirstSeen = hd.Changed
	}
	hd.Seq, hd.Changed, hd.Kind = seq, at, kind
	hd.Hidden, hd.HiddenAt = 0, time.Time{}
	if !hd.live() {
		hd.Reread, hd.Waits = nil, nil // a body that comes back is another one
	}
}

// label takes over what an object says of itself beside its body, and the doubt that is left.
func (hd *head) label(o *pending) {
	hd.Name, hd.Parent, hd.Marker, hd.Reread, hd.Waits = o.Name, o.Parent, o.Marker, nil, nil
	if o.again != (reread{}) {
		hd.Reread = new(o.again)
	}
}

// doubt returns the doubt about the body, zero for none; see reread.go.
func (hd *head) doubt() reread {
	if hd.Reread == nil {
		return reread{}
	}
	return *hd.Reread
}

// live reports whether the object exists, as far as known. What is missing or withheld is live.
func (hd *head) live() bool { return hd.Kind != KindDeleted && hd.Kind != kindSuperseded }

// tip returns the sequence number of the newest entry of the log.
func (hd *head) tip() uint64 { return max(hd.Seq, hd.Hidden) }

// tipAt returns the time of that entry.
func (hd *head) tipAt() time.Time {
	if hd.Hidden > hd.Seq {
		return hd.HiddenAt
	}
	return hd.Changed
}

// export returns what others see of a head.
func (hd *head) export(typeName, id string) Head {
	firstSeen := hd.FirstSeen
	if firstSeen.IsZero() {
		firstSeen = hd.Changed
	}
	return Head{
		Type: typeName, ID: id, Name: hd.Name, Parent: hd.Parent, Marker: hd.Marker,
		FirstSeen: firstSeen, Changed: hd.Changed,
	}
}

// head returns the head of an object, or false if it was never seen.
func (h *History) head(ctx context.Context, typeName, id string) (head, bool, error) {
	hd, err := storage.GetJSON[head](ctx, h.store, h.keys.head(typeName, id))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return head{}, false, nil
	case err != nil:
		return head{}, false, fmt.Errorf("history: %w", err)
	}
	return hd, true, nil
}

// heads iterates over the heads of a type with their ids, the deleted included.
func (h *History) heads(ctx context.Context, typeName string) iter.Seq2[idHead, error] {
	return h.headsIn(ctx, typeName, h.keys.below("head", typeName), nil)
}

// headsIn iterates over the heads of a type in a range of keys, all of them or those whose ids are
// wanted.
func (h *History) headsIn(ctx context.Context, typeName string, r storage.Range, wanted func(id string) bool) iter.Seq2[idHead, error] {
	return func(yield func(idHead, error) bool) {
		var hd idHead
		for e, err := range h.store.Scan(ctx, r) {
			if err == nil {
				hd.id, err = h.keys.last(e.Key)
			}
			if err == nil && wanted != nil && !wanted(hd.id) {
				continue
			}
			if err == nil {
				err = decodeHead(e, &hd.head)
			}
			if err != nil {
				yield(idHead{}, fmt.Errorf("history: heads of %s: %w", typeName, err))
				return
			}
			if !yield(hd, nil) {
				return
			}
		}
	}
}

// An idHead is a head with the id that its key has.
type idHead struct {
	id string
	head
}

// Heads iterates over the live objects of a type in the order of their ids. A type that was never
// read is ErrUnknown.
func (h *History) Heads(ctx context.Context, typeName string) iter.Seq2[Head, error] {
	return func(yield func(Head, error) bool) {
		typeName, err := h.knownType(ctx, typeName)
		if err != nil {
			yield(Head{}, err)
			return
		}
		for hd, err := range h.heads(ctx, typeName) {
			if err != nil {
				yield(Head{}, err)
				return
			}
			if hd.live() && !yield(hd.export(typeName, hd.id), nil) {
				return
			}
		}
	}
}

// Body returns the stored body of a live object, as it came: with the fields
// that are not compared. Those are as they were when a compared field last
// changed, because a change of them alone stores nothing. It returns
// ErrNotFound if there is no such live object, and ErrUnknown if the type was never read.
func (h *History) Body(ctx context.Context, typeName, id string) (json.RawMessage, error) {
	typeName, err := h.resolveType(typeName)
	if err != nil {
		return nil, err
	}
	o, err := h.load(ctx, typeName, id)
	if errors.Is(err, ErrNotFound) {
		err = cmp.Or(h.checkKnown(ctx, typeName, time.Time{}), err)
	}
	if err != nil {
		return nil, err
	}
	if !o.live() {
		return nil, fmt.Errorf("history: %s %q is deleted: %w", typeName, id, ErrNotFound)
	}
	return o.body, nil
}

// A storedObject is a head and the body that belongs to it.
type storedObject struct {
	idHead
	typeName string
	body     []byte
}

// load returns an object, live or deleted, by its id or a former one, or ErrNotFound. Head and body are
// two reads, and a commit may come between them, so load reads again until the
// digest in the head says that they belong together.
func (h *History) load(ctx context.Context, typeName, id string) (storedObject, error) {
	const tries = 10
	asked := id
	for range tries {
		hd, found, err := h.head(ctx, typeName, id)
		if err != nil {
			return storedObject{}, err
		}
		if !found {
			if id, err = h.today(ctx, typeName, asked); err != nil {
				return storedObject{}, err
			}
			if id != asked {
				asked = id
				continue
			}
			return storedObject{}, fmt.Errorf("history: %s %q: %w", typeName, id, ErrNotFound)
		}
		if o, ok, err := h.withBody(ctx, typeName, idHead{id, hd}); ok || err != nil {
			return o, err
		}
	}
	return storedObject{}, fmt.Errorf("history: %w", &storage.KeyError{Key: h.keys.body(typeName, id), Err: storage.ErrCorrupt})
}

// withBody returns an object with this head, or false if the body that is
// stored is not that of the head.
func (h *History) withBody(ctx context.Context, typeName string, hd idHead) (o storedObject, ok bool, err error) {
	body, err := h.store.Get(ctx, h.keys.body(typeName, hd.id))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storedObject{}, false, nil
	case err != nil:
		return storedObject{}, false, fmt.Errorf("history: %w", err)
	}
	return storedObject{hd, typeName, body}, diff.RawDigest(h.secret, body) == hd.Raw, nil
}
