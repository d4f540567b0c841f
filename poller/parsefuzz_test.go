package poller

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cxsync/cxsync/internal/bounded"
)

// FuzzPlan gives NewPlan what a person may write. It either says what is wrong with which entry, and where, or its plan
// is the same when it is made again of its own entries.
func FuzzPlan(f *testing.F) {
	f.Add("All objects", "0 * * * *", "Queues", "*/5 * * * *")
	f.Add("all OBJECTS", "off", "routing.queues", "@daily")
	f.Add("Queues", "0 0 31 2 *", "routing.queues", "60 24 0 13 8")
	f.Add("", " OFF\t", "Nobody", "1-2-3 ,, a/b +5 99 7")
	opts := &PlanOptions{Resolve: func(name string) (string, bool) {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "queues", "routing.queues":
			return "routing.queues", true
		case "users":
			return "users", true
		}
		return "", false
	}}
	f.Fuzz(func(t *testing.T, type1, cron1, type2, cron2 string) {
		defer bounded.Start(t)()
		entries := []Entry{{type1, cron1}, {type2, cron2}}
		plan, err := NewPlan(entries, opts)
		if err != nil {
			checkEntryErrors(t, entries, err)
			return
		}
		normal := plan.Entries()
		again, err := NewPlan(normal, opts)
		if err != nil || !slices.Equal(again.Entries(), normal) {
			t.Fatalf("%q became %q, and that %q, %v", entries, normal, again.Entries(), err)
		}
		for i, e := range entries {
			s, on := plan.Schedule(e.Type)
			if wantOn := !strings.EqualFold(strings.TrimSpace(e.Cron), off); on != wantOn {
				t.Fatalf("%q: on is %v", e, on)
			}
			if own, _ := ParseSchedule(e.Cron, nil); on && (own.String() != s.String() || s.String() != normal[i].Cron) {
				t.Fatalf("%q has the schedule %s", e, s)
			}
		}
		if _, on := plan.Schedule("users"); on != slices.ContainsFunc(normal, func(e Entry) bool {
			return e.Cron != off && (e.Type == "users" || e.Type == AllObjects && normal[0].Type != "users" && normal[1].Type != "users")
		}) {
			t.Fatalf("%q: the default for users is %v", normal, on)
		}
	})
}

func checkEntryErrors(t *testing.T, entries []Entry, err error) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%q: %T", entries, err)
	}
	for _, err := range joined.Unwrap() {
		e, ok := errors.AsType[*EntryError](err)
		if !ok || e.Index < 0 || e.Index >= len(entries) || e.Type != entries[e.Index].Type {
			t.Fatalf("%q: %#v", entries, err)
		}
		text := entries[e.Index].Cron
		if e.Field == "type" {
			text = e.Type
		}
		if e.Field == "" || e.Position < 1 || e.Position > len(text)+1 || e.Err == nil {
			t.Fatalf("%q: %#v", entries, e)
		}
	}
}
