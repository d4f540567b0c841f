package history

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
)

// A release reaches all objects of a type at once. But where a marker tells that an object was not
// edited, its body is not read again, and only the few whose turn in the rotation it is show what the
// platform did: in a type of 60 objects one in each pass, too few to tell a release from an edit.
//
// So when a field came or went in an object that nothing says was edited, the same pass reads more of
// those that it has skipped, until it has compared enough to decide. That costs ten requests or so,
// once for a release, because what was recognised is remembered; and once for an edit of that kind.
//
// Where these cannot be read, the object waits; see wait.go.

// sampleSize is how many objects a pass keeps at hand to be read, and below how many parents.
const sampleSize = 20

// spare keeps an item that need not be read at hand: in the end, a random few of them all, so that a
// few that cannot be read are not in the way of every pass.
func (r *reader) spare(item Item) {
	r.spares++
	at := rand.IntN(r.spares)
	if at >= sampleSize {
		return
	}
	item.Body = bytes.Clone(item.Body) // which else holds its page
	if len(r.spared) < sampleSize {
		r.spared = append(r.spared, item)
	} else {
		r.spared[at] = item
	}
}

// sample reads what was skipped while that may tell a release from an edit.
func (r *reader) sample(ctx context.Context) error {
	for _, item := range r.spared {
		if more, err := r.p.wantsSample(ctx); !more || err != nil {
			return err
		}
		if !r.p.takeTurn(item.ID) {
			continue
		}
		before := r.p.compared
		if err := r.observe(ctx, item.Parent, item); err != nil {
			return err
		}
		r.p.unsampled = r.p.unsampled || r.p.compared == before
	}
	if r.below == nil {
		return nil
	}
	if more, err := r.p.wantsSample(ctx); !more || err != nil {
		return err
	}
	return r.sampleParents(ctx)
}

// sampleParents does so for what is below parents that were skipped and have something below them.
func (r *reader) sampleParents(ctx context.Context) error {
	has := map[string]bool{}
	for head, err := range r.p.notSeen(ctx) {
		if err != nil {
			return err
		}
		has[head.Parent] = true
	}
	some := slices.DeleteFunc(slices.Clone(r.below.live), func(h Head) bool { return r.below.state[h.ID] != skipped || !has[h.ID] })
	rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	for _, head := range some[:min(sampleSize, len(some))] {
		if more, err := r.p.wantsSample(ctx); !more || err != nil {
			return err
		}
		if err := r.sampleParent(ctx, head); err != nil {
			return err
		}
	}
	return nil
}

// sampleParent reads below one parent as if it were its turn. If that fails, nothing else spoke for
// reading it: it counts as skipped, and is not asked less often for it.
func (r *reader) sampleParent(ctx context.Context, head Head) error {
	b, p := r.below, r.p
	reason, unread := p.reason, p.unread
	delete(b.state, head.ID)
	if b.due == nil {
		b.due = map[string]bool{}
	}
	b.due[head.ID] = true
	if _, err := r.oneParent(ctx, head); err != nil || b.state[head.ID] == proven {
		return err
	}
	p.unsampled, p.reason, p.unread, b.state[head.ID] = true, reason, unread, skipped
	delete(b.after, head.ID)
	delete(b.due, head.ID)
	delete(p.scopes, head.ID)
	return nil
}

// wantsSample reports whether a field came or went in an object that nothing says was edited, while
// too few others were compared to tell why. It commits the queue, because only a commit finds that
// out.
func (p *Pass) wantsSample(ctx context.Context) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil || p.decided || p.live < releaseObjects || !p.tooFew() {
		return false, p.over
	}
	if err := p.flush(ctx); err != nil {
		return false, err
	}
	return p.tooFew() && p.heldBy(func(o *pending) bool { return !o.edited }) > 0, nil
}

// tooFew reports whether too few objects were compared that nothing says were edited.
func (p *Pass) tooFew() bool { return p.unsuspected() < releaseObjects }

// unedited is how many of the objects that were compared were not edited, as a witness says, and
// unsuspected how many of these are no suspects.
func (p *Pass) unedited() int {
	return p.compared - p.heldBy(func(o *pending) bool { return o.edited })
}

func (p *Pass) unsuspected() int {
	return p.compared - p.suspects - p.heldBy(func(o *pending) bool { return o.edited && !o.suspect })
}

// heldBy counts what is held back.
func (p *Pass) heldBy(is func(*pending) bool) (n int) {
	for _, o := range p.held {
		if is(o) {
			n++
		}
	}
	return n
}

// takeTurn makes it the turn of an object to be read, as if the pass had not met it. Keep has counted
// it as seen; without that being taken back it would count as seen twice, and its span would begin
// with the last pass and not with the last time it was read. It returns false for an object that the
// pass has compared already, because the list had it twice.
func (p *Pass) takeTurn(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.seen[id]
	if ok && s.compared {
		return false
	}
	if ok && s.seen {
		s.seen = false
		p.sum.Objects--
	}
	if p.due == nil {
		p.due = map[string]bool{}
	}
	p.due[id] = true
	return true
}
