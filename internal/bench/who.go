package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// whoRows measures what it takes to say who made a change: many at once, as after an import of a
// configuration, each with a record of audits that comes later. A day later they are settled. They have
// no peer.
func whoRows(r *run) ([]row, error) {
	ctx := context.Background()
	n := r.pick(2_000, 20_000)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h, err := history.Open(ctx, memory.New(), 1, &history.Options{
		Models: map[string]history.Model{"users": {AuditService: "Directory"}},
		Clock:  func() (time.Time, time.Time, bool) { return now, now, true },
	})
	if err != nil {
		return nil, err
	}
	began := now
	var records []history.Evidence
	for p := range 2 {
		now = now.Add(time.Hour)
		var all []history.Object
		for i := range n {
			all = append(all, history.Object{ID: uuid(1, 1, i), Name: fmt.Sprint("User ", i), Body: estate{}.user(1, p, i)})
		}
		if err := pass(ctx, h, "users", all); err != nil {
			return nil, err
		}
	}
	for i := range n {
		id := uuid(1, 1, i)
		records = append(records, history.Evidence{
			ID: "record of " + id, At: now.Add(-time.Duration(n-i) * time.Millisecond), Targets: []history.Target{{Type: "users", ID: id}},
			Entity: "User", Object: id, Action: "Update", Actor: history.Actor{ID: "ada"}, Properties: []string{"title"},
		})
	}
	before := cpuSeconds()
	for _, later := range []time.Duration{0, 25 * time.Hour} {
		now = now.Add(later)
		read := history.AuditsRead{Records: records, Read: map[string]history.Span{"": {Since: began, Until: now}}}
		if err := h.Attribute(ctx, read, nil); err != nil {
			return nil, err
		}
	}
	took := (cpuSeconds() - before) / float64(n)
	named, err := count(h.Changes(ctx, history.Query{By: "ada"}))
	if err == nil && named != n {
		err = fmt.Errorf("%d changes have a name, want %d", named, n)
	}
	return []row{{what: "who made a change, until it is settled", ours: figure{took, "s"}, peer: nobody, note: fmt.Sprintf(
		"each of %s changes, with as many records; memory store", grouped(float64(n)))}}, err
}
