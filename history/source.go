package history

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A Source is what a pass reads: how the objects of one type are listed, how one
// is read, and how much of the type can be seen. [Pass.Read] asks it and decides
// what its answers prove; a Source decides nothing.
//
// An answer that proves nothing is an *UnclearError, which costs what was asked
// for and no more. Any other error but those named here ends the pass.
type Source interface {
	// List yields the objects of the type: all of them, or for a type that has a
	// parent those below one. After an error the list is not whole, whatever
	// it has yielded; there is nothing after the error.
	List(ctx context.Context, parent *Head) iter.Seq2[Item, error]

	// Read reads the whole of a Partial object that was listed. ErrGone says that
	// it does not exist any more, ErrNoGet that the source cannot read one.
	Read(ctx context.Context, listed Item) (Item, error)

	// ListOne returns what List tells of one object of a type without a parent, in a request or so. It is false if
	// the list does not have the object. ErrNoGet says that the source cannot list one.
	ListOne(ctx context.Context, id string) (item Item, found bool, err error)

	// Get finds out whether an object that was not listed exists: ErrGone says that
	// it does not, ErrNoGet that the source cannot read one.
	Get(ctx context.Context, id string) (Item, error)

	// Coverage returns how much of the type can be seen, as it was at since or
	// later. An *UnclearError says that it is less than when the pass began.
	Coverage(ctx context.Context, since time.Time) (Coverage, error)
}

// An Item is an object as a list or a Get of a Source showed it.
type Item struct {
	Object
	Deleted bool // it says of itself that it is deleted
	Partial bool // Read reads the rest of it
}

// Coverage is how much of a type a Source can see. The zero value is all of it.
type Coverage struct {
	Name  string                 // changes whenever the coverage does
	Hides func(body []byte) bool // whether an object with that body is out of sight; nil if none is
}

var (
	// ErrGone is what a Source says of an object that does not exist.
	ErrGone = errors.New("history: the object does not exist")
	// ErrNoGet is what a Source says that cannot read one object.
	ErrNoGet = errors.New("history: one object cannot be read")
)

// An UnclearError is an answer that proves nothing about what was asked for.
type UnclearError struct {
	Err error

	// Lasting says that it will be the same for a while: a refusal, not a failure.
	Lasting bool
	// Gone says that the parent whose list was asked for does not exist any more, or not yet.
	Gone bool
}

func (e *UnclearError) Error() string { return e.Err.Error() }

// Unwrap returns the answer.
func (e *UnclearError) Unwrap() error { return e.Err }

// A RefusedError reports that no parent lets what is below it be read, so that
// the type cannot be had at all for now.
type RefusedError struct {
	Err  error  // what the last of them answered
	Next string // id of the parent to begin with the next time; see ReadOptions.From
}

func (e *RefusedError) Error() string { return "no parent answers: " + e.Err.Error() }

// Unwrap returns the answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// ReadOptions say how a pass reads its Source.
type ReadOptions struct {
	// Parent is the type of the objects that this one is listed under, if it has
	// a parent. Its passes come first.
	Parent string
	// ParentMarked says that the marker of a parent moves with what is below it,
	// so that this need not be read while it stays.
	ParentMarked bool
	// AskAll asks the parents again that refused, however short ago that was.
	AskAll bool
	// From is the id of the parent to begin with, from a RefusedError.
	From string

	// Coverage is how much the source can see as the pass begins.
	Coverage Coverage

	// Clean brings a body that was recorded under other rules into the form in which
	// the source gives it now, where that has changed: without a member that has
	// been recognised as a secret since, for instance. It is compared in that form.
	// Defaults to leaving bodies as they are.
	Clean func(body []byte) ([]byte, error)

	// Requests returns how many requests the source has sent, to reckon what a
	// pass takes. Defaults to a function that returns 0.
	Requests func() int64

	// Finish adds to the commit that ends the pass; see EndWith. Defaults to adding nothing.
	Finish func(*storage.Batch, Reading) error
}

// A Reading is what a pass has found, and what it takes.
type Reading struct {
	Summary
	Coverage Coverage // as the pass ended
	// Steady is how many requests a pass takes in which nothing has changed:
	// those of this one, less what moved markers have cost, and with the share of
	// the rotation that every pass has.
	Steady float64
}

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
//   - After a walk that was not complete, up to 20 of the absent are asked for.
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

func (r *reader) run(ctx context.Context) (Reading, error) {
	var err error
	if r.opts.Parent == "" {
		_, err = r.list(ctx, nil)
	} else {
		err = r.parents(ctx)
	}
	if err == nil {
		err = r.sample(ctx)
	}
	if unclear := new(UnclearError); err != nil && !errors.As(err, &unclear) {
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
	_, err = r.p.EndWith(ctx, func(b *storage.Batch, sum Summary) error {
		result = Reading{Summary: sum, Coverage: r.coverage, Steady: r.steady()}
		if err := r.putParents(b, parents); err != nil || r.opts.Finish == nil {
			return err
		}
		return r.opts.Finish(b, result)
	})
	return result, err
}

// steady returns the requests of a pass in which nothing changes.
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
			r.p.doubt(scope, unclear.Error())
			return n, unclear
		}
		n++
		if err := r.observe(ctx, scope, item); err != nil {
			return n, err
		}
	}
	return n, nil
}

// observe takes down one object that was listed, and reads it where that is needed.
func (r *reader) observe(ctx context.Context, scope string, item Item) error {
	switch {
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
		r.p.doubt(scope, unclear.Error())
		if live {
			return r.p.Listed(item.ID)
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
