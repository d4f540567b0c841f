package history

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// load reads the records of a range, unless they are there.
func (a *attribution) load(r storage.Range) error {
	for e, err := range a.h.keptRecords(a.ctx, r) {
		if err != nil {
			return err
		}
		if a.records[e.key] == nil {
			a.records[e.key] = e
		}
	}
	return nil
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

// take adds records that are new to those that are kept, and returns them.
func (a *attribution) take(records []Evidence) (fresh []*keptRecord, err error) {
	if len(records) == 0 {
		return nil, nil
	}
	erased, err := a.h.erasedIDs(a.ctx)
	if err != nil {
		return nil, err
	}
	var oldest, newest time.Time
	for i, e := range records {
		if at := plain(e.At); i == 0 || at.Before(oldest) {
			oldest = at
		}
		newest = instant.Later(newest, plain(e.At))
	}
	if err := a.load(a.h.keys.evidenceIn(oldest, newest)); err != nil {
		return nil, err
	}
	for _, e := range records {
		kept := &keptRecord{Evidence: e.clipped(), isDirty: true}
		kept.key = a.h.keys.evidence(&kept.Evidence)
		if e.ID == "" || e.At.IsZero() || len(kept.key) > storage.MaxKeySize || a.records[kept.key] != nil || erased.covers(a.h, &kept.Evidence) {
			continue
		}
		a.records[kept.key] = kept
		fresh = append(fresh, kept)
	}
	return fresh, nil
}

// explaining returns those of the records, which are sorted by their keys, that are of when the
// changes may have happened.
func (h *History) explaining(facts []fact, records []*keptRecord) []*keptRecord {
	r := h.keys.evidenceIn(spanOf(facts))
	byKey := func(e *keptRecord, key string) int { return cmp.Compare(e.key, key) }
	from, _ := slices.BinarySearchFunc(records, r.Start, byKey)
	to, _ := slices.BinarySearchFunc(records, r.End, byKey)
	return records[from:to:to]
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
	for _, f := range a.facts {
		if a.touched[objectKey{f.Type, f.ID}] {
			facts = append(facts, *f)
		}
	}
	if len(facts) == 0 {
		return nil
	}
	return a.load(a.h.keys.evidenceIn(spanOf(facts)))
}

// putRecords stores the records that are new or that something became of.
func (a *attribution) putRecords() error {
	for _, key := range slices.Sorted(maps.Keys(a.records)) {
		if e := a.records[key]; e.isDirty {
			if err := a.tx.batch.PutJSON(key, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep lets the records go that no change can wait for any more: a complete pass over all that they
// may be about came later, and two days went by. One that no change explains is then undetected.
func (a *attribution) sweep(now time.Time) error {
	if err := a.load(a.h.keys.evidenceIn(time.Time{}, now.Add(-keepAfter))); err != nil {
		return err
	}
	completed := map[string]time.Time{}
	for e, err := range a.h.store.Scan(a.ctx, a.h.keys.below("pass")) {
		var r passRecord
		if err == nil {
			err = decode(e.Key, e.Value, &r)
		}
		if err != nil {
			return fmt.Errorf("history: passes: %w", err)
		}
		completed[r.Type] = r.Completed
	}
	for _, key := range slices.Sorted(maps.Keys(a.records)) {
		e := a.records[key]
		if now.Sub(e.At) < keepAfter || a.isAwaited(e) {
			continue
		}
		types := e.types()
		types = slices.DeleteFunc(types, func(typeName string) bool { _, isRead := completed[typeName]; return !isRead })
		isUnread := slices.ContainsFunc(types, func(typeName string) bool { return completed[typeName].Before(e.At.Add(joinSlack)) })
		if isUnread && now.Sub(e.At) < maxUnread {
			continue
		}
		a.tx.batch.Delete(key)
		if e.Spanned || e.System || len(types) == 0 {
			continue
		}
		a.state.Tally.Undetected++
		if err := a.tx.batch.PutJSON(a.h.keys.undetected(&e.Evidence), Undetected{Evidence: e.Evidence, Types: types}); err != nil {
			return err
		}
	}
	return a.sweepErased(now)
}

// isAwaited reports whether a change that is not settled may be explained by a record.
func (a *attribution) isAwaited(e *keptRecord) bool {
	for _, f := range a.facts {
		if !f.Settled && mayExplain(a.h.opts.Models[f.Type].Parent, f, e) {
			return true
		}
	}
	return false
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
// a complete pass came later and two days went by.
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
