package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ReadBelow reads what is listed below some parents, because it is said to have changed, and records
// what is new or has changed there. It is no pass over the type: it proves no absence, and the newest
// pass stays what it was. What may be part of a release of the platform is left to the next pass, which
// sees more objects. A parent that is not known is left out.
func (p *Pass) ReadBelow(ctx context.Context, src Source, opts ReadOptions, parents ...string) (Summary, error) {
	if opts.Requests == nil {
		opts.Requests = func() int64 { return 0 }
	}
	p.clean = opts.Clean
	r := &reader{p: p, src: src, opts: opts, began: time.Now(), coverage: opts.Coverage}
	err := r.readBelow(ctx, parents)
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
