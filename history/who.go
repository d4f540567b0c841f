package history

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/storage"
)

// What is known of who made a change, and how it is read. Who did is found in join.go, and judged and
// stored in judge.go.

// A WhoStatus says what audits tell about who made a change.
type WhoStatus string

// The statuses of attributions.
const (
	WhoAttributed WhoStatus = "attributed" // the one of Actors made it
	WhoSeveral    WhoStatus = "several"    // each of Actors wrote to the object when it happened; which of them made it cannot be told
	WhoSystem     WhoStatus = "system"     // the service did it by itself
	WhoUnaudited  WhoStatus = "unaudited"  // the org keeps no audits of the type, or they were not read from when it happened
	WhoPending    WhoStatus = "pending"    // audits name nobody yet, and late ones may still come
	WhoNone       WhoStatus = "none"       // audits were read and name nobody; also what the service did days before a pass came upon it
)

// An Attribution says who made a change, as far as audits tell. It is kept beside the change, which
// it never alters. Until it is settled, a day after the change was recorded, late audits may
// correct it; after that it stays.
type Attribution struct {
	Seq     uint64    `json:"seq"` // of the change
	Status  WhoStatus `json:"status"`
	Actors  []Actor   `json:"actors,omitempty"`
	At      time.Time `json:"at,omitzero"` // of the newest act that may have made it, by the org's time
	Settled bool      `json:"settled,omitempty"`
}

// An Actor is who made a change. One whose user is forgotten says nothing.
type Actor struct {
	ID     string `json:"id,omitempty"`     // of the user
	Name   string `json:"name,omitempty"`   // of the user
	Client string `json:"client,omitempty"` // the OAuth client that acted
	Org    string `json:"org,omitempty"`    // the user's home organization, if it is another one: that of a support person, say
}

// String returns what a person calls the actor.
func (a Actor) String() string {
	for _, text := range []string{a.Name, a.ID, a.Client} {
		if text != "" {
			return printable.Text(text)
		}
	}
	return "somebody"
}

// String names the actors, or says what is known instead.
func (a Attribution) String() string {
	var names []string
	for _, actor := range a.Actors {
		names = append(names, actor.String())
	}
	text := strings.Join(names, ", ")
	switch a.Status {
	case WhoAttributed:
	case WhoSeveral:
		text = "one or more of " + text
	default:
		text = printable.Text(string(a.Status))
	}
	if a.Status != WhoPending && !a.Settled && a.Status != WhoUnaudited {
		text += " (provisional)"
	}
	return text
}

// isBy reports whether somebody of that id or name may have made the change.
func (a *Attribution) isBy(idOrName string) bool {
	if a == nil {
		return false
	}
	for _, actor := range a.Actors {
		if actor.ID == idOrName || actor.Client == idOrName || actor.Name != "" && strings.EqualFold(actor.Name, idOrName) {
			return true
		}
	}
	return false
}

// isAct reports whether a change of that kind is somebody's act: the first sight of what was there
// before is not, nor is what a release of the platform did.
func isAct(k Kind) bool {
	return k == KindCreated || k == KindUpdated || k == KindDeleted || k == KindRestored
}

// A whoReader finds the attributions of changes. Attributions of neighbours lie side by side, so it
// reads a block of them at a time.
type whoReader struct {
	h     *History
	since uint64 // changes behind it are attributed
	until uint64 // up to this one they were looked at
	on    bool   // audits are read at all
	block uint64
	raw   map[uint64][]byte // of the block; nil before the first
}

// whoBlock is how many sequence numbers a whoReader reads at a time.
const whoBlock = 256

func (h *History) whoReader(ctx context.Context) (*whoReader, error) {
	st, found, err := h.auditState(ctx)
	return &whoReader{h: h, since: st.First, until: st.Visited, on: found}, err
}

// fill sets Who of a change, unless no audits were read of when it was recorded, or nobody made it.
// Who is then nil, which a reader must not take for "nobody": nothing is known.
func (w *whoReader) fill(ctx context.Context, c *Change) error {
	if !w.on || c.Seq <= w.since || !isAct(c.Kind) {
		return nil
	}
	a, err := w.one(ctx, c.Type, c.Seq)
	if err == nil {
		c.Who = &a
	}
	return err
}

// one returns the attribution of a change that is somebody's act, recorded since audits are read. A
// change that is not looked at yet is pending. One that was looked at and has no attribution in the
// store came while no model named the service that audits its type, and stays unaudited.
func (w *whoReader) one(ctx context.Context, typeName string, seq uint64) (Attribution, error) {
	a := Attribution{Seq: seq, Status: WhoUnaudited, Settled: true}
	if w.h.opts.Models[typeName].AuditService == "" {
		return a, nil
	}
	if seq > w.until {
		return Attribution{Seq: seq, Status: WhoPending}, nil
	}
	if w.raw == nil || seq/whoBlock != w.block {
		if err := w.read(ctx, seq/whoBlock); err != nil {
			return a, err
		}
	}
	if data, ok := w.raw[seq]; ok {
		a = Attribution{}
		return a, decode(w.h.keys.who(seq), data, &a)
	}
	return a, nil
}

func (w *whoReader) read(ctx context.Context, block uint64) error {
	w.block, w.raw = block, map[uint64][]byte{}
	r := storage.Range{Start: w.h.keys.who(block * whoBlock), End: w.h.keys.who((block + 1) * whoBlock)}
	for e, err := range w.h.store.Scan(ctx, r) {
		var seq uint64
		if err == nil {
			seq, err = w.h.keys.lastSeq(e.Key)
		}
		if err != nil {
			return fmt.Errorf("history: who made changes: %w", err)
		}
		w.raw[seq] = e.Value
	}
	return nil
}

// of returns who made the changes of an object up to a time.
func (w *whoReader) of(ctx context.Context, o touchedObject, until time.Time) (*Attribution, error) {
	var all []Attribution
	for _, e := range o.later {
		if !w.on || e.Seq <= w.since || !isAct(e.Kind) || e.at.After(until) {
			continue
		}
		a, err := w.one(ctx, e.typeName, e.Seq)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return together(o.seq, all), nil
}

// together returns who made several changes of one object, nil if there is none to say.
func together(seq uint64, all []Attribution) *Attribution {
	if len(all) == 0 {
		return nil
	}
	sum := Attribution{Seq: seq, Settled: true}
	has := map[WhoStatus]bool{}
	for _, a := range all {
		has[a.Status] = true
		sum.Settled = sum.Settled && a.Settled
		sum.At = instant.Later(sum.At, a.At)
		for _, actor := range a.Actors {
			sum.Actors = addActor(sum.Actors, actor)
		}
	}
	switch {
	case has[WhoPending]:
		sum.Status = WhoPending
	case len(sum.Actors) > 1:
		sum.Status = WhoSeveral
	case len(sum.Actors) == 1 && len(has) == 1:
		sum.Status = WhoAttributed
	default: // what is known of one change does not speak for the others
		for _, s := range []WhoStatus{WhoUnaudited, WhoNone, WhoSeveral, WhoSystem} {
			if has[s] {
				sum.Status = s
				break
			}
		}
	}
	return &sum
}
