package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

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
	Confirmed bool // Missed is not 0: gone, where there is no way to ask for it
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
// Remove explains. What is withheld is confirmed when a second complete walk
// misses it.
func (p *Pass) Settle(ctx context.Context, w Walk) ([]Absence, error) { return p.settle(ctx, w, nil) }

// settle is Settle for a walk that proves the absence of those ids alone; nil
// stands for all if the walk is complete, and else for none.
func (p *Pass) settle(ctx context.Context, w Walk, provable []string) ([]Absence, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil && p.settled {
		return nil, fmt.Errorf("history: pass over %s is settled already", p.typeName)
	}
	if p.over == nil {
		p.over = p.flush(ctx)
	}
	if p.over == nil {
		p.over = p.decide(ctx)
	}
	p.decided = true
	if p.over != nil {
		return nil, p.over
	}
	p.settled = true
	if !w.Complete {
		p.doubt("", cmp.Or(w.Reason, "the walk was not complete"))
	}
	if p.unread > 0 {
		p.reason = cmp.Or(p.reason, fmt.Sprintf("%d listed objects could not be read", p.unread))
	}
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
	moved := p.coverageMoved(w.Coverage)
	p.last.Coverage = p.coverageOf(w.Coverage)
	if provable == nil {
		provable = p.missingIDs()
	}
	absences, err := p.judge(ctx, provable, moved)
	p.sum.Reason = cmp.Or(p.reason, p.sum.Reason)
	return absences, err
}

func (p *Pass) coverageOf(name string) string {
	return diff.RawDigest(p.h.secret, []byte(name)).String()
}

// coverageMoved reports whether the walk could see something else than the last one that proved an absence.
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

// judge notes the absences of a complete walk and returns those to confirm.
func (p *Pass) judge(ctx context.Context, ids []string, moved bool) ([]Absence, error) {
	fresh := 0
	for _, id := range ids {
		if !p.seen[id].missing {
			fresh++
		}
	}
	live := p.live - p.sum.Deleted
	dropped := fresh > dropCount && float64(fresh) > dropShare*float64(live)
	switch {
	case len(ids) > 0 && moved:
		p.sum.Reason = "removals withheld: the walk could not see what the one before did"
	case dropped:
		p.sum.Reason = fmt.Sprintf("removals withheld: %d of %d objects are absent at once", fresh, live)
	}
	if p.sum.Reason != "" {
		p.h.opts.Logger.WarnContext(ctx, "removals withheld", "environment_id", p.h.environment, "type", p.typeName,
			"reason", p.sum.Reason, "missing", len(ids))
	}
	var out []Absence
	for _, id := range ids {
		hd, found, err := p.h.head(ctx, p.typeName, id)
		if err != nil {
			p.over = err
			return nil, err
		}
		m, err := p.miss(ctx, id, p.spans(hd.Parent, true), moved || p.widened)
		if err != nil {
			p.over = err
			return nil, err
		}
		p.missed[id] = m
		if found && hd.live() && !moved && (!dropped || m.Walks > 1) {
			out = append(out, Absence{Head: hd.export(p.typeName, id), Missed: m.Walks - 1, Confirmed: m.Walks > 1})
		}
	}
	return out, nil
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
// something else than the one before, it counts as the first.
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

// End commits what is left and records the pass. The absences that were neither
// removed nor seen since Settle are then withheld. Without a Settle the walk
// was not complete.
func (p *Pass) End(ctx context.Context) (Summary, error) {
	return p.EndWith(ctx, func(*storage.Batch, Summary) error { return nil })
}

// EndWith is End with one more part: what add puts into the Batch, under keys of
// the caller's own, is committed together with the record of the pass. It may be
// called more than once.
func (p *Pass) EndWith(ctx context.Context, add func(*storage.Batch, Summary) error) (Summary, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil {
		p.over = p.end(ctx, add)
	}
	if p.over != nil {
		return Summary{}, p.over
	}
	p.over = fmt.Errorf("history: pass over %s has ended", p.typeName)
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	if p.h.passes[p.typeName] == p {
		delete(p.h.passes, p.typeName) // with what it knows of every object
	}
	return p.sum, nil
}

func (p *Pass) end(ctx context.Context, add func(*storage.Batch, Summary) error) error {
	if !p.settled {
		p.doubt("", "the walk was not settled")
		p.sum.Reason = p.reason
	}
	if err := p.decide(ctx); err != nil {
		return err
	}
	p.decided = true
	p.sum.Withheld = len(p.missingIDs())
	missing, err := p.writeMissing(ctx)
	if err != nil {
		return err
	}
	var final Summary
	err = p.flushWith(ctx, func(t *tx, sum Summary) error {
		// What was seen twice may have changed twice.
		sum.Unchanged = max(0, sum.Objects-sum.Imported-sum.Created-sum.Updated-sum.Restored)
		sum.Ended = instant.Later(sum.Started, t.now.At) // not before what it recorded, though the time is known better by now
		final = sum
		r := passRecord{
			Summary: sum, Completed: p.last.Completed, Coverage: p.last.Coverage, First: p.first,
			Walked: p.walked, Cycle: p.cycle, Identity: p.last.Identity, Forgot: p.last.Forgot && !sum.Complete,
		}
		if sum.Complete {
			r.Completed = sum.AsOf
		}
		if r.First.IsZero() {
			r.First = t.now.At
		}
		if err := p.putMissing(ctx, t, missing); err != nil {
			return err
		}
		if err := t.batch.PutJSON(p.h.keys.pass(p.typeName), r); err != nil {
			return err
		}
		return add(&t.batch, sum)
	})
	p.sum = final
	return err
}

// writeMissing stores which objects the walk missed, but for the last of them,
// which it returns.
func (p *Pass) writeMissing(ctx context.Context) (last []string, err error) {
	ids := slices.DeleteFunc(p.missingIDs(), func(id string) bool {
		_, missed := p.missed[id]
		return !missed
	})
	for n := p.h.opts.BatchObjects; len(ids) > n; ids = ids[n:] {
		if err := p.commit(ctx, func(t *tx) error { return p.putMissing(ctx, t, ids[:n]) }); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// putMissing adds to t what is known of absences, but for objects whose removal was accepted or that were forgotten
// since Settle.
func (p *Pass) putMissing(ctx context.Context, t *tx, ids []string) error {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = p.h.keys.head(p.typeName, id)
	}
	heads, err := storage.GetMany(ctx, p.h.store, keys)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	for i, id := range ids {
		data, found := heads[keys[i]]
		if !found {
			continue
		}
		var hd head
		if err := decode(keys[i], data, &hd); err != nil {
			return err
		}
		if !hd.live() {
			continue
		}
		if err := t.batch.PutJSON(p.h.keys.missing(p.typeName, id), p.missed[id]); err != nil {
			return err
		}
	}
	return nil
}
