package genesys

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// The pages of one list; walk.go says what makes a walk incomplete.

// walkPages walks the pages of one list. moved says why objects may have moved between them, so that
// the list should be walked again; other doubts are noted or returned.
func (w *walk) walkPages(path string) (moved string, err error) {
	w.seen.nextList()
	p := &pager{t: w.t, path: path, number: 1, size: w.pageSize(), seed: w.seed}
	distinct, total, pages := 0, -1, -1 // IDs that came; what was announced last, -1 if nothing was
	for {
		page, err := w.fetch(p, total)
		if err != nil {
			return "", err
		}
		e, err := readEnvelope(w.reader, page)
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
		// Without a new object on a page the walk might go round for ever. By number it ends and the
		// list is walked again; with tokens, which an edit does not shift, there is no explanation.
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

// pageSize returns the largest page that the service took, as far as that is known.
func (w *walk) pageSize() int {
	if size, ok := w.c.sizes.Load(w.t.Name); ok {
		return size.(int)
	}
	return w.t.PageSize
}

// fetch reads one page, a smaller one where the service refuses its size: as too large, or with a
// 400 for the first page, which does not say why. A size that was taken is remembered for the type.
// total is what the list has announced so far, -1 if nothing.
//
// A 400 for a later page is another matter, as its size was taken before. By number and beyond row
// 1,000 it is the end of what the service shows of a list; anywhere else it is an error. Where no
// size helps, the type is remembered as stubborn, and the next 400 costs one try, not several.
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

// items yields the objects of a page that were not yielded before. It returns how many objects the page
// has, and how many of them this list did not show before. An element that is no object with an ID is a
// doubt, and is counted as one that came, so that paging goes on.
func (w *walk) items(p *pager, e envelope) (n, fresh int, err error) {
	defer w.reader.release()
	if e.items == nil || string(e.items) == "null" {
		if e.items == nil && e.total != 0 {
			return 0, 0, w.incomplete(fmt.Sprintf("page %d has no member %q", p.number, w.t.Items), nil)
		}
		return 0, 0, nil
	}
	if e.items[0] != '[' {
		return 0, 0, w.incomplete(fmt.Sprintf("page %d has no list in its member %q", p.number, w.t.Items), jsonscan.ErrorAt(e.items, 0))
	}
	for i := range w.reader.members.items {
		n++
		o, err := w.reader.item(i)
		if err != nil {
			w.note(fmt.Sprintf("item %d of page %d: %v", n, p.number, err))
			continue
		}
		known, listed, same := w.seen.see(maphash.String(w.seed, o.ID), maphash.Bytes(w.seed, o.Body))
		if !listed {
			fresh++
		}
		if known {
			// One list shows one content of an ID, and so do two lists of one walk. Only where this
			// list is walked again may the object have been edited since.
			if !same && (listed || !w.again) {
				w.note(o.ID + " came twice with different content")
			}
			continue
		}
		if w.stopped = !w.yield(o, nil); w.stopped {
			return n, fresh, nil
		}
	}
	return n, fresh, nil
}
