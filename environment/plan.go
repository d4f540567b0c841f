package environment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/poller"
)

// The polling plan of a record: which schedule each type has, and what in it may not be meant. A
// plan has no hole: the entry for all objects is added where it is missing, so a type without a
// schedule is one that somebody turned off.

// defaultPolling is the plan of a record that has none: everything, hourly.
func defaultPolling() []poller.Entry {
	return []poller.Entry{{Type: poller.AllObjects, Cron: "0 * * * *"}}
}

// withDefaults returns the record as it is stored and read back: with the entry for
// all objects that its plan leaves out, so that nobody has to know that there is one.
func (r Record) withDefaults() Record {
	if !slices.ContainsFunc(r.Polling, func(p poller.Entry) bool { return isAllObjects(p.Type) }) {
		r.Polling = append(defaultPolling(), r.Polling...)
	}
	return r
}

// plan compiles the record's schedules. The error joins a *poller.EntryError for
// each problem of an entry.
func (r Record) plan(catalogue *genesys.Catalogue) (*poller.Plan, error) {
	return poller.NewPlan(r.withDefaults().Polling, &poller.PlanOptions{Resolve: resolver(catalogue), Location: r.Location()})
}

// cronOf returns the schedule of a type as text, "off" if it has none.
func cronOf(plan *poller.Plan, name string) string {
	if schedule, ok := plan.Schedule(name); ok {
		return schedule.String()
	}
	return "off"
}

// unpolled returns the names of the selected types that no schedule polls.
func (r Record) unpolled(catalogue *genesys.Catalogue) []string {
	names := []string{}
	plan, err := r.plan(catalogue)
	if err != nil {
		return names
	}
	for _, t := range selected(catalogue, r) {
		if _, ok := plan.Schedule(t.Name); !ok {
			names = append(names, t.Name)
		}
	}
	return names
}

// doubts returns what a record says that works and may not be what was meant, as warnings: Check
// does not refuse it.
func (r Record) doubts(catalogue *genesys.Catalogue) []FieldError {
	var e InvalidError
	if names := r.unpolled(catalogue); len(names) > 0 {
		e.add("polling", "no schedule polls %d of the selected types: %s", len(names), abridge(names, 10))
	}
	chosen := map[string]bool{}
	for _, t := range selected(catalogue, r) {
		chosen[t.Name] = true
	}
	isIdle := func(nameOrLabel string) bool {
		t, ok := catalogue.Lookup(nameOrLabel)
		return ok && !chosen[t.Name]
	}
	for i, entry := range r.Polling {
		if isIdle(entry.Type) && !isOff(entry.Cron) {
			e.add(fmt.Sprintf("polling[%d].type", i), "%q is not among the types that are selected, so the entry does nothing", entry.Type)
		}
	}
	defaults := defaultIgnore()
	for i, rule := range r.Ignore {
		at := fmt.Sprintf("ignore[%d]", i)
		if isIdle(rule.Type) {
			e.add(at+".type", "%q is not among the types that are selected, so the rule does nothing", rule.Type)
		}
		if slices.ContainsFunc(defaults, func(known IgnoreRule) bool { return sameRule(catalogue, known, rule) }) {
			e.add(at, "is a default rule already")
		}
	}
	return e.Problems
}

// sameRule reports whether two rules ignore the same field of the same type, however it is named.
func sameRule(catalogue *genesys.Catalogue, a, b IgnoreRule) bool {
	return a.Field == b.Field && typeOf(catalogue, a.Type) == typeOf(catalogue, b.Type)
}

// typeOf returns what a name, a label or "All objects" stands for, in one spelling.
func typeOf(catalogue *genesys.Catalogue, nameOrLabel string) string {
	if t, ok := catalogue.Lookup(nameOrLabel); ok {
		return t.Name
	}
	if isAllObjects(nameOrLabel) {
		return poller.AllObjects
	}
	return strings.TrimSpace(nameOrLabel)
}

// logDoubts warns of what a record that is stored now may not mean.
func (e *Engine) logDoubts(r Record) {
	for _, doubt := range r.doubts(e.opts.Catalogue) {
		e.opts.Logger.Warn("the record may not say what was meant",
			"environment", r.Name, "environment_id", r.ID, "field", doubt.Field, "problem", doubt.Problem)
	}
}
