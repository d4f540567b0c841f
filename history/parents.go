package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Some types have no list of their own: the members of a queue are listed below each queue. A pass
// over them makes one walk below each parent that is on record. Each of these walks has its own
// result (parentState), because an answer below one parent says nothing about another one; what is
// absent below a parent is proven only by that parent's own list, or by the parent's deletion.
//
// Reading below thousands of parents in every pass would take most of a quota. Where the marker of
// a parent moves with what is below it, a parent whose marker did not move is skipped, and what is
// below it is as it was. What holds for markers of objects holds here too: doubt, and a slow
// rotation; see reread.go. What a pass learnt about each parent is kept in a parentRecord.
//
// Two things must not go wrong. A type that the org refuses altogether must not cost a request for
// each parent in every pass: when the first 20 refuse and none answers, the pass ends. And nobody may
// be recorded as deleted because of a parent that was not read.

// parents is what a pass knows of the objects that its type is listed under.
type parents struct {
	before  map[string]parentRecord // as it was when the pass began
	after   map[string]parentRecord // of those about whom something was learnt
	live    []Head                  // in the order of their ids
	deleted map[string]bool         // recorded as deleted
	state   map[string]parentState
	due     map[string]bool // whose turn in the rotation it is
	open    map[string]bool // below whom something is missing

	sent, read int64  // requests for lists that were read whole, and those lists
	nonEmpty   int    // how many of these lists had an object
	kept       []Head // objects below parents that were skipped
}

// A parentState is what a pass learnt about what is below a parent.
type parentState uint8

const (
	unasked parentState = iota // not asked, so that it proves nothing
	refused                    // its list was refused
	cut                        // its list was not whole
	proven                     // its list was read whole
	skipped                    // its marker did not move, so it is as it was
)

// marked is how many live parents have a marker.
func (b *parents) marked() int {
	n := 0
	for _, head := range b.live {
		if head.Marker != "" {
			n++
		}
	}
	return n
}

// cost returns how many requests reading below one parent takes, one at least.
func (b *parents) cost() float64 {
	if b.read == 0 {
		return 1
	}
	return max(1, float64(b.sent)/float64(b.read))
}

// parents lists what is below every parent that is on record and has to be read. The error is a
// *RefusedError if the first 20 refuse, for whatever reason, or if all of fewer do and that will last,
// and an *UnclearError if it may not last. If all of fewer say that they do not exist, their own pass
// will record it, and that is no error.
func (r *reader) parents(ctx context.Context) error {
	if err := r.loadParents(ctx); err != nil {
		return err
	}
	b := r.below
	answered, refusals := 0, 0
	var last *UnclearError
	allGone, allLast := true, true
	order := b.order(r.opts.From)
	for i, head := range order {
		known := b.before[head.ID]
		switch {
		case b.state[head.ID] == skipped:
			answered++
			continue
		case b.state[head.ID] == cut: // missed by its own pass
			r.p.addReason(head.ID, fmt.Sprintf("%s %s was missed by its own pass", head.Type, head.ID))
			continue
		case !r.opts.AskAll && known.rests(head, r.p.sum.Started):
			b.state[head.ID] = refused
			r.p.addReason(head.ID, fmt.Sprintf("%s %s refuses, and is asked again daily", head.Type, head.ID))
			continue
		}
		unclear, err := r.oneParent(ctx, head)
		if err != nil {
			return err
		}
		if b.state[head.ID] != refused {
			answered++
			continue
		}
		refusals++
		last, allGone, allLast = unclear, allGone && unclear.Gone, allLast && (unclear.Lasting || unclear.Gone)
		if answered == 0 && refusals == refuseAll {
			return &RefusedError{Err: unclear.Err, Next: order[(i+1)%len(order)].ID}
		}
	}
	switch {
	case answered > 0 || refusals == 0 || allGone:
		return nil
	case allLast:
		return &RefusedError{Err: last.Err}
	}
	return last.Err
}

// order returns the parents in the order in which they are asked: from one on, but first
// those that have answered before, so that what others refuse does not hide them. From is where the
// last pass gave up after the first 20 had refused, so each pass tries other ones, and a parent that
// answers is found in the end.
func (b *parents) order(from string) []Head {
	start, _ := slices.BinarySearchFunc(b.live, from, func(h Head, id string) int { return cmp.Compare(h.ID, id) })
	order := make([]Head, 0, len(b.live))
	var refused []Head
	for _, head := range slices.Concat(b.live[start:], b.live[:start]) {
		if known, ok := b.before[head.ID]; ok && known.Refusals == 0 {
			order = append(order, head)
		} else {
			refused = append(refused, head)
		}
	}
	return append(order, refused...)
}

// oneParent reads what is below one parent and notes what that proves.
func (r *reader) oneParent(ctx context.Context, head Head) (*UnclearError, error) {
	b := r.below
	known := b.before[head.ID]
	before, changes := r.opts.Requests(), r.p.changed
	n, err := r.list(ctx, &head)
	sent := r.opts.Requests() - before
	unclear := new(UnclearError)
	if err != nil && !errors.As(err, &unclear) {
		return nil, err
	}
	r.accountParent(head, sent)
	switch {
	case err != nil && n == 0:
		b.state[head.ID] = refused
		now := known
		now.Asked, now.Lasting = r.p.sum.Started, unclear.Lasting
		now.Refusals++
		b.after[head.ID] = now
		return unclear, nil
	case r.p.scopes[head.ID]:
		b.state[head.ID] = cut
		return nil, nil
	}
	b.state[head.ID] = proven
	b.sent, b.read = b.sent+sent, b.read+1
	if n > 0 {
		b.nonEmpty++
	}
	var now parentRecord
	if r.opts.ParentMarked {
		now.Marker = head.Marker
	}
	if _, isKnown := b.before[head.ID]; isKnown && now.Marker != "" {
		f := finding{moved: known.Marker != now.Marker, unchanged: r.p.changed == changes}
		now.reread = known.next(f, r.span(head.ID, true), r.p.sum.Started)
	}
	b.after[head.ID] = now
	return nil, nil
}

// accountParent notes what reading a parent has cost, if it is not what it takes at every pass.
func (r *reader) accountParent(head Head, sent int64) {
	switch {
	case !r.opts.ParentMarked || head.Marker == "":
	case r.below.due[head.ID]:
		r.rotated += sent
	default:
		r.once += sent
	}
}

// loadParents reads what is on record of the parents, and decides which of them
// need not be read.
func (r *reader) loadParents(ctx context.Context) error {
	h, p := r.p.h, r.p
	b := &parents{
		before: map[string]parentRecord{}, after: map[string]parentRecord{},
		deleted: map[string]bool{}, state: map[string]parentState{}, open: map[string]bool{},
	}
	r.below, p.scoped, p.spans, p.moved = b, true, r.span, r.moved
	last, err := h.passRecord(ctx, r.opts.Parent)
	if err != nil {
		return err
	}
	if last.Number == 0 {
		return fmt.Errorf("history: %s is listed under %s, which was never read", p.typeName, r.opts.Parent)
	}
	// What is below the parents was so at p.walked, and changes that a later pass finds there count
	// from then. That is the start of this pass, unless markers decide who is read: they are those
	// that the pass over the parents saw, so what moved since the start of that one is not noticed.
	r.since, p.walked = last.AsOf, p.sum.Started
	switch {
	case !last.Complete:
		p.reason = r.opts.Parent + " was not read whole"
		if r.opts.ParentMarked { // a marker that did not move may be an old one
			p.walked = p.last.Walked
		}
	case r.opts.ParentMarked && last.AsOf.Before(p.walked):
		p.walked = last.AsOf
	}
	maps.Insert(b.before, h.parentRecords(ctx, p.typeName, &err))
	if err != nil {
		return err
	}
	for hd, err := range h.heads(ctx, r.opts.Parent) {
		if err != nil {
			return err
		}
		if hd.live() {
			b.live = append(b.live, hd.export(r.opts.Parent, hd.id))
		} else {
			b.deleted[hd.id] = true
		}
	}
	slices.SortFunc(b.live, func(x, y Head) int { return cmp.Compare(x.ID, y.ID) })
	// A parent that its own pass missed may be gone, and is not asked: neither its list nor the lack of
	// one would prove anything about what is below it.
	for m, err := range h.missing(ctx, r.opts.Parent) {
		if err != nil {
			return err
		}
		b.state[m.id] = cut
	}
	r.skip()
	return nil
}

// skip marks the parents that need not be read, but for those whose turn in the rotation it is.
func (r *reader) skip() {
	b, p := r.below, r.p
	if !r.opts.ParentMarked {
		return
	}
	waiting := map[string]bool{}
	for _, parent := range p.waits {
		waiting[parent] = true
	}
	var same []string
	for _, head := range b.live {
		known, ok := b.before[head.ID]
		isSure := ok && !known.Unproven && known.Left == 0 && known.Marker != "" && known.Marker == head.Marker
		if isSure && b.state[head.ID] != cut && !waiting[head.ID] {
			same = append(same, head.ID)
			b.state[head.ID] = skipped
		}
	}
	b.due = p.turnTo(same)
	for id := range b.due {
		delete(b.state, id)
	}
}

// moved reports whether the marker of a parent says that something below it was edited. What is below
// one in doubt may be what its last move was for.
func (r *reader) moved(parent string) bool {
	b := r.below
	known := b.before[parent]
	if !r.opts.ParentMarked || known.Marker == "" {
		return false
	}
	at, found := slices.BinarySearchFunc(b.live, parent, func(h Head, id string) int { return cmp.Compare(h.ID, id) })
	return found && (known.Marker != b.live[at].Marker || known.Left > 0)
}

// span returns when what is below a parent was last known, of an object that is known or of one that
// is new; zero if nobody knows. It is what a change below the parent counts from: the last pass that
// would have shown it, which for a parent that was skipped, refused or in doubt lies further back.
func (r *reader) span(parent string, isKnown bool) time.Time {
	known, ok := r.below.before[parent]
	switch {
	case !ok && isKnown:
		return time.Time{}
	case !ok:
		return r.p.last.Completed // all parents that were there then had been read
	case known.Unproven || known.Left > 0:
		return known.After
	case r.below.due[parent]:
		return r.p.last.Cycle.After
	}
	return r.p.last.Walked
}

// missingBelow handles the objects whose parent's state decides: what is below one whose marker
// did not move is unchanged, and below a deleted one it is gone. Of what is left it
// returns whose absence is proven, and whose may be asked for.
func (r *reader) missingBelow(ctx context.Context) (provable, asked []string, err error) {
	b := r.below
	var deleted, kept []Head
	provable = []string{}
	live := make(map[string]bool, len(b.live))
	for _, head := range b.live {
		live[head.ID] = true
	}
	for head, err := range r.p.notSeen(ctx) {
		if err != nil {
			return nil, nil, err
		}
		switch state := b.state[head.Parent]; {
		case b.deleted[head.Parent]:
			deleted = append(deleted, head)
		case !live[head.Parent]:
			r.p.addReason(head.Parent, fmt.Sprintf("%s %s is not on record", r.opts.Parent, head.Parent))
		case state == skipped:
			kept = append(kept, head)
		case state == proven:
			provable = append(provable, head.ID)
		case state == cut:
			asked = append(asked, head.ID)
		}
	}
	b.kept = kept
	for _, head := range kept {
		if err := r.p.Keep(head.ID); err != nil {
			return nil, nil, err
		}
	}
	for _, head := range deleted {
		if err := r.p.remove(ctx, head.ID, head.Parent); err != nil {
			return nil, nil, err
		}
	}
	return provable, asked, nil
}

// findOpen notes the parents that have a child which is missing. They do not count as read: the next
// pass reads them again, whatever their marker says.
func (r *reader) findOpen(ctx context.Context) error {
	if r.below == nil {
		return nil
	}
	for head, err := range r.p.notSeen(ctx) {
		if err != nil {
			return err
		}
		r.below.open[head.Parent] = true
	}
	return nil
}
