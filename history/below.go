package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Some of a type can be read between two passes, because an audit says that it has changed: what is
// below some parents, or single objects. That is no pass, but it begins like one, with the heads of
// the whole type in memory, and it supersedes a pass over the type that is under way in the same
// History. Whoever calls it holds what keeps two passes over a type apart.

// ReadBelow reads what is listed below some parents, because it is said to have changed, and
// records what is new or has changed there. It is no pass over the type: it proves no absence, and
// the newest pass stays what it was. What may be part of a release of the platform is left to the
// next pass, which sees more objects. A parent that is not known is left out.
func (p *Pass) ReadBelow(ctx context.Context, src Source, opts ReadOptions, parents ...string) (Summary, error) {
	r := p.reader(src, opts)
	return p.endBeside(ctx, r.readBelow(ctx, parents))
}

// ReadObjects reads single objects of a type without a parent, because they are said to have
// changed, as ReadBelow does. It returns whether a pass is needed to tell more: the list does not
// have one that was there, which alone proves nothing; what came or went in one may be part of a
// release; or the source cannot list one object, or failed to.
func (p *Pass) ReadObjects(ctx context.Context, src Source, opts ReadOptions, ids ...string) (sum Summary, needsPass bool, err error) {
	r := p.reader(src, opts)
	for _, id := range ids {
		isTold, err := r.object(ctx, id)
		needsPass = needsPass || !isTold
		if err != nil {
			sum, err = p.endBeside(ctx, err)
			return sum, true, err
		}
	}
	sum, err = p.endBeside(ctx, nil)
	return sum, needsPass || len(p.held) > 0 || p.reason != "", err
}

func (p *Pass) reader(src Source, opts ReadOptions) *reader {
	if opts.Requests == nil {
		opts.Requests = func() int64 { return 0 }
	}
	p.clean = opts.Clean
	return &reader{p: p, src: src, opts: opts, began: time.Now(), coverage: opts.Coverage}
}

// endBeside ends a reading that is no pass: what was found is committed, without a record of a pass.
// Objects that are held back, because a field came or went in them, are dropped; their heads are as
// before, so the next pass finds the same and can tell a release from an edit.
func (p *Pass) endBeside(ctx context.Context, err error) (Summary, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil {
		p.over = p.flush(ctx)
	}
	err = errors.Join(err, p.over)
	p.over = fmt.Errorf("history: pass over %s has ended", p.typeName)
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	if p.h.passes[p.typeName] == p {
		delete(p.h.passes, p.typeName)
	}
	return p.sum, err
}

func (r *reader) readBelow(ctx context.Context, parents []string) error {
	if err := r.loadParents(ctx); err != nil {
		return err
	}
	for _, head := range r.below.live {
		if !slices.Contains(parents, head.ID) {
			continue
		}
		if _, err := r.oneParent(ctx, head); err != nil {
			return err
		}
	}
	return nil
}

// object observes one object. It returns whether that tells all that a pass would tell of it.
func (r *reader) object(ctx context.Context, id string) (isTold bool, err error) {
	item, found, err := r.src.ListOne(ctx, id)
	unclear := new(UnclearError)
	switch {
	case errors.Is(err, ErrNoGet), errors.As(err, &unclear):
		return false, nil
	case err != nil:
		return false, err
	case found && !item.Deleted:
		return true, r.observe(ctx, "", item)
	}
	// It is not in the list. If it was not on record either, there is nothing more to tell.
	_, isLive := r.p.Marker(id)
	return !isLive, nil
}
