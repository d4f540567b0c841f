package history

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// The records of audits that are kept: how they are taken in, found by time, and let go.

// load sees to it that the records of a span are there, and with them all between it and what is
// there: what is loaded is always one span without a gap, so one pair of times describes it.
func (a *attribution) load(since, until time.Time) error {
	ranges := []storage.Range{a.h.keys.evidenceIn(since, until)}
	if old := a.loaded; !old.Until.IsZero() {
		ranges = nil
		if since.Before(old.Since) {
			ranges = append(ranges, a.h.keys.evidenceIn(since, old.Since))
		}
		if until.After(old.Until) {
			ranges = append(ranges, a.h.keys.evidenceIn(old.Until, until))
		}
		since, until = instant.Earlier(since, old.Since), instant.Later(until, old.Until)
	}
	for _, r := range ranges {
		for e, err := range a.h.keptRecords(a.ctx, r) {
			if err != nil {
				return err
			}
			a.addRecord(e)
		}
	}
	a.loaded = Span{since, until}
	return nil
}

// addRecord adds a record unless it is there.
func (a *attribution) addRecord(e *keptRecord) {
	if a.records[e.key] == nil {
		a.records[e.key] = e
		a.about.add(e)
	}
}

func (h *History) keptRecords(ctx context.Context, r storage.Range) iter.Seq2[*keptRecord, error] {
	return func(yield func(*keptRecord, error) bool) {
		for e, err := range h.store.Scan(ctx, r) {
			kept := &keptRecord{key: e.Key}
			if err == nil {
				err = decode(e.Key, e.Value, kept)
			}
			if err != nil {
				yield(nil, fmt.Errorf("history: audits: %w", err))
				return
			}
			if !yield(kept, nil) {
				return
			}
		}
	}
}

// take adds records that are new to those that are kept. What they may be about is to be looked at.
func (a *attribution) take(records []Evidence) error {
	if len(records) == 0 {
		return nil
	}
	erased, err := a.h.erasedIDs(a.ctx)
	if err != nil {
		return err
	}
	given := spanOver(records)
	if err := a.load(given.Since, given.Until); err != nil {
		return err
	}
	var fresh []Evidence
	for _, e := range records {
		kept := &keptRecord{Evidence: e.clipped()}
		kept.key = a.h.keys.evidence(&kept.Evidence)
		if e.ID == "" || e.At.IsZero() || len(kept.key) > storage.MaxKeySize || a.records[kept.key] != nil || erased.covers(a.h, &kept.Evidence) {
			continue
		}
		a.addRecord(kept)
		a.dirty[kept.key] = kept
		fresh = append(fresh, kept.Evidence)
	}
	if len(fresh) == 0 {
		return nil
	}
	span := spanOver(fresh)
	if left := a.state.Behind.Span; !left.Until.IsZero() { // a call before this one came to its end early
		span = Span{instant.Earlier(span.Since, left.Since), instant.Later(span.Until, left.Until)}
	}
	a.state.Behind = &behind{Span: span}
	return nil
}

// spanOver returns from when to when some records are.
func spanOver(records []Evidence) (s Span) {
	s.Since = plain(records[0].At)
	for _, e := range records {
		at := plain(e.At)
		s = Span{instant.Earlier(s.Since, at), instant.Later(s.Until, at)}
	}
	return s
}

// spanOf returns between which times records may explain any of the changes.
func spanOf(facts []fact) (since, until time.Time) {
	since = facts[0].After
	for _, f := range facts {
		since, until = instant.Earlier(since, f.After), instant.Later(until, f.At)
	}
	return since.Add(-joinEarly), until.Add(joinSlack)
}

// loadFor reads the records that the touched objects need, at once.
func (a *attribution) loadFor() error {
	var facts []fact
	for o := range a.touched {
		for _, f := range a.objects[o] {
			facts = append(facts, *f)
		}
	}
	if len(facts) == 0 {
		return nil
	}
	return a.load(spanOf(facts))
}

// recall takes back what counts as undetected and may explain one of the changes behind a number.
// A change can be recorded days after a complete pass did not show it: a removal that was withheld,
// or an edit that only the rotation came upon.
func (a *attribution) recall(behind uint64) error {
	from, _ := slices.BinarySearch(a.order, behind+1)
	var fresh []fact
	for _, seq := range a.order[from:] {
		fresh = append(fresh, *a.facts[seq])
	}
	if len(fresh) == 0 {
		return nil
	}
	since, until := spanOf(fresh)
	since = instant.Later(since, a.state.now().Add(-maxUnread)) // a span that nobody knows begins in the year 1
	undetected := recordIndex{}
	stored := map[*keptRecord]storage.Entry{}
	for e, err := range a.h.store.Scan(a.ctx, a.h.keys.undetectedIn(since, until)) {
		var u Undetected
		if err == nil {
			err = decode(e.Key, e.Value, &u)
		}
		if err != nil {
			return fmt.Errorf("history: undetected: %w", err)
		}
		kept := &keptRecord{Evidence: u.Evidence, key: a.h.keys.evidence(&u.Evidence)}
		undetected.add(kept)
		stored[kept] = e
	}
	for i := range fresh {
		parent := a.h.opts.Models[fresh[i].Type].Parent
		for kept := range undetected.of(parent, &fresh[i]) {
			e, isThere := stored[kept]
			if !isThere || !mayExplain(parent, &fresh[i], kept) {
				continue
			}
			delete(stored, kept)
			a.addRecord(kept)
			a.dirty[kept.key] = kept
			a.tx.batch.Require(e.Key, e.Value)
			a.tx.batch.Delete(e.Key)
			a.state.Tally.Undetected--
		}
	}
	return nil
}

// putRecords stores the records that are new or that something became of.
func (a *attribution) putRecords() error {
	for _, key := range slices.Sorted(maps.Keys(a.dirty)) {
		if err := a.tx.batch.PutJSON(key, a.dirty[key]); err != nil {
			return err
		}
	}
	return nil
}

// sweep lets the records go that no change can wait for any more: a complete pass over all that
// they may be about came later, and two days went by. One that explains no change is then
// undetected. A type that no pass completes keeps its records for 30 days at most. It returns
// whether it left some to the next commit.
func (a *attribution) sweep(now time.Time) (left bool, err error) {
	if err := a.load(time.Time{}, now.Add(-keepAfter)); err != nil {
		return false, err
	}
	completed, err := a.completed()
	if err != nil {
		return false, err
	}
	awaited := a.awaited()
	dropped := 0
	for _, key := range slices.Sorted(maps.Keys(a.records)) {
		e := a.records[key]
		if now.Sub(e.At) < keepAfter || awaited[e] {
			continue
		}
		types := e.types()
		types = slices.DeleteFunc(types, func(typeName string) bool { _, isRead := completed[typeName]; return !isRead })
		isUnread := slices.ContainsFunc(types, func(typeName string) bool { return completed[typeName].Before(e.At.Add(joinSlack)) })
		if isUnread && now.Sub(e.At) < maxUnread {
			continue
		}
		if dropped++; dropped > a.h.opts.BatchObjects {
			return true, nil
		}
		a.dropRecord(e)
		if e.Spanned || e.System || len(types) == 0 {
			continue
		}
		a.state.Tally.Undetected++
		if err := a.tx.batch.PutJSON(a.h.keys.undetected(&e.Evidence), Undetected{Evidence: e.Evidence, Types: types}); err != nil {
			return false, err
		}
	}
	a.state.Swept = now
	return false, a.sweepErased(now)
}

func (a *attribution) dropRecord(e *keptRecord) {
	e.isGone = true
	delete(a.records, e.key)
	delete(a.dirty, e.key)
	a.tx.batch.Delete(e.key)
}

// completed returns when the newest complete pass over each type ended.
func (a *attribution) completed() (map[string]time.Time, error) {
	completed := map[string]time.Time{}
	for e, err := range a.h.store.Scan(a.ctx, a.h.keys.below("pass")) {
		var r passRecord
		if err == nil {
			err = decode(e.Key, e.Value, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("history: passes: %w", err)
		}
		completed[r.Type] = r.Completed
	}
	return completed, nil
}

// awaited returns the records that may explain a change that is not settled.
func (a *attribution) awaited() map[*keptRecord]bool {
	awaited := map[*keptRecord]bool{}
	for _, f := range a.facts {
		if f.Settled {
			continue
		}
		parent := a.h.opts.Models[f.Type].Parent
		for e := range a.about.of(parent, f) {
			if mayExplain(parent, f, e) {
				awaited[e] = true
			}
		}
	}
	return awaited
}

// types returns the types that a record may be about.
func (e *Evidence) types() []string {
	var types []string
	for _, t := range e.Targets {
		types = append(types, t.Type)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Undetected is an act that the org's audits show and that no change explains: one that was undone
// before a pass could see it, or one of what is not compared or could not be read.
type Undetected struct {
	Evidence
	Types []string `json:"types"` // that were read, and that it may be about
}

// Undetected iterates over the acts since a time that no pass saw, oldest first. An act counts when
// a complete pass came later and two days went by, until a change is recorded that it may explain.
func (h *History) Undetected(ctx context.Context, since time.Time) iter.Seq2[Undetected, error] {
	return func(yield func(Undetected, error) bool) {
		r := h.keys.below("undetected")
		r.Start = max(r.Start, h.keys.key("undetected", plain(since).Format(logTime)))
		for e, err := range h.store.Scan(ctx, r) {
			var u Undetected
			if err == nil {
				err = decode(e.Key, e.Value, &u)
			}
			if err != nil {
				yield(Undetected{}, fmt.Errorf("history: undetected: %w", err))
				return
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}
