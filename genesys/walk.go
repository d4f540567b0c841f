package genesys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/url"
	"strings"
)

// How a list is walked, and what makes a walk incomplete. history takes an object that a walk did
// not yield for missing, so a walk must never end well without having seen everything. It goes page
// by page and holds every announcement of the service against what came: the total against the
// distinct IDs, the number of pages and the links against the page it ended on, cursors against
// those asked for before. What fits is no proof, but anything that does not fit is a doubt, and a
// doubt makes an *IncompleteError.
//
// Doubts differ in what they cost. One about a single page is noted, and the walk goes on to yield
// what it can (walk.note). One after which nobody knows what the next page is ends it. And one that
// an edit during the walk explains, such as a total that moved or a page that repeats, because an
// object that was added or removed shifts all behind it by a row, has the list walked once more:
// IDs that were yielded are not yielded again (walkList).
//
// A type may be several lists (variants, divisions, targets of its path), and a list that the
// service refuses to show beyond some row may be walked in parts (Split). An ID may come in several
// of them, and is yielded once.

// List walks all objects of a type without a parent. A walk that ends without
// an error is complete: every page arrived and was JSON, what the pages
// announce was understood and came, totals agreed, no cursor came again, and no
// ID came twice with different content. Otherwise the error is the last thing
// yielded, after every object that did arrive: an *IncompleteError, an
// *APIError, an *AuthError, or what the network or the context said; MeaningOf
// tells what it says of the type. An ID is yielded once. A singleton that is
// not configured yields nothing (Absent).
//
// A walk holds one page of bodies, and 15 to 19 bytes for each object of the
// list: about 16 MB for a million.
func (c *Client) List(ctx context.Context, t ObjectType) iter.Seq2[Object, error] {
	return c.list(ctx, t, nil)
}

func (c *Client) list(ctx context.Context, t ObjectType, recognize Recognize) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if t.Parent != "" {
			yield(Object{}, fmt.Errorf("genesys: %s is listed below one object of %s: use Children", t.Name, t.Parent))
			return
		}
		w := newWalk(ctx, c, t, Object{}, yield)
		w.reader.recognizes(recognize)
		w.run(nil)
	}
}

// ListAgain is List, or Children below a parent that is not the zero Object, for who has the bodies
// of an earlier walk at hand. Most objects of an org are what they were, and to compare bytes takes a
// small part of what it takes to go over them. Those that recognize knows are yielded as Recognized;
// all others, and all objects of a type that is not listed by an ID of its own, as ever.
func (c *Client) ListAgain(ctx context.Context, t ObjectType, parent Object, recognize Recognize) iter.Seq2[Object, error] {
	if parent.ID == "" {
		return c.list(ctx, t, recognize)
	}
	return c.children(ctx, t, parent, recognize)
}

// ListOne returns what List tells of one object, by a request that takes its ID. It is false if the
// list does not have the object, which may be elsewhere than in the list. The error is ErrNoGet
// where the type has no ByID, or where the service does not follow it, and otherwise like that of
// List.
func (c *Client) ListOne(ctx context.Context, t ObjectType, id string) (o Object, found bool, err error) {
	if t.ByID == "" {
		return o, false, fmt.Errorf("%w: %s", ErrNoGet, t.Name)
	}
	own := SplitID(id)
	t.Path = withQuery(t.Path, t.ByID+"="+url.QueryEscape(own[len(own)-1]))
	for one, err := range c.List(ctx, t) {
		switch {
		case err != nil:
			return o, false, err
		case one.ID != id:
			return o, false, fmt.Errorf("%w: %s: the list was asked for one object and tells of others", ErrNoGet, t.Name)
		}
		o, found = one, true
	}
	return o, found, nil
}

// Children walks the objects of a type below one parent, of which it needs
// the ID, and the Body if t.NeedsParentBody. It is otherwise like List; a
// parent that is gone gives ErrNotFound.
func (c *Client) Children(ctx context.Context, t ObjectType, parent Object) iter.Seq2[Object, error] {
	return c.children(ctx, t, parent, nil)
}

func (c *Client) children(ctx context.Context, t ObjectType, parent Object, recognize Recognize) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		switch {
		case t.Parent == "":
			yield(Object{}, fmt.Errorf("genesys: %s has no parent: use List", t.Name))
			return
		case parent.ID == "":
			yield(Object{}, fmt.Errorf("genesys: %s needs the ID of its parent", t.Name))
			return
		}
		w := newWalk(ctx, c, t, parent, yield)
		w.reader.recognizes(recognize)
		w.run(SplitID(parent.ID))
	}
}

// A walk is one List or Children under way.
type walk struct {
	ctx    context.Context //nolint:containedctx // a walk is one call
	c      *Client
	t      ObjectType
	parent Object
	yield  func(Object, error) bool

	reader  *objectReader
	seed    maphash.Seed // of the hashes in seen
	seen    sightings    // IDs that were yielded, with what their content was
	asked   bool         // the first request was answered: later ones say nothing about the type
	stopped bool         // the caller wants no more
	reason  string       // the first reason why the walk is incomplete; "" if there is none
	again   bool         // the list was walked before, so that objects may have changed since
	split   bool         // the list is walked in parts
}

func newWalk(ctx context.Context, c *Client, t ObjectType, parent Object, yield func(Object, error) bool) *walk {
	return &walk{
		ctx: ctx, c: c, t: t, parent: parent, yield: yield,
		reader: newObjectReader(t, parent.ID), seed: maphash.MakeSeed(),
	}
}

// run walks every list that makes up the type: one per target and variant.
func (w *walk) run(parts []string) {
	targets, err := expand(w.t.Path, parts, w.parent.Body)
	if err != nil {
		w.yield(Object{}, err)
		return
	}
	variants, err := w.variants()
	if err != nil {
		w.yield(Object{}, err)
		return
	}
	for _, target := range targets {
		for _, variant := range variants {
			path := withQuery(target.path, variant)
			if w.t.Paging == PagingSingleton {
				_, value, _ := strings.Cut(variant, "=")
				err = w.singleton(path, append(target.values, nonEmpty(value)...))
			} else {
				err = w.walkVariant(target.path, variant)
			}
			if err != nil && !w.stopped {
				w.yield(Object{}, err)
			}
			if err != nil || w.stopped {
				return
			}
		}
	}
	if w.reason != "" {
		w.yield(Object{}, w.incomplete(w.reason, nil))
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// incomplete returns the error that ends the walk for a reason.
func (w *walk) incomplete(reason string, err error) error {
	return &IncompleteError{Type: w.t.Name, Path: cutQuery(w.t.Path), Reason: reason, Err: err}
}

// send makes a request of the walk. Only the first one asks for the type: what
// is said of page 7, or of the second of two lists, is said of that alone.
func (w *walk) send(path string, body []byte) ([]byte, error) {
	asks := w.t.asksAll()
	if w.asked && !w.t.Absent {
		asks = 0
	}
	data, err := w.c.sendFor(w.ctx, w.t, asks, w.t.method(), path, body)
	w.asked = w.asked || err == nil
	return data, err
}

// note remembers the first reason why the walk is incomplete.
func (w *walk) note(reason string) { w.reason = cmp.Or(w.reason, reason) }

// singleton reads the one object of a type that has no list. values told it from its siblings, such
// as the variant or the value of a variable.
func (w *walk) singleton(path string, values []string) error {
	data, err := w.send(path, nil)
	switch {
	case err != nil && w.t.Absent && MeaningOf(err) == Deleted:
		return nil
	case err != nil:
		return err
	case !isObject(data):
		return w.incomplete("the answer is not an object", nil)
	}
	o, err := w.reader.singleton(data, w.parent, values)
	if err != nil {
		return w.incomplete("the answer is not valid JSON", err)
	}
	w.stopped = !w.yield(o, nil)
	return nil
}

// walkList walks one list, once more if items may have moved between its
// pages, and in parts if the service refuses to list all of it.
func (w *walk) walkList(path string) error {
	for try := range 2 {
		w.again = w.split || try > 0
		moved, err := w.walkPages(path)
		if ceiling, ok := errors.AsType[*ceilingError](err); ok {
			return w.walkParts(path, ceiling)
		}
		if err != nil || w.stopped || moved == "" {
			return err
		}
		if try > 0 {
			w.note(moved)
		}
	}
	return nil
}

// ceilingError reports rows that the service counts but does not list, because they come after the
// last one that it shows of any list.
type ceilingError struct {
	rows, total int
	cause       *APIError
}

func (e *ceilingError) Error() string { return e.cause.Error() }

// walkParts walks a list by the queries that part it. A part that is refused as well ends the walk.
func (w *walk) walkParts(path string, ceiling *ceilingError) error {
	if len(w.t.Split) == 0 || w.split {
		total := ""
		if ceiling.total >= 0 {
			total = fmt.Sprintf(" of %d", ceiling.total)
		}
		return w.incomplete(fmt.Sprintf("the service lists no more than the first %d rows%s", ceiling.rows, total), ceiling.cause)
	}
	w.split = true
	for _, part := range w.t.Split {
		if err := w.walkList(withQuery(path, part)); err != nil || w.stopped {
			return err
		}
	}
	return nil
}
