package history

import (
	"bytes"
	"context"
	"slices"
	"time"
)

// A release reaches all objects of a type at once. But where a marker tells that an object was not
// edited, its body is not read again, and only the few whose turn in the rotation it is show what the
// platform did: in a type of 60 objects one in each pass, too few to tell a release from an edit.
//
// So when a field came or went in an object that nothing says was edited, the same pass reads more of
// those that it has skipped, until it has compared enough to decide. That costs ten requests or so,
// once for a release, because what was recognised is remembered; and once for an edit of that kind.
//
// Where these cannot be read, or the list ends early, the pass cannot know. It leaves such an object as
// it was, in doubt, and the next pass decides, or one after it, because an outage may take many. In the end
// it is decided by what there is: reads that always fail must not keep an edit from being recorded.

// sampleSize is how many objects a pass keeps at hand to be read, and below how many parents.
const sampleSize = 20

// decideAfter is for how long an object may wait for a pass that reads enough. Parents that refuse are
// asked again daily, so those that an outage made refuse have been asked by then.
const decideAfter = 48 * time.Hour

// spare keeps an item that need not be read at hand.
func (r *reader) spare(item Item) {
	if len(r.spared) < sampleSize {
		item.Body = bytes.Clone(item.Body) // which else holds its page
		r.spared = append(r.spared, item)
	}
}

// sample reads what was skipped while that may tell a release from an edit.
func (r *reader) sample(ctx context.Context) error {
	for _, item := range r.spared {
		if more, err := r.p.wantsSample(ctx); !more || err != nil {
			return err
		}
		r.p.takeTurn(item.ID)
		before := r.p.compared
		if err := r.observe(ctx, item.Parent, item); err != nil {
			return err
		}
		r.p.unsampled = r.p.unsampled || r.p.compared == before
	}
	if r.below == nil {
		return nil
	}
	asked := 0
	for _, head := range r.below.live {
		if r.below.state[head.ID] != skipped {
			continue
		}
		if more, err := r.p.wantsSample(ctx); !more || err != nil || asked == sampleSize {
			return err
		}
		asked++
		delete(r.below.state, head.ID)
		if r.below.due == nil {
			r.below.due = map[string]bool{}
		}
		r.below.due[head.ID] = true
		unclear, err := r.oneParent(ctx, head)
		if err != nil {
			return err
		}
		r.p.unsampled = r.p.unsampled || unclear != nil
	}
	return nil
}

// postpone leaves to the next pass what this one has read too little to decide about.
func (p *Pass) postpone(ctx context.Context) error {
	isAll := p.reason == "" && !p.unsampled // another pass would not read more
	if isAll || !p.tooFew() || p.live-p.editedHeld() < releaseObjects {
		return nil
	}
	for _, o := range slices.Clone(p.held) {
		since := o.waits
		if since.IsZero() {
			since = p.sum.Started
		}
		if o.edited || p.sum.Started.Sub(since).Abs() >= decideAfter {
			continue
		}
		again := reread{Left: rereads, After: o.after, Since: since}
		if err := p.enqueue(ctx, &pending{Object: Object{ID: o.ID}, unread: true, again: again}); err != nil {
			return err
		}
		p.postponed = append(p.postponed, o.Parent)
	}
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
	return len(p.held) > p.editedHeld() && p.tooFew(), nil
}

// tooFew reports whether too few objects that were not edited were compared to tell a release.
func (p *Pass) tooFew() bool { return p.compared-p.editedHeld() < releaseObjects }

// editedHeld is how many of the objects that are held back were edited, as a witness says.
func (p *Pass) editedHeld() (n int) {
	for _, o := range p.held {
		if o.edited {
			n++
		}
	}
	return n
}

// takeTurn makes it the turn of an object to be read, as if the pass had not met it. Keep has counted
// it as seen; without that being taken back it would count as seen twice, and its span would begin
// with the last pass and not with the last time it was read.
func (p *Pass) takeTurn(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.seen[id]; ok && s.seen {
		s.seen = false
		p.sum.Objects--
	}
	if p.due == nil {
		p.due = map[string]bool{}
	}
	p.due[id] = true
}
