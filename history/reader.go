package history

import (
	"context"
	"errors"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A Reading is what a pass has found, and what it takes.
type Reading struct {
	Summary
	Coverage Coverage // as the pass ended
	// Steady is how many requests a pass takes in which nothing has changed:
	// those of this one, less what moved markers have cost, and with the share of
	// the rotation that every pass has.
	Steady float64
}

// A pass goes in stages: list the type (below each parent, if it has parents), find out about what
// was not listed, remember what was learnt about parents, and end. Whatever a stage could not find
// out is not guessed: it is noted as a reason why the walk proves no absence (Pass.addReason), for
// the whole type or below one parent, and the pass goes on. Only an error that is no *UnclearError
// ends it.

// A reader makes one pass over a source.
type reader struct {
	p    *Pass
	src  Source
	opts ReadOptions

	began    time.Time
	coverage Coverage
	since    time.Time // when the oldest of what the walk relied on was read; zero: the start of the pass

	once    int64  // requests that moved markers have cost
	rotated int64  // requests of the rotation
	spared  []Item // a few that need not be read; see sample.go
	spares  int    // how many need not be read
	partial bool   // some object has a marker and is not whole in the list

	below *parents // what is known of the parents of the type, if it has one
}

// Read makes the whole pass: it lists the type, records what is new or has
// changed, finds out what is gone, and ends the pass. All that the answers of the
// source prove is decided here:
//
//   - An object that was read is what it was read to be. A list may tell by a
//     marker that it need not be read; see Pass.Marker.
//   - An object is deleted if the source says so of it, or if its parent is
//     recorded as deleted. It is deleted as well if two complete walks one after
//     the other have missed it, and it cannot be read.
//   - An answer that is not clear concerns what was asked for. What a parent
//     refuses says nothing of other parents: what is below them is read, compared,
//     and found to be gone or not.
//   - A parent that is not on record (forgotten, trimmed, never seen) proves nothing.
//   - After a walk that was not complete, up to 19 of the absent are asked for, and one that was
//     seen, to know that the call works.
//   - Who sees less than before, or sees a large part of a type gone at once,
//     waits for a second walk; see Settle.
//
// An error ends the pass. What it had found by then is kept, and the next pass
// completes it.
func (p *Pass) Read(ctx context.Context, src Source, opts ReadOptions) (Reading, error) {
	result, err := p.reader(src, opts).run(ctx)
	if err != nil && ctx.Err() == nil {
		p.keepFound(ctx)
	}
	return result, err
}

// run goes through the stages. Only the list may end with an *UnclearError: the walk is then not
// complete, and what it has found counts.
func (r *reader) run(ctx context.Context) (Reading, error) {
	var err error
	if r.opts.Parent == "" {
		_, err = r.list(ctx, nil)
	} else {
		err = r.parents(ctx)
	}
	if unclear := new(UnclearError); err != nil && !errors.As(err, &unclear) {
		return Reading{}, err
	}
	if err := r.sample(ctx); err != nil {
		return Reading{}, err
	}
	absences, err := r.absences(ctx)
	if err != nil {
		return Reading{}, err
	}
	if err := r.confirm(ctx, absences); err != nil {
		return Reading{}, err
	}
	if err := r.findOpen(ctx); err != nil {
		return Reading{}, err
	}
	parents, err := r.rememberParents(ctx)
	if err != nil {
		return Reading{}, err
	}
	var result Reading
	_, err = r.p.endWith(ctx, func(b *storage.Batch, sum Summary) error {
		result = Reading{Summary: sum, Coverage: r.coverage, Steady: r.steady()}
		if err := r.putParents(b, parents); err != nil || r.opts.Finish == nil {
			return err
		}
		return r.opts.Finish(b, result)
	})
	return result, err
}

// steady returns the requests of a pass in which nothing changes: those of this one, without what it
// read because markers had moved, and with the usual share of the rotation instead of this pass's.
func (r *reader) steady() float64 {
	read := float64(r.opts.Requests() - r.once - r.rotated)
	marked, each := 0, 1.0
	switch {
	case r.below == nil && r.partial:
		marked = r.p.marked()
	case r.below != nil && r.opts.ParentMarked:
		marked, each = r.below.marked(), r.below.cost()
	}
	return read + float64(share(marked, r.p.h.opts.Rotation))*each
}

// list observes what one list yields: of the whole type, or below one parent. It
// returns how many objects came, and why the list proves no absence, nil if it does.
func (r *reader) list(ctx context.Context, parent *Head) (n int, err error) {
	scope := ""
	if parent != nil {
		scope = parent.ID
	}
	for item, err := range r.src.List(ctx, parent) {
		if err != nil {
			unclear, ok := errors.AsType[*UnclearError](err)
			if !ok {
				return n, err
			}
			r.p.addReason(scope, unclear.Error())
			return n, unclear
		}
		n++
		if err := r.observe(ctx, scope, item); err != nil {
			return n, err
		}
	}
	return n, nil
}

// observe takes down one object that was listed, and reads it where that is needed: the list shows it
// only in part, and no marker says that it is what it was. An object that was listed and cannot be
// read is there; what it is like stays unknown, so the walk is not complete.
func (r *reader) observe(ctx context.Context, scope string, item Item) error {
	switch {
	case item.Recognized:
		return r.p.keepRecognized(ctx, item.ID, scope)
	case item.Deleted:
		return r.p.remove(ctx, item.ID, item.Parent)
	case !item.Partial:
		return r.compare(ctx, item.Object, item.Marker)
	}
	r.partial = r.partial || item.Marker != ""
	known, live := r.p.Marker(item.ID)
	if live && item.Marker != "" && known == item.Marker {
		r.spare(item)
		return r.p.Keep(item.ID)
	}
	before := r.opts.Requests()
	full, err := r.src.Read(ctx, item)
	r.account(item, r.opts.Requests()-before)
	unclear := new(UnclearError)
	switch {
	case errors.Is(err, ErrNoGet):
		return r.compare(ctx, item.Object, item.Marker)
	case errors.Is(err, ErrGone) || err == nil && full.Deleted:
		return nil // deleted since it was listed: absent like any other
	case errors.As(err, &unclear):
		if live && item.Marker != "" && r.p.isTurn(item.ID, item.Marker) {
			return r.p.keepUnread(ctx, item.ID)
		}
		r.p.addReason(scope, unclear.Error())
		if live {
			return r.p.keepListed(item.ID)
		}
		return nil
	case err != nil:
		return err
	}
	own := full.Marker
	full.Marker, full.Parent = item.Marker, item.Parent
	if full.Name == "" {
		full.Name = item.Name
	}
	return r.compare(ctx, full.Object, own)
}

// account notes what reading one object has cost, if it is not what it takes at every pass.
func (r *reader) account(item Item, requests int64) {
	switch {
	case item.Marker == "":
	case r.p.isTurn(item.ID, item.Marker):
		r.rotated += requests
	default:
		r.once += requests
	}
}

// compare observes a body. One that cannot be recorded costs nobody else.
func (r *reader) compare(ctx context.Context, o Object, own string) error {
	err := r.p.observeOwn(ctx, o, own)
	if errors.Is(err, ErrBody) {
		return nil // the pass has noted it
	}
	return err
}
