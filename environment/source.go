package environment

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// Where a pass meets the org. genesys says what an answer means (MeaningOf); history decides what
// follows from it, a removal above all. The source between them only translates, because both
// packages know nothing of each other. The errors that it makes are these:
//
//	history.ErrGone         the org says that the object does not exist, which proves its removal
//	history.ErrNoGet        there is no call to ask for one object
//	*history.UnclearError   the answer proves nothing; the walk goes on and is not complete
//	*unavailableError       this client cannot read the type at all
//	*readError              the org cannot be read, which ends the pass; errors of the store stay as they are

// A source is one type of the org, as a pass reads it.
type source struct {
	*session
	t         genesys.ObjectType
	recognize genesys.Recognize // nil if what is recorded is not what the list has, byte for byte

	masked atomic.Int64 // objects with secrets that a mark stands for
}

var _ history.Source = (*source)(nil)

// List implements history.Source.
func (s *source) List(ctx context.Context, parent *history.Head) iter.Seq2[history.Item, error] {
	return func(yield func(history.Item, error) bool) {
		var above genesys.Object
		if parent != nil {
			above = genesys.Object{Type: parent.Type, ID: parent.ID, Name: parent.Name, Parent: parent.Parent, Marker: parent.Marker}
			if s.t.NeedsParentBody() {
				body, err := s.history.Body(ctx, parent.Type, parent.ID)
				if err != nil {
					yield(history.Item{}, err)
					return
				}
				above.Body = body
			}
		}
		n := 0
		for o, err := range s.client.ListAgain(ctx, s.t, above, s.recognize) {
			if err != nil {
				yield(history.Item{}, s.listed(ctx, err, parent, n))
				return
			}
			n++
			if !yield(s.item(o), nil) {
				return
			}
		}
	}
}

// item translates an object. It is Partial when the list shows less than what is recorded.
func (s *source) item(o genesys.Object) history.Item {
	if o.Masked > 0 {
		s.masked.Add(1)
	}
	return history.Item{
		Object:  history.Object{ID: o.ID, Name: o.Name, Parent: o.Parent, Body: o.Body, Marker: o.Marker},
		Deleted: o.Deleted, Partial: !s.t.Whole || len(s.t.Parts) > 0, Recognized: o.Recognized,
	}
}

// ListOne implements history.Source.
func (s *source) ListOne(ctx context.Context, id string) (history.Item, bool, error) {
	o, found, err := s.client.ListOne(ctx, s.t, id)
	switch {
	case errors.Is(err, genesys.ErrNoGet):
		return history.Item{}, false, history.ErrNoGet
	case err != nil:
		if over := s.ends(ctx, err); over != nil {
			return history.Item{}, false, over
		}
		return history.Item{}, false, &history.UnclearError{Err: err}
	}
	return s.item(o), found, nil
}

// Read implements history.Source.
func (s *source) Read(ctx context.Context, listed history.Item) (history.Item, error) {
	o, err := s.client.Read(ctx, s.t, genesys.Object{
		Type: s.t.Name, ID: listed.ID, Name: listed.Name, Parent: listed.Parent, Body: listed.Body, Marker: listed.Marker,
	})
	return s.read(ctx, o, err)
}

// Get implements history.Source. A singleton has no other call than the one that
// a walk makes, so asking again is no second opinion.
func (s *source) Get(ctx context.Context, id string) (history.Item, error) {
	if s.t.Paging == genesys.PagingSingleton {
		return history.Item{}, history.ErrNoGet
	}
	asked := genesys.Object{ID: id}
	if s.t.GetNeedsBody() {
		body, err := s.history.Body(ctx, s.t.Name, id)
		if err != nil {
			return history.Item{}, err
		}
		asked.Body = body
	}
	o, err := s.client.Get(ctx, s.t, asked)
	return s.read(ctx, o, err)
}

// read translates what reading one object gave.
func (s *source) read(ctx context.Context, o genesys.Object, err error) (history.Item, error) {
	switch {
	case err == nil:
		return s.item(o), nil
	case errors.Is(err, genesys.ErrNoGet):
		return history.Item{}, history.ErrNoGet
	case genesys.MeaningOf(err) == genesys.Deleted:
		return history.Item{}, history.ErrGone
	}
	if over := s.ends(ctx, err); over != nil {
		return history.Item{}, over
	}
	return history.Item{}, &history.UnclearError{Err: err}
}

// Coverage implements history.Source.
func (s *source) Coverage(ctx context.Context, since time.Time) (history.Coverage, error) {
	seen, err := s.coverage(ctx, s.t, since)
	if lost := new(unavailableError); errors.As(err, &lost) {
		return history.Coverage{}, &history.UnclearError{Err: err}
	}
	return seen.forHistory(), err
}

// listed translates the error that ended a list after n objects. Only the first answer of a list
// speaks of the type: 403 on page 7 is no lack of permission but an unclear walk. And what one
// parent answers says nothing of the others, so it is never unavailable: history notes it, and
// goes on with the next parent.
func (s *source) listed(ctx context.Context, err error, parent *history.Head, n int) error {
	if over := s.ends(ctx, err); over != nil {
		return over
	}
	_, cut := errors.AsType[*genesys.IncompleteError](err)
	meaning := genesys.MeaningOf(err)
	switch {
	case parent != nil:
		refusal, answered := errors.AsType[*genesys.APIError](err)
		return &history.UnclearError{
			Err: fmt.Errorf("%s %s: %w", parent.Type, parent.ID, err), Gone: meaning == genesys.Deleted && !s.t.Absent,
			Lasting: meaning != genesys.Deleted && answered && !cut && !errors.Is(err, genesys.ErrOutage) && (refusal.Status < 500 || meaning == genesys.Unavailable),
		}
	case cut || n > 0:
		return &history.UnclearError{Err: err}
	case meaning == genesys.Hidden || meaning == genesys.Unavailable:
		return &unavailableError{reason: err.Error()}
	}
	return s.unreadable(err)
}

// readError is an error of the org or of the way to it, as opposed to one of
// the store.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// unavailableError reports that this client cannot read the type at all: it lacks a permission, or
// the org does not have the product. Its objects stay as they were.
type unavailableError struct {
	reason string
	next   string // ID of the parent to begin with when it is tried again; "" for any
}

func (e *unavailableError) Error() string { return e.reason }
