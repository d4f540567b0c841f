package poller

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// AllObjects is the type of the entry that holds for every type without an entry of its own.
const AllObjects = "All objects"

// off as a CRON expression stops a type.
const off = "off"

// Entry gives a type, or [AllObjects], a CRON expression or "off".
type Entry struct {
	Type string `json:"type"`
	Cron string `json:"cron"`
}

// ErrUnknownType reports an entry whose type Resolve does not know.
var ErrUnknownType = errors.New("there is no such type")

// EntryError is one problem of a plan.
type EntryError struct {
	Index    int    // of the entry, from 0
	Type     string // as the entry gives it
	Field    string // "type", or the Field of the ParseError
	Position int    // byte position in that text, from 1
	Err      error  // what is wrong; a *ParseError for a CRON expression
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("poller: entries[%d] (%q): %s", e.Index, e.Type, strings.TrimPrefix(e.Err.Error(), "poller: "))
}

func (e *EntryError) Unwrap() error { return e.Err }

// PlanOptions are the options of [NewPlan].
type PlanOptions struct {
	// Location is the one whose wall clock the schedules follow. Defaults to UTC.
	Location *time.Location

	// Resolve maps a name or a label of a type to the type's name, and reports whether there is
	// such a type. It is not asked about AllObjects. Defaults to taking every name as it is.
	Resolve func(nameOrLabel string) (name string, ok bool)
}

// Plan says which schedule each type has: that of its own entry, or else of the entry for
// AllObjects. It is immutable and safe for concurrent use as far as Resolve is. A nil Plan has no
// schedule for any type.
type Plan struct {
	resolve   func(string) (string, bool)
	entries   []Entry
	schedules map[string]*Schedule // nil for off
}

// NewPlan checks and compiles entries. Its error joins an [*EntryError] for every problem of every
// entry.
func NewPlan(entries []Entry, opts *PlanOptions) (*Plan, error) {
	var o PlanOptions
	if opts != nil {
		o = *opts
	}
	if o.Resolve == nil {
		o.Resolve = func(name string) (string, bool) { return name, true }
	}
	p := &Plan{
		resolve:   o.Resolve,
		entries:   make([]Entry, 0, len(entries)),
		schedules: make(map[string]*Schedule, len(entries)),
	}
	indexes := make(map[string]int)        // of the entry, by type
	compiled := make(map[string]*Schedule) // by expression, so that entries with the same one share it
	var faults []error
	for i, e := range entries {
		name, err := p.typeName(e.Type)
		if first, ok := indexes[name]; err == nil && ok {
			err = fmt.Errorf("the type has entries[%d] already", first)
		}
		if err != nil {
			faults = append(faults, &EntryError{i, e.Type, "type", 1, err})
		} else {
			indexes[name] = i
		}
		schedule := compiled[e.Cron]
		if schedule == nil && !strings.EqualFold(strings.TrimSpace(e.Cron), off) {
			schedule, err = ParseSchedule(e.Cron, o.Location)
			for _, fault := range parseErrors(err) {
				faults = append(faults, &EntryError{i, e.Type, fault.Field, fault.Position, fault})
			}
			compiled[e.Cron] = schedule
		}
		p.schedules[name] = schedule
		p.entries = append(p.entries, Entry{name, cronText(schedule)})
	}
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// Schedule returns the schedule of a type, given by any name that Resolve knows: that of its own
// entry, or else of the entry for AllObjects. It reports false when the type is off or no entry
// holds for it.
func (p *Plan) Schedule(nameOrLabel string) (*Schedule, bool) {
	if p == nil {
		return nil, false
	}
	name, err := p.typeName(nameOrLabel)
	if err != nil {
		name = nameOrLabel
	}
	s, ok := p.schedules[name]
	if !ok {
		s = p.schedules[AllObjects]
	}
	return s, s != nil
}

// Entries returns the entries with the types' names and the expressions in normal form.
func (p *Plan) Entries() []Entry {
	if p == nil {
		return nil
	}
	return append([]Entry(nil), p.entries...)
}

// typeName finds the name of the type that an entry means.
func (p *Plan) typeName(given string) (string, error) {
	if strings.EqualFold(strings.TrimSpace(given), AllObjects) {
		return AllObjects, nil
	}
	if strings.TrimSpace(given) == "" {
		return "", fmt.Errorf("a type is missing; %q stands for every type", AllObjects)
	}
	name, ok := p.resolve(given)
	if !ok {
		return "", ErrUnknownType
	}
	return name, nil
}

// cronText returns the Cron of an Entry with that schedule.
func cronText(s *Schedule) string {
	if s == nil {
		return off
	}
	return s.String()
}

// parseErrors takes the error of parse apart.
func parseErrors(err error) []*ParseError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*ParseError
		for _, e := range joined.Unwrap() {
			all = append(all, parseErrors(e)...)
		}
		return all
	}
	if e, ok := errors.AsType[*ParseError](err); ok {
		return []*ParseError{e}
	}
	return nil
}
