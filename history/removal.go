package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// An object that a list does not have is not deleted for that. The list may be cut, the client may
// see less than before, an outage may make a list short without an error. A false deletion is the worst
// error of this package, because consumers act on it. So between "not seen" and
// "deleted" there are three filters, each with a file:
//
//   - Settle (here): only a complete walk counts, with the coverage of the one before; a sudden drop
//     waits for a second walk.
//   - confirm.go: an absence is proven by asking for the object, or by a second complete walk.
//   - missing.go: what is neither proven nor seen is withheld, and shown as such until it is either, or
//     a person decides.

// A Walk is what the caller knows about how the objects of a type were listed.
type Walk struct {
	// Complete says that every page arrived, decoded and agreed with the others.
	Complete bool
	// Reason says why it is not complete.
	Reason string
	// Coverage is what the walk could see, such as the divisions and
	// permissions of its client, in any form. If it is not that of the last
	// complete walk, absences mean nothing until a second walk with the same
	// Coverage agrees; see Pass.Widened.
	Coverage string
	// Since is when the oldest of what the walk relied on was read, if that was
	// before the pass began: the list of parents, say. Defaults to the start of
	// the pass.
	Since time.Time
}

// An Absence is a live object that a complete walk did not list. The caller
// finds out and calls Remove, or Observe or Keep if the object is still there.
// If it does neither, the object stays missing.
type Absence struct {
	Head
	Missed    int  // complete walks before this one that missed it
	Confirmed bool // there was one: proof enough where there is no way to ask for the object
}

// A sudden drop: more than this of a type is absent without an earlier walk
// that missed it.
const (
	dropShare = 0.2
	dropCount = 5
)

// Settle ends the walk. It returns the absences that the caller should confirm
// before End. Others are withheld, and so are all of them after a walk that was
// not complete, that could not see what the one before did, or after a sudden
// drop: more than 20 % and more than 5 of the type's objects, beside those that
// Remove explains. What is withheld is returned when a second complete walk
// misses it.
func (p *Pass) Settle(ctx context.Context, w Walk) ([]Absence, error) { return p.settle(ctx, w, nil) }

// settle is Settle for a walk that proves the absence of those ids alone; nil stands for every missing
// one if the walk is complete, and for none otherwise. A type that is listed below parents has such a list even if
// the walk is not complete: what is absent below the parents that were read.
func (p *Pass) settle(ctx context.Context, w Walk, provable []string) ([]Absence, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil && p.settled {
		return nil, fmt.Errorf("history: pass over %s is settled already", p.typeName)
	}
	if p.over == nil {
		p.over = p.flush(ctx)
	}
	if !w.Complete {
		p.addReason("", cmp.Or(w.Reason, "the walk was not complete"))
	}
	if p.unread > 0 {
		p.reason = cmp.Or(p.reason, fmt.Sprintf("%d listed objects could not be read", p.unread))
	}
	if len(p.held) > 0 && provable == nil && p.reason == "" {
		p.short = !p.coverageMoved(w.Coverage) && p.isDrop(p.missingIDs())
	}
	if p.over == nil {
		p.over = p.decide(ctx)
	}
	p.decided = true
	if p.over != nil {
		return nil, p.over
	}
	p.settled = true
	if more := len(p.scopes) - 1; more > 0 {
		p.reason = fmt.Sprintf("%s (and %d more of its parents)", p.reason, more)
	}
	asOf := p.sum.Started
	if !w.Since.IsZero() && w.Since.Before(asOf) {
		asOf = w.Since
	}
	switch {
	case p.reason == "":
		p.sum.Complete, p.sum.AsOf = true, asOf
	case !p.scoped:
		p.sum.Reason = p.reason
		return nil, nil
	}
	// The coverage is remembered even if it moved and the absences are withheld for that: a next walk
	// with the same coverage is then the second one that agrees. A walk that proves nothing, which
	// has returned above, leaves the earlier coverage to compare with.
	moved := p.coverageMoved(w.Coverage)
	p.last.Coverage = p.coverageOf(w.Coverage)
	if provable == nil {
		provable = p.missingIDs()
	}
	absences, err := p.judgeAbsences(ctx, provable, moved)
	p.sum.Reason = cmp.Or(p.reason, p.sum.Reason)
	return absences, err
}

// coverageOf returns the digest of a coverage's name, for the record of a pass: long names need not be
// kept.
func (p *Pass) coverageOf(name string) string {
	return diff.RawDigest(p.h.secret, []byte(name)).String()
}

// coverageMoved reports whether the walk could see something else than the last one that could prove
// absences.
func (p *Pass) coverageMoved(name string) bool {
	return p.last.Coverage != "" && !p.widened && p.coverageOf(name) != p.last.Coverage
}

// missingIDs returns the ids of the live objects that were not seen.
func (p *Pass) missingIDs() []string {
	var ids []string
	for id, s := range p.seen {
		if s.live && !s.seen {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// judgeAbsences notes the absences of a complete walk and returns those to confirm. Every one is
// noted in p.missed, from where End stores it; the judgement only decides which are returned:
//
//   - none if the coverage moved, because objects may only be out of sight, or if the org may no longer
//     offer the type (offered.go),
//   - after a sudden drop only those that an earlier complete walk missed too,
//   - otherwise all.
//
// The drop is measured by those that are absent for the first time. Objects that this pass has
// recorded as deleted, because their parent is for instance, count neither as absent nor as live.
func (p *Pass) judgeAbsences(ctx context.Context, ids []string, moved bool) ([]Absence, error) {
	fresh, live := p.fresh(ids), p.live-p.sum.Deleted
	dropped := p.isDrop(ids)
	switch {
	case len(ids) > 0 && p.unoffered:
		p.withhold(ctx, "no parent that was asked has one any more; the org may no longer offer the type", len(ids))
	case len(ids) > 0 && moved:
		p.withhold(ctx, "the walk could not see what the one before did", len(ids))
	case dropped:
		p.withhold(ctx, fmt.Sprintf("%d of %d objects are absent at once", fresh, live), len(ids))
	}
	var out []Absence
	for _, id := range ids {
		hd, found, err := p.h.head(ctx, p.typeName, id)
		if err != nil {
			p.over = err
			return nil, err
		}
		m, err := p.miss(ctx, id, p.spans(hd.Parent, true), moved || p.widened || p.unoffered || p.last.Unoffered)
		if err != nil {
			p.over = err
			return nil, err
		}
		p.missed[id] = m
		if found && hd.live() && !moved && !p.unoffered && (!dropped || m.Walks > 1) {
			out = append(out, Absence{Head: hd.export(p.typeName, id), Missed: m.Walks - 1, Confirmed: m.Walks > 1})
		}
	}
	return out, nil
}

// fresh counts the ids of objects that no complete walk before has missed.
func (p *Pass) fresh(ids []string) (n int) {
	for _, id := range ids {
		if !p.seen[id].missing {
			n++
		}
	}
	return n
}

// isDrop reports whether the absence of some objects is a sudden drop.
func (p *Pass) isDrop(ids []string) bool {
	fresh := p.fresh(ids)
	return fresh > dropCount && float64(fresh) > dropShare*float64(p.live-p.sum.Deleted)
}

// withhold notes and logs why so many absent objects are not recorded as deleted.
func (p *Pass) withhold(ctx context.Context, why string, missing int) {
	p.sum.Reason = "removals withheld: " + why
	p.h.opts.Logger.WarnContext(ctx, "removals withheld", "environment_id", p.h.environment, "type", p.typeName,
		"reason", p.sum.Reason, "missing", missing)
}

// unproven marks an Absence of a walk that was not complete.
const unproven = -1

// anySeen returns the first live object that the pass has seen, "" if there is none.
func (p *Pass) anySeen() (first string) {
	for id, s := range p.seen {
		if s.live && s.seen && (first == "" || id < first) {
			first = id
		}
	}
	return first
}

// absencesOf returns absences that no walk proves.
func (p *Pass) absencesOf(ctx context.Context, ids []string) ([]Absence, error) {
	var out []Absence
	for _, id := range ids {
		hd, found, err := p.h.head(ctx, p.typeName, id)
		if err != nil {
			return nil, err
		}
		if found && hd.live() {
			out = append(out, Absence{Head: hd.export(p.typeName, id), Missed: unproven})
		}
	}
	return out, nil
}

// miss returns the missing record of an object after this walk. If the walk saw
// something else than the one before, it counts as the first. Since and After stay those of the first
// walk that missed the object, because it may be gone since then.
func (p *Pass) miss(ctx context.Context, id string, after time.Time, first bool) (missing, error) {
	m := missing{Since: p.sum.Started, After: after}
	if p.seen[id].missing {
		var err error
		if m, _, err = p.h.missingRecord(ctx, p.typeName, id); err != nil {
			return missing{}, err
		}
	}
	if first {
		m.Walks = 0
	}
	m.Walks++
	m.Reason = cmp.Or(p.sum.Reason, "absent, and not confirmed to be gone")
	return m, nil
}
