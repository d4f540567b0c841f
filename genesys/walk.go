package genesys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

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
	return func(yield func(Object, error) bool) {
		if t.Parent != "" {
			yield(Object{}, fmt.Errorf("genesys: %s is listed below one object of %s: use Children", t.Name, t.Parent))
			return
		}
		w := newWalk(ctx, c, t, Object{}, yield)
		w.run(nil)
	}
}

// ListOne returns what List tells of one object, by a request that takes its ID. It is false if the list does not have
// the object, which may be elsewhere than in the list. The error is ErrNoGet where the type has no ByID, or
// where the service does not follow it, and otherwise like that of List.
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
	seed    maphash.Seed
	seen    sightings
	asked   bool   // the first request was answered: later ones say nothing about the type
	stopped bool   // the caller wants no more
	reason  string // the first one why the walk is incomplete
	again   bool   // the list was walked before, so that objects may have changed since
	split   bool   // the list is walked in parts
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

func (w *walk) incomplete(reason string, err error) error {
	return &IncompleteError{Type: w.t.Name, Path: cutQuery(w.t.Path), Reason: reason, Err: err}
}

// send makes a request of the walk. Only the first one asks for the type: what
// is said of page 7, or of the second of two lists, is said of that alone.
func (w *walk) send(path string, body []byte) ([]byte, error) {
	asks := w.t.asksAll()
	if w.asked && asks != asksOptional {
		asks = 0
	}
	data, err := w.c.sendFor(w.ctx, w.t, asks, w.t.method(), path, body)
	w.asked = w.asked || err == nil
	return data, err
}

// note remembers the first reason why the walk is incomplete.
func (w *walk) note(reason string) { w.reason = cmp.Or(w.reason, reason) }

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

// ceilingError reports rows that the service counts but does not list.
type ceilingError struct {
	rows, total int
	cause       *APIError
}

func (e *ceilingError) Error() string { return e.cause.Error() }

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

// walkPages walks the pages of one list. moved says why items may have moved
// between them; other reasons for doubt are noted.
func (w *walk) walkPages(path string) (moved string, err error) {
	w.seen.nextList()
	p := &pager{t: w.t, path: path, number: 1, size: w.pageSize(), seed: w.seed}
	distinct, total, pages := 0, -1, -1
	for {
		page, err := w.fetch(p, total)
		if err != nil {
			return "", err
		}
		e, err := readEnvelope(w.t, page)
		if err != nil {
			return "", w.incomplete(fmt.Sprintf("page %d is not valid JSON", p.number), err)
		}
		if e.twice {
			w.note(fmt.Sprintf("page %d says something twice", p.number))
		}
		n, fresh, err := w.items(p, e)
		if err != nil || w.stopped {
			return "", err
		}
		if n > 0 {
			e.ignoreZeroes()
		}
		distinct += fresh
		if e.total >= 0 {
			if total >= 0 && e.total != total {
				moved = fmt.Sprintf("the total went from %d to %d on the way", total, e.total)
			}
			total = e.total
		}
		if e.unclear != "" {
			w.note(fmt.Sprintf("page %d announces in a way that is not understood what there is: %s", p.number, e.unclear))
		}
		if n > 0 && fresh == 0 {
			repeats := fmt.Sprintf("page %d repeats objects of the pages before, and has no other", p.number)
			if p.byNumber() { // what came before a short last page may just have grown
				return repeats, nil
			}
			return "", w.incomplete(repeats, nil)
		}
		pages = max(pages, e.pageCount)
		number := p.number
		more, reason := p.next(e, n)
		if reason != "" {
			return "", w.incomplete(reason, nil)
		}
		if !more {
			if total < 0 || distinct != total {
				w.noteMore(p, e, number, pages)
			}
			break
		}
	}
	if moved == "" && total >= 0 && (distinct < total || p.paged() && distinct != total) {
		moved = fmt.Sprintf("%d objects of a total of %d came", distinct, total)
	}
	return moved, nil
}

// noteMore notes what a list announces beyond its last page: further pages, or
// a link to them. A total that came whole would say better.
func (w *walk) noteMore(p *pager, e envelope, number, pages int) {
	switch {
	case !p.byNumber() && pages > number && p.size == w.t.PageSize:
		w.note(fmt.Sprintf("%d pages are announced, and page %d leads no further", pages, number))
	case e.nextURI != "" && p.t.Paging != PagingNextURI && !p.byNumber():
		w.note(fmt.Sprintf("page %d has a link to more, of which the type knows nothing", number))
	case e.beyond != "":
		w.note(fmt.Sprintf("page %d announces more in its member %q, of which the type knows nothing", number, e.beyond))
	}
}

func (w *walk) pageSize() int {
	if size, ok := w.c.sizes.Load(w.t.Name); ok {
		return size.(int)
	}
	return w.t.PageSize
}

// fetch reads one page, a smaller one where the service refuses its size.
func (w *walk) fetch(p *pager, total int) ([]byte, error) {
	var refusal error
	stubborn := w.c.isStubborn(w.t)
	for {
		path, body := p.request()
		page, err := w.send(path, body)
		if err == nil {
			if refusal != nil {
				w.c.sizes.Store(w.t.Name, p.size)
			}
			return page, nil
		}
		least := w.t.leastPage()
		if e, ok := errors.AsType[*APIError](err); ok && !e.tooLarge() {
			rows := (p.number - 1) * p.size
			switch {
			case e.Status != http.StatusBadRequest:
				return nil, err
			case p.byNumber() && p.number > 1 && rows+p.size > 1000:
				return nil, &ceilingError{rows: rows, total: total, cause: e}
			case p.number > 1 || p.token != "" || stubborn:
				return nil, err // or no size has helped before
			}
			least = 25 // every list takes the default size
		} else if !ok && !errors.Is(err, errTooLarge) {
			return nil, err
		}
		if refusal == nil {
			refusal = err
		}
		most := p.size - 1
		if errors.Is(err, errTooLarge) {
			most = p.size / 10 // each try takes as much memory as may be had
		}
		if !p.shrink(most, least) {
			w.c.stubborn.Store(w.t.Name, true)
			return nil, refusal
		}
	}
}

// items yields the objects of a page that were not yielded before. It returns
// how many there are, and how many of them this list did not show before.
func (w *walk) items(p *pager, e envelope) (n, fresh int, err error) {
	if e.items == nil || string(e.items) == "null" {
		if e.items == nil && e.total != 0 {
			return 0, 0, w.incomplete(fmt.Sprintf("page %d has no member %q", p.number, w.t.Items), nil)
		}
		return 0, 0, nil
	}
	defer w.reader.release()
	it := jsonscan.Elements(e.items)
	for w.reader.next(&it, e.items) {
		n++
		o, err := w.reader.element(it.Value())
		if err != nil {
			w.note(fmt.Sprintf("item %d of page %d: %v", n, p.number, err))
			continue
		}
		known, listed, same := w.seen.see(maphash.String(w.seed, o.ID), maphash.Bytes(w.seed, o.Body))
		if !listed {
			fresh++
		}
		if known {
			if !same && (listed || !w.again) {
				w.note(o.ID + " came twice with different content")
			}
			continue
		}
		if w.stopped = !w.yield(o, nil); w.stopped {
			return n, fresh, nil
		}
	}
	if err := it.Err(); err != nil {
		return n, fresh, w.incomplete(fmt.Sprintf("page %d has no list in its member %q", p.number, w.t.Items), err)
	}
	return n, fresh, nil
}

func jsonString(s string) []byte {
	b, _ := json.Marshal(s) //nolint:errchkjson // a string has no error
	return b
}
