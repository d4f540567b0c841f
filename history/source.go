package history

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A Source is what a pass reads: how the objects of one type are listed, how one is read, and how
// much of the type can be seen. [Pass.Read] asks it and decides what its answers prove; a Source
// decides nothing. It is called from one goroutine; Read is called while List is being ranged over.
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

	// ListOne returns what List tells of one object of a type without a parent, in a request or so.
	// It is false if the list does not have the object. ErrNoGet says that the source cannot list
	// one.
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

	// Recognized says that Pass.Recognize has found it: nothing but its ID is used.
	Recognized bool
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
	// Optional says that the one object below a parent may not be there while the parent is. What
	// the source then says it would also say if it could list the type no more.
	Optional bool
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

	// Finish adds to the commit that ends the pass; see endWith. Defaults to adding nothing.
	Finish func(*storage.Batch, Reading) error
}
