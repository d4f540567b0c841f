package environment

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// A PassResult tells how a pass over one object type ended.
type PassResult struct {
	history.Summary

	// Unavailable says why this client cannot read the type: a permission that
	// is missing, a feature that is off. Nothing was compared then.
	Unavailable string `json:"unavailable,omitempty"`

	// Requests that the pass sent, retries included.
	Requests int64 `json:"requests"`

	steady int64 // those of them that a pass needs in which nothing has changed
}

// A PassEvent is a PassResult of an environment, and the error that ended the pass if one did.
type PassEvent struct {
	Environment int64
	Result      PassResult
	Err         error
}

// pass reads one object type and records what changed. A type that is not
// available to this client is a result, not an error.
func (s *session) pass(ctx context.Context, t genesys.ObjectType) (result PassResult, err error) {
	err = s.exclusive(ctx, t.Name, func() error {
		result, err = s.walk(ctx, t)
		return err
	})
	result.Type = t.Name
	if unavailable := new(unavailableError); errors.As(err, &unavailable) {
		result.Unavailable, err = unavailable.reason, nil
	}
	if err != nil {
		err = fmt.Errorf("environment: %s: %w", t.Name, err)
	}
	if noteErr := s.note(ctx, t, result, err); err == nil {
		err = noteErr
	}
	if s.engine.opts.Observer != nil {
		s.engine.opts.Observer(PassEvent{s.record.ID, result, err})
	}
	s.engine.recorded.notify()
	return result, err
}

// unavailableError reports that the whole type is out of this client's reach.
type unavailableError struct{ reason string }

func (e *unavailableError) Error() string { return e.reason }

func (s *session) walk(ctx context.Context, t genesys.ObjectType) (result PassResult, err error) {
	coverage, err := s.coverage(ctx, t)
	if err != nil {
		return result, err
	}
	p, err := s.history.Begin(ctx, t.Name, s.shape(t))
	if err != nil {
		return result, err
	}
	ctx, requests := withRequests(ctx)
	w := &walker{session: s, t: t, pass: p, requests: requests}
	defer func() {
		result.Requests = requests.Load()
		result.steady = result.Requests - w.once
	}()
	if t.Parent == "" {
		err = w.objects(ctx, s.client.List(ctx, t))
	} else {
		err = w.children(ctx)
	}
	if err != nil {
		return result, err
	}
	absences, err := p.Settle(ctx, history.Walk{Complete: w.incomplete == "", Reason: w.incomplete, Coverage: coverage})
	if err != nil {
		return result, err
	}
	for _, a := range absences {
		if err := w.settle(ctx, a); err != nil {
			return result, err
		}
	}
	if result.Summary, err = p.End(ctx); err != nil {
		return result, err
	}
	return result, w.remember(ctx)
}

// A walker feeds one pass with what the client reads.
type walker struct {
	*session
	t    genesys.ObjectType
	pass *history.Pass

	requests *atomic.Int64
	once     int64 // requests for what a marker lets later passes skip

	seen       int
	incomplete string            // why the walk cannot prove an absence
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
		return err
	}
}

func (w *walker) cut(err error) {
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
			return w.pass.Keep(o.ID) // it was listed, so it exists
		}
		return nil
	}
	full.Name, full.Marker, full.Parent = o.Name, o.Marker, o.Parent
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

// settle confirms one absence: by reading the object where that can be done,
// else by an earlier complete walk that missed it too.
func (w *walker) settle(ctx context.Context, a history.Absence) error {
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
	case err == nil:
		return w.pass.Keep(a.ID)
	default:
		return nil // neither seen nor proven gone: it stays missing
	}
}

// children walks the type under every known parent.
func (w *walker) children(ctx context.Context) error {
	parent, ok := w.client.Type(w.t.Parent)
	if !ok {
		return fmt.Errorf("its parent type %s is unknown", w.t.Parent)
	}
	if err := w.parentState(ctx, parent); err != nil {
		return err
	}
	before, err := w.walkedBefore(ctx)
	if err != nil {
		return err
	}
	w.walked, w.skipped = map[string]string{}, map[string]bool{}
	live := map[string]bool{}
	for head, err := range w.history.Heads(ctx, parent.Name) {
		if err != nil {
			return err
		}
		live[head.ID] = true
		if marker := before[head.ID]; len(w.t.Marker) > 0 && marker != "" && marker == head.Marker {
			w.walked[head.ID], w.skipped[head.ID] = marker, true
			continue
		}
		if err := w.childrenOf(ctx, head); err != nil {
			return err
		}
	}
	return w.unseen(ctx, live)
}

// parentState looks at the parents' own last pass: without one there is
// nothing to walk, and after an incomplete one a parent may be unknown.
func (w *walker) parentState(ctx context.Context, parent genesys.ObjectType) error {
	state, err := w.typeState(ctx, parent.Name)
	if err != nil {
		return err
	}
	if state.Unavailable != "" {
		return &unavailableError{fmt.Sprintf("%s is not available: %s", parent.Name, state.Unavailable)}
	}
	last, ok, err := w.history.LastPass(ctx, parent.Name)
	if err == nil && !ok {
		last, err = w.firstPass(ctx, parent)
	}
	if err == nil && !last.Complete {
		w.cut(fmt.Errorf("%s was not read whole", parent.Name))
	}
	return err
}

// firstPass reads a type that was never read, unless somebody else just did.
func (s *session) firstPass(ctx context.Context, t genesys.ObjectType) (summary history.Summary, err error) {
	err = s.exclusive(ctx, t.Name, func() error {
		last, ok, err := s.history.LastPass(ctx, t.Name)
		if err != nil || ok {
			summary = last
			return err
		}
		result, err := s.walk(ctx, t)
		summary = result.Summary
		return err
	})
	return summary, err
}

func (w *walker) childrenOf(ctx context.Context, head history.Head) error {
	parent := genesys.Object{Type: head.Type, ID: head.ID, Name: head.Name, Parent: head.Parent, Marker: head.Marker}
	if w.t.NeedsParentBody() {
		body, err := w.history.Body(ctx, head.Type, head.ID)
		if err != nil {
			return err
		}
		parent.Body = body
	}
	cutBefore, before := w.incomplete, w.requests.Load()
	err := w.objects(ctx, w.client.Children(ctx, w.t, parent))
	if len(w.t.Marker) > 0 && head.Marker != "" {
		w.once += w.requests.Load() - before
	}
	if errors.Is(err, genesys.ErrNotFound) {
		// The parent was deleted since its own pass, or is not visible yet.
		w.cut(fmt.Errorf("%s %s: %w", head.Type, head.ID, err))
		return nil
	}
	if err == nil && w.incomplete == cutBefore {
		w.walked[head.ID] = head.Marker
	}
	return err
}

// unseen settles what the absence of a parent's walk explains: children whose
// parent's marker did not move are unchanged, children of a deleted parent are gone.
func (w *walker) unseen(ctx context.Context, live map[string]bool) error {
	var gone, kept []string
	for head, err := range w.pass.Unseen(ctx) {
		if err != nil {
			return err
		}
		switch {
		case !live[head.Parent]:
			gone = append(gone, head.ID)
		case w.skipped[head.Parent]:
			kept = append(kept, head.ID)
		}
	}
	for _, id := range kept {
		if err := w.pass.Keep(id); err != nil {
			return err
		}
	}
	for _, id := range gone {
		if err := w.pass.Remove(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
