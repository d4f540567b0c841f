package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// A Query selects changes. The zero Query selects all but the imports, oldest
// first.
type Query struct {
	Types []string // of these types; empty for all. Names such as "routing.queues"; labels where Options.Resolve knows them
	ID    string   // of this object; needs exactly one type
	Kinds []Kind   // of these kinds; empty for all

	Since time.Time // recorded at this time or later
	Until time.Time // recorded before this time; zero for no bound

	// Field selects changes of a field, of what is below it or of what it is
	// in: a path as in diff.Rules.Ignore, such as "members.ringNumber".
	Field string

	// By selects changes that the user or client with this id, or the user with this name, made or
	// may have made.
	By string

	AfterSeq  uint64 // behind this change, to follow what comes
	BeforeSeq uint64 // before this change, to page back; 0 for no bound
	Newest    bool   // newest first
	Imported  bool   // first sights of an import as well; so does KindImported in Kinds
	Limit     int    // at most so many; 0 for no bound
}

// A filter is a Query, checked.
type filter struct {
	Query
	field diff.Path
}

// compile checks a query. Names of types are resolved before.
func (q Query) compile() (*filter, error) {
	f := &filter{Query: q}
	if q.ID != "" && len(q.Types) != 1 {
		return nil, fmt.Errorf("history: query for the object %q names %d types, want the one that it is of", q.ID, len(q.Types))
	}
	if q.Limit < 0 {
		return nil, fmt.Errorf("history: query limit is %d, want a positive number or 0 for no bound", q.Limit)
	}
	if !q.Until.IsZero() && q.Until.Before(q.Since) {
		return nil, fmt.Errorf("history: query since %s and until %s: the second time is before the first",
			q.Since.UTC().Format(time.RFC3339), q.Until.UTC().Format(time.RFC3339))
	}
	for _, kind := range q.Kinds {
		if !slices.Contains(Kinds(), kind) {
			return nil, fmt.Errorf("history: %q is no kind of change; they are %q", kind, Kinds())
		}
	}
	if q.Field != "" {
		var err error
		f.field, err = diff.ParsePath(q.Field)
		if wrong, ok := errors.AsType[*diff.PathError](err); ok {
			return nil, fmt.Errorf("history: query field %q: %s", wrong.Path, wrong.Reason)
		}
	}
	return f, nil
}

func (f *filter) wantsType(typeName string) bool {
	return len(f.Types) == 0 || slices.Contains(f.Types, typeName)
}

// wants reports whether the filter selects a change, as far as the change itself tells; By needs
// more.
func (f *filter) wants(c *Change) bool {
	switch {
	case c.Kind == kindRebased, c.Kind == kindSuperseded, c.Seq <= f.AfterSeq, c.At.Before(f.Since):
		return false
	case f.BeforeSeq > 0 && c.Seq >= f.BeforeSeq:
		return false
	case !f.Until.IsZero() && !c.At.Before(f.Until):
		return false
	case f.ID != "" && c.ID != f.ID, !f.wantsType(c.Type):
		return false
	case len(f.Kinds) > 0:
		if !slices.Contains(f.Kinds, c.Kind) {
			return false
		}
	case c.Kind == KindImported && !f.Imported:
		return false
	}
	return f.Field == "" || f.field.Touches(c.Fields)
}

// Changes iterates over the changes that q selects, in the order of their
// sequence numbers. It sees the changes that were recorded when the iteration
// began. A type that no pass was ever made over is an error that matches
// ErrUnknown, and an object that none has seen one that matches ErrNotFound, unless q
// follows what comes behind a change. A person or client that no audit names has made no
// change, which is no error. To follow a change that was
// not made yet, such as one of another store or of later than a backup, is an error that
// matches ErrNotFound.
func (h *History) Changes(ctx context.Context, q Query) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		q, err := h.resolved(ctx, q)
		if err != nil {
			yield(Change{}, err)
			return
		}
		f, err := q.compile()
		if err == nil && len(q.Types) > 0 && q.AfterSeq == 0 {
			err = cmp.Or(h.checkAllKnown(ctx, q.Types, time.Time{}), h.checkSeen(ctx, q))
		}
		if err == nil && q.AfterSeq > 0 {
			err = h.checkMade(ctx, q.AfterSeq)
		}
		if err != nil {
			yield(Change{}, err)
			return
		}
		who, err := h.whoReader(ctx)
		if err != nil {
			yield(Change{}, err)
			return
		}
		n := 0
		for r, err := range h.records(ctx, f) {
			if err != nil {
				yield(Change{}, err)
				return
			}
			c := h.change(&r)
			if !f.wants(&c) {
				continue
			}
			if err = who.fill(ctx, &c); err == nil {
				c, err = h.withObjects(ctx, c)
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			if f.By != "" && !c.Who.isBy(f.By) {
				continue
			}
			if n++; !yield(c, nil) || n == f.Limit {
				return
			}
		}
	}
}

// checkSeen returns an error that matches ErrNotFound if q is about an object that no pass has seen.
// Its types are resolved.
func (h *History) checkSeen(ctx context.Context, q Query) error {
	if q.ID == "" {
		return nil
	}
	_, found, err := h.head(ctx, q.Types[0], q.ID)
	if err == nil && !found {
		err = fmt.Errorf("history: %s %q: %w", q.Types[0], q.ID, ErrNotFound)
	}
	return err
}

// records iterates over the entries of the log that f can want, in its order.
func (h *History) records(ctx context.Context, f *filter) iter.Seq2[record, error] {
	if f.ID != "" {
		return h.recordsOf(ctx, f)
	}
	return func(yield func(record, error) bool) {
		r, err := h.frameRange(ctx, f.Query)
		if err != nil {
			yield(record{}, err)
			return
		}
		for e, err := range h.frames(ctx, r, f.wantsType) {
			if err != nil {
				yield(record{}, err)
				return
			}
			records := e.records
			if f.Newest {
				slices.Reverse(records)
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// recordsOf iterates over the entries of one object, by its chain instead of through the log: it
// reads as many frames as the object has entries, however large the log is. The chain goes back in
// time, so oldest first the entries wait in memory until the oldest one that is wanted is met.
// Where retention has cut the chain, what is left of it is the answer.
func (h *History) recordsOf(ctx context.Context, f *filter) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		hd, _, err := h.head(ctx, f.Types[0], f.ID)
		if err != nil {
			yield(record{}, err)
			return
		}
		var oldestFirst []record
		for r, err := range h.chain(ctx, hd.tip()) {
			if errors.Is(err, ErrTrimmed) {
				break
			}
			if err != nil {
				yield(record{}, err)
				return
			}
			r.ID = f.ID // it may have been another one
			if !f.Newest {
				oldestFirst = append(oldestFirst, r)
			} else if !yield(r, nil) {
				return
			}
			if r.Seq <= f.AfterSeq || r.at.Before(f.Since) {
				break
			}
		}
		for _, r := range slices.Backward(oldestFirst) {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// chain iterates over the entries of one object from seq on, newest first. If
// retention has removed the older ones, it ends with ErrTrimmed.
func (h *History) chain(ctx context.Context, seq uint64) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		for seq != 0 {
			r, err := h.record(ctx, seq)
			if !yield(r, err) || err != nil {
				return
			}
			seq = r.Prev
		}
	}
}

// frameRange returns the frames that hold what q can select. They may hold more at both ends: a frame
// begins before AfterSeq and goes on behind it, or begins before BeforeSeq. Whoever reads them checks
// each entry (filter.wants). Times need no such margin, because all entries of a frame have one.
func (h *History) frameRange(ctx context.Context, q Query) (storage.Range, error) {
	first, end := uint64(0), ^uint64(0)
	if q.AfterSeq > 0 {
		r := h.keys.frames(0, q.AfterSeq+1)
		r.Reverse = true
		id, _, err := h.firstFrame(ctx, r)
		if err != nil {
			return storage.Range{}, err
		}
		first = id.first
	}
	if !q.Since.IsZero() {
		since, err := h.seek(ctx, q.Since)
		if err != nil {
			return storage.Range{}, err
		}
		first = max(first, since)
	}
	if !q.Until.IsZero() {
		var err error
		if end, err = h.seek(ctx, q.Until); err != nil {
			return storage.Range{}, err
		}
	}
	if q.BeforeSeq > 0 {
		end = min(end, q.BeforeSeq) // a frame that begins before may hold what is behind
	}
	r := h.keys.frames(first, max(first, end))
	r.Reverse = q.Newest
	return r, nil
}
