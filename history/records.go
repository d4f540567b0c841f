package history

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// subject names what a record is about: all of an entity, or one object of it.
func subject(parts ...string) string { return storage.Key(parts...) }

// subjectsOf returns what the records can be about that speak of a change.
func (h *History) subjectsOf(f *fact) []string {
	a := h.opts.Models[f.Type].Audits
	switch a.Of {
	case AuditsOfOrg:
		return []string{subject(a.Entity)}
	case AuditsOfParent:
		return []string{subject(a.Entity, f.Parent), subject(a.Entity, lastPart(f.ID))}
	}
	if own := lastPart(f.ID); own != f.ID {
		return []string{subject(a.Entity, f.ID), subject(a.Entity, own)}
	}
	return []string{subject(a.Entity, f.ID)}
}

// audited returns the types that audits speak of as this entity.
func (h *History) audited(entity string) []string {
	var types []string
	for typ, m := range h.opts.Models {
		if m.Audits.Entity == entity && entity != "" {
			types = append(types, typ)
		}
	}
	slices.Sort(types)
	return types
}

// about returns the records about a subject, which it reads once.
func (a *attribution) about(s string) ([]*keptRecord, error) {
	if !a.loaded[s] {
		if err := a.load(storage.Prefix(a.h.keys.key("evidence") + "/" + s + "/")); err != nil {
			return nil, err
		}
		a.loaded[s] = true
	}
	return a.subjects[s], nil
}

// load reads the records of a range.
func (a *attribution) load(r storage.Range) error {
	for e, err := range a.h.keptRecords(a.ctx, r) {
		if err != nil {
			return err
		}
		a.keep(e)
	}
	return nil
}

// keep adds a record unless it is there.
func (a *attribution) keep(e *keptRecord) {
	if a.records[e.key] != nil {
		return
	}
	a.records[e.key] = e
	for _, s := range []string{subject(e.Entity), subject(e.Entity, e.Object)} {
		a.subjects[s] = append(a.subjects[s], e)
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

// take adds records that are new to those that are kept, and returns them.
func (a *attribution) take(records []Evidence) (fresh []*keptRecord, err error) {
	if len(records) == 0 {
		return nil, nil
	}
	erased, err := a.h.erasedIDs(a.ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range records {
		if e.ID == "" || e.At.IsZero() || !writes(e.Action) || len(a.h.audited(e.Entity)) == 0 {
			continue
		}
		kept := &keptRecord{Evidence: e.clipped(), isDirty: true}
		kept.key = a.h.keys.evidence(&kept.Evidence)
		if len(kept.key) > storage.MaxKeySize || erased.covers(a.h, &kept.Evidence) {
			continue
		}
		if _, err := a.about(subject(kept.Entity, kept.Object)); err != nil {
			return nil, err
		}
		if a.records[kept.key] != nil {
			continue
		}
		a.keep(kept)
		fresh = append(fresh, kept)
	}
	return fresh, nil
}

// recordsOf returns the records that can be about a change, oldest first.
func (a *attribution) recordsOf(f *fact) ([]*keptRecord, error) {
	all := map[string]*keptRecord{}
	for _, s := range a.h.subjectsOf(f) {
		records, err := a.about(s)
		if err != nil {
			return nil, err
		}
		for _, e := range records {
			all[e.key] = e
		}
	}
	return slices.SortedFunc(maps.Values(all), func(x, y *keptRecord) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.key, y.key))
	}), nil
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
	if err := a.load(a.h.keys.below("evidence")); err != nil {
		return err
	}
	awaited := map[string]bool{}
	for _, f := range a.facts {
		for _, s := range a.h.subjectsOf(f) {
			awaited[s] = awaited[s] || !f.Settled
		}
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
		if now.Sub(e.At) < keepAfter || awaited[subject(e.Entity)] || awaited[subject(e.Entity, e.Object)] {
			continue
		}
		types := slices.DeleteFunc(a.h.audited(e.Entity), func(typ string) bool { _, isRead := completed[typ]; return !isRead })
		isUnread := slices.ContainsFunc(types, func(typ string) bool { return completed[typ].Before(e.At.Add(joinSlack)) })
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

// Undetected is an act that the org's audits show and that no change explains: one that was undone
// before a pass could see it, or one of what is not compared or could not be read.
type Undetected struct {
	Evidence
	Types []string `json:"types"` // that it may be about
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
