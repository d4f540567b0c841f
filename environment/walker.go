package environment

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// A walker feeds one pass with what the client reads.
type walker struct {
	*session
	t     genesys.ObjectType
	state TypeState // before the pass
	pass  *history.Pass

	sight    sight
	requests *atomic.Int64
	once     int64 // requests for what a marker lets later passes skip

	seen       int
	since      time.Time         // up to when what the parents' pass found is known
	incomplete string            // why the walk cannot prove an absence, the first reason
	cuts       int               // how many there are
	walked     map[string]string // parents whose children are all known, with the parent's marker
	skipped    map[string]bool   // those of them that were not read, because the marker did not move
}

// objects observes what one list call yields. An error that leaves the objects
// so far as they are makes the walk incomplete; only what ends the pass is returned.
func (w *walker) objects(ctx context.Context, list func(func(genesys.Object, error) bool)) error {
	for o, err := range list {
		if err != nil {
			return w.fault(ctx, err)
		}
		w.seen++
		if err := w.observe(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// fault decides what an error of the API means for the pass.
func (w *walker) fault(ctx context.Context, err error) error {
	_, cut := errors.AsType[*genesys.IncompleteError](err)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, genesys.ErrUnavailable) && w.seen == 0:
		return &unavailableError{err.Error()}
	case cut || w.seen > 0 && !errors.Is(err, genesys.ErrUnauthorized):
		w.cut(err)
		return nil
	default:
		return &readError{err}
	}
}

// readError is an error of the org or of the way to it, as opposed to one of
// the store.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

func (w *walker) cut(err error) {
	w.cuts++
	if w.incomplete == "" {
		w.incomplete = err.Error()
	}
}

func (w *walker) observe(ctx context.Context, o genesys.Object) error {
	if o.Deleted {
		return w.pass.Remove(ctx, o.ID)
	}
	if w.t.Whole {
		return w.compare(ctx, o)
	}
	known, ok := w.pass.Marker(o.ID)
	if ok && o.Marker != "" && known == o.Marker {
		return w.pass.Keep(o.ID)
	}
	before := w.requests.Load()
	full, err := w.client.Get(ctx, w.t, o.ID)
	if o.Marker != "" {
		w.once += w.requests.Load() - before
	}
	switch {
	case errors.Is(err, genesys.ErrNoGet):
		return w.compare(ctx, o)
	case errors.Is(err, genesys.ErrNotFound):
		return nil // deleted since it was listed: absent like any other
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		w.cut(err)
		if ok {
			return w.pass.Listed(o.ID)
		}
		return nil
	}
	full.Name, full.Marker, full.Parent = cmp.Or(full.Name, o.Name), o.Marker, o.Parent
	return w.compare(ctx, full)
}

func (w *walker) compare(ctx context.Context, o genesys.Object) error {
	err := w.pass.Observe(ctx, history.Object{ID: o.ID, Name: o.Name, Parent: o.Parent, Body: o.Body, Marker: o.Marker})
	if errors.Is(err, history.ErrBody) {
		w.cut(err)
		return nil
	}
	return err
}

// confirm settles what is absent, unless the client sees less since the pass
// began: then an absence proves nothing.
func (w *walker) confirm(ctx context.Context, absences []history.Absence, began time.Time) error {
	if len(absences) == 0 {
		return nil
	}
	now, err := w.session.sight(ctx, w.t, began)
	if lost := new(unavailableError); errors.As(err, &lost) {
		return nil
	} else if err != nil {
		return err
	}
	if now.String() != w.sight.String() {
		w.sight = now // what is remembered, so that what comes back into sight is not created then
		return nil
	}
	for _, a := range absences {
		if err := w.settle(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// settle confirms one absence: by reading the object where that can be done,
// else by an earlier complete walk that missed it too. An object that was last
// seen in a division that is out of sight now stays missing.
func (w *walker) settle(ctx context.Context, a history.Absence) error {
	if w.sight.divisions != nil {
		body, err := w.history.Body(ctx, w.t.Name, a.ID)
		if err != nil {
			return err
		}
		if w.sight.hides(body) {
			return nil
		}
	}
	o, err := w.client.Get(ctx, w.t, a.ID)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, genesys.ErrNoGet):
		if a.Confirmed {
			return w.pass.Remove(ctx, a.ID)
		}
		return nil
	case errors.Is(err, genesys.ErrNotFound), err == nil && o.Deleted:
		return w.pass.Remove(ctx, a.ID)
	default:
		// Not proven gone: it stays missing. So it does if it was read: it may have
		// been recreated since the list, and what Get tells of it is not what a list tells.
		return nil
	}
}
