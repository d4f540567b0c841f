package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/cxsync/cxsync/history/diff"
)

// Whether an object is what it was. Its bytes tell, or else its canonical form; what differs is
// compared field by field when it is recorded (record.go). Two short cuts spare that: a marker that
// did not move (reread.go), and bytes that are those that are stored (recognize.go).

// Observe compares an object with what is known and records what changed. An
// error that matches ErrBody is about this body only: the walk is then not
// complete, and the pass goes on. Any other error ends the pass.
//
// The same object may be observed again. If its content is another by then, the
// walk did not see one state of the org and is not complete.
func (p *Pass) Observe(ctx context.Context, o Object) error {
	return p.observeOwn(ctx, o, o.Marker)
}

// observeOwn is Observe for a body that says that its marker is own, whatever the list says.
func (p *Pass) observeOwn(ctx context.Context, o Object, own string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil {
		return p.over
	}
	if err := p.observe(ctx, o, own); err != nil {
		if errors.Is(err, ErrBody) {
			p.addReason(o.Parent, err.Error())
		}
		return err
	}
	return p.commitIfDue(ctx)
}

// observe compares an object with its sighting, and so with its head, by digests alone: no body is
// read for an object that did not change. It goes from the cheap to the dear: equal bytes, equal
// canonical form, then the queue, where the stored body is read and the fields are compared
// (record.go). Labels and markers that changed alone only rewrite the head.
func (p *Pass) observe(ctx context.Context, o Object, own string) error {
	if err := p.check(&o); err != nil {
		return err
	}
	s, known := p.seen[o.ID]
	if !known {
		s = &sighting{}
	}
	raw := diff.RawDigest(p.h.secret, o.Body)
	canonical := s.canonical
	if raw != s.raw || s.stale || !known {
		var err error
		if canonical, err = p.rules.comparer.Digest(p.h.secret, o.Body); err != nil {
			return fmt.Errorf("history: %s %q: %w: %w", p.typeName, o.ID, ErrBody, err)
		}
	}
	if old, err := p.keepIfOld(ctx, o, own, canonical, s); old || err != nil {
		return err
	}
	same := known && s.live && !s.stale && canonical == s.canonical
	if !same {
		if err := p.checkBody(&o); err != nil {
			return err
		}
	}
	if s.seen && !same {
		p.addReason(o.Parent, o.ID+" was seen twice with different content")
	}
	if known && s.live && !s.seen {
		p.noteCompared(s, p.doubts[o.ID].Late || p.moved(o.Parent))
	}
	labels := p.hashLabels(o.Name, o.Parent)
	again, after := p.judgeMarker(o, own, s, known, same)
	_, waits := p.waits[o.ID]
	relabeled := known && (waits || s.marker != o.Marker || s.labels != labels || !again.equal(p.doubts[o.ID]))
	if !s.seen && same && raw != s.raw {
		p.sum.Ignored++
	}
	if !same || relabeled {
		next := &pending{Object: o, raw: raw, canonical: canonical, again: again, after: after, isFirst: p.isImport(o.Parent)}
		if err := p.enqueue(ctx, next); err != nil {
			return err
		}
	}
	if !same && !waits {
		p.changed++
	}
	if again != (reread{}) {
		p.doubts[o.ID] = again
	} else {
		delete(p.doubts, o.ID)
	}
	delete(p.due, o.ID)
	delete(p.waits, o.ID)
	s.canonical, s.labels, s.marker = canonical, labels, o.Marker
	s.raw, s.size, s.stale, s.live = raw, 0, false, true
	p.seen[o.ID] = s
	p.see(o.ID, s)
	return nil
}

// noteCompared notes that the body of a live object was compared, and whether markers say that it may
// have been edited.
func (p *Pass) noteCompared(s *sighting, isSuspect bool) {
	s.compared = true
	p.compared++
	if isSuspect {
		p.suspects++
	}
}
