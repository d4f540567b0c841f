package history

import (
	"context"
	"fmt"
	"iter"

	"github.com/cxsync/cxsync/history/diff"
)

// A sighting is what a pass knows about one object. There is one for each live
// object of the type, so it is small.
type sighting struct {
	raw, canonical diff.Digest // of what was seen last
	labels         uint64      // hash of name and parent
	size           uint32      // of the stored body; 0 if the labels are not of its bytes, or something else was seen
	marker         string
	stale          bool // head is of other rules
	live           bool
	seen           bool // by this pass
	compared       bool // by this pass
	missing        bool // a complete walk before missed it
	returned       bool // and this pass knows what it is like
}

// sighting returns that of a live object; ErrNotFound for any other one.
func (p *Pass) sighting(id string) (*sighting, error) {
	s, ok := p.seen[id]
	switch {
	case p.over != nil:
		return nil, p.over
	case !ok || !s.live:
		return nil, fmt.Errorf("history: %s %q: %w", p.typeName, id, ErrNotFound)
	}
	return s, nil
}

// count notes that an object was listed.
func (p *Pass) count(s *sighting) {
	if !s.seen {
		s.seen = true
		p.sum.Objects++
	}
}

// see notes that an object was listed, and that it is known what it is like. If it was missing, the
// next commit takes that back.
func (p *Pass) see(id string, s *sighting) {
	p.count(s)
	if s.missing && !s.returned {
		s.returned = true
		p.returned = append(p.returned, id)
	}
}

// notSeen iterates over the live objects that this pass has not seen so far, in
// the order of their ids.
func (p *Pass) notSeen(ctx context.Context) iter.Seq2[Head, error] {
	return func(yield func(Head, error) bool) {
		p.mu.Lock()
		none := len(p.missingIDs()) == 0
		p.mu.Unlock()
		if none {
			return
		}
		for hd, err := range p.h.heads(ctx, p.typeName) {
			if err != nil {
				yield(Head{}, err)
				return
			}
			if p.isUnseen(hd.id) && !yield(hd.export(p.typeName, hd.id), nil) {
				return
			}
		}
	}
}

func (p *Pass) isUnseen(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.seen[id]
	return ok && s.live && !s.seen
}
