package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// Between iterates over the net differences between two times: for each object that q selects, one
// change from what it was at a to what it was at b, or none if that is the same in all fields that
// were compared at both times. After is a; Seq and At are those of the newest entry of the log in
// between. Since, Until, AfterSeq and BeforeSeq of q do not count. ErrTrimmed and ErrUnknown are
// yielded as AsOf does, ErrNotFound as Changes does. What the log says of these types since a is in memory meanwhile.
func (h *History) Between(ctx context.Context, a, b time.Time, q Query) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		q.Since, q.Until, q.AfterSeq, q.BeforeSeq = time.Time{}, time.Time{}, 0, 0
		q, err := h.resolved(ctx, q)
		var f *filter
		if err == nil {
			f, err = q.compile()
		}
		if err == nil && b.Before(a) {
			err = fmt.Errorf("history: between %s and %s: the second time is before the first", a.Format(time.RFC3339), b.Format(time.RFC3339))
		}
		if err == nil {
			err = cmp.Or(h.checkAllKnown(ctx, q.Types, a), h.checkSeen(ctx, q))
		}
		var touched []touchedObject
		if err == nil {
			touched, err = h.touched(ctx, a, b, f)
		}
		if err != nil {
			yield(Change{}, err)
			return
		}
		n := 0
		earlier := &recall{h: h, until: a, known: map[uint64]*record{}}
		who, err := h.whoReader(ctx)
		if err != nil {
			yield(Change{}, err)
			return
		}
		for _, o := range touched {
			c, err := h.net(ctx, o, earlier.record, a, b)
			if err == nil {
				c.Who, err = who.of(ctx, o, b)
			}
			switch {
			case err == nil && (c.Kind == "" || !f.wants(&c) || f.By != "" && !c.Who.isBy(f.By)):
				continue
			case err != nil && !errors.Is(err, ErrTrimmed):
				yield(Change{}, err)
				return
			}
			if n++; !yield(c, err) || n == f.Limit {
				return
			}
		}
	}
}

// The net difference of an object is not the sum of its changes: a field that was changed and changed
// back is none. So the states at both times are made and compared. What happened to the same field
// twice is one difference, and an object that came and went is nothing.

// A touchedObject is an object that changed in a span of time.
type touchedObject struct {
	typeName, id string
	seq          uint64 // its newest entry in the span
	at           time.Time
	later        []record // its entries since the span began, newest first
}

// touched returns the objects that changed after a and not after b, in the
// order of their newest entries.
func (h *History) touched(ctx context.Context, a, b time.Time, f *filter) ([]touchedObject, error) {
	first, err := h.seek(ctx, a.Add(1))
	if err != nil {
		return nil, err
	}
	r := h.keys.frames(first, ^uint64(0))
	r.Reverse = true
	objects := map[[2]string]*touchedObject{}
	for frame, err := range h.frames(ctx, r, f.wantsType) {
		if err != nil {
			return nil, err
		}
		for _, e := range slices.Backward(frame.records) {
			if e.Kind == KindForgotten || e.Kind == KindShape || f.ID != "" && f.ID != e.ID {
				continue
			}
			o := objects[[2]string{e.typeName, e.ID}]
			if o == nil {
				o = &touchedObject{typeName: e.typeName, id: e.ID}
				objects[[2]string{e.typeName, e.ID}] = o
			}
			o.later = append(o.later, e)
			if o.seq == 0 && !e.at.After(b) {
				o.seq, o.at = e.Seq, e.at
			}
		}
	}
	var touched []touchedObject
	for _, o := range objects {
		if oldest := o.later[len(o.later)-1]; o.seq == 0 && oldest.Prev >= first {
			o.seq = oldest.Prev // after a as well, and trimmed: net says so
		}
		if o.seq > 0 {
			touched = append(touched, *o)
		}
	}
	slices.SortFunc(touched, func(x, y touchedObject) int {
		if f.Newest {
			x, y = y, x
		}
		return cmp.Compare(x.seq, y.seq)
	})
	return touched, nil
}

// net returns the difference of an object between two times, with no Kind if there is none. What
// releases of the platform did in between is no difference.
func (h *History) net(ctx context.Context, o touchedObject, find finder, a, b time.Time) (Change, error) {
	named := Change{Environment: h.environment, Type: o.typeName, ID: o.id}
	obj, err := h.load(ctx, o.typeName, o.id)
	if errors.Is(err, ErrNotFound) { // forgotten meanwhile
		return named, nil
	}
	if err != nil {
		return named, err
	}
	named.Name = obj.Name
	find = within(o.later, find)
	before, _, err := h.stateAt(ctx, obj, find, a)
	if err != nil {
		return named, err
	}
	after, _, err := h.stateAt(ctx, obj, find, b)
	if err != nil {
		return named, err
	}
	// Both states come from the newest body, and share the entries behind b: each is taken back twice,
	// which costs little beside making the two bodies.
	c := h.change(&after.record)
	c.Seq, c.At, c.After, c.Kind, c.Fields = o.seq, o.at, a, "", nil
	// Two cases leave Kind empty, which says that there is no difference: the object ended because it
	// turned out to be none, or it existed at neither time.
	switch {
	case before.live && !after.live && o.superseded():
	case before.live && !after.live:
		c.Kind = KindDeleted
	case !after.live:
	case before.Seq == 0:
		c.Kind = o.firstKind()
	default:
		if c.Fields, err = h.editsBetween(ctx, &before, &after); err != nil {
			return named, err
		}
		c.Fields = withoutPlatform(c.Fields, o.later, func(r *record) bool { return !r.at.After(b) })
		nameFields(c.Fields, o.later)
		if !before.live {
			c.Kind = KindRestored
		} else if len(c.Fields) > 0 {
			c.Kind = KindUpdated
		}
	}
	return c, nil
}

// nameFields sets the names in fields as entries have them, of which the newest comes first. States
// have none: they are canonical forms, in which names of other objects are left out. It goes from the
// oldest entry to the newest one, so that of several names of one id the newest stays.
func nameFields(fields []diff.FieldChange, entries []record) {
	names := map[string]string{}
	for i := range slices.Backward(entries) {
		for _, f := range entries[i].Fields {
			maps.Copy(names, f.Names)
		}
	}
	for i := range fields {
		f := &fields[i]
		for id, name := range names {
			one := diff.FieldChange{Names: map[string]string{id: name}}
			if f.Names[id] == "" && (len(one.NamesIn(f.Old)) > 0 || len(one.NamesIn(f.New)) > 0) {
				if f.Names == nil {
					f.Names = map[string]string{}
				}
				f.Names[id] = name
			}
		}
	}
}

// editsBetween returns what changed from one state to another.
func (h *History) editsBetween(ctx context.Context, before, after *state) ([]diff.FieldChange, error) {
	from, err := before.body()
	if err != nil {
		return nil, err
	}
	to, err := after.body()
	if err != nil {
		return nil, err
	}
	return h.edits(ctx, before.rules, after.rules, from, to)
}

// within returns a finder that looks among the entries of one object first, which are newest first,
// and asks next for others.
func within(later []record, next finder) finder {
	return func(ctx context.Context, seq uint64) (record, error) {
		i, found := slices.BinarySearchFunc(later, seq, func(r record, seq uint64) int { return cmp.Compare(seq, r.Seq) })
		if found {
			return later[i], nil
		}
		return next(ctx, seq)
	}
}

// superseded reports whether the object turned out to be none; see identity.go.
func (o *touchedObject) superseded() bool {
	return slices.ContainsFunc(o.later, func(e record) bool { return e.Kind == kindSuperseded })
}

// firstKind returns the kind of the entry with which the object came.
func (o *touchedObject) firstKind() Kind {
	for _, e := range o.later {
		if e.first() {
			return e.Kind
		}
	}
	return KindCreated
}
