package poller

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// AllObjects is the object of the entry that holds for every object without an entry of its own.
const AllObjects = "All objects"

// off as a CRON expression stops an object.
const off = "off"

// Entry gives an object, or [AllObjects], a CRON expression or "off".
type Entry struct {
	Object string `json:"object"`
	Cron   string `json:"cron"`
}

// ErrUnknownObject reports an entry whose object Resolve does not know.
var ErrUnknownObject = errors.New("there is no such object")

// EntryError is one problem of a plan.
type EntryError struct {
	Index    int    // of the entry, from 0
	Object   string // as the entry gives it
	Field    string // "object", or the Field of the ParseError
	Position int    // byte position in that text, from 1
	Err      error  // what is wrong; a *ParseError for a CRON expression
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("poller: entries[%d] (%q): %s", e.Index, e.Object, strings.TrimPrefix(e.Err.Error(), "poller: "))
}

func (e *EntryError) Unwrap() error { return e.Err }

// PlanOptions are the options of [NewPlan].
type PlanOptions struct {
	// Location is the one whose wall clock the schedules follow. Defaults to UTC.
	Location *time.Location

	// Resolve maps a name or a label of an object to the object's name, and reports whether there is such an object.
	// It is not asked about AllObjects. Defaults to taking every name as it is.
	Resolve func(object string) (name string, ok bool)
}

// Plan says which schedule each object has. It is immutable and safe for concurrent use as far as Resolve is.
// A nil Plan has no schedule for any object.
type Plan struct {
	resolve   func(string) (string, bool)
	entries   []Entry
	schedules map[string]*Schedule // nil for off
}

// NewPlan checks and compiles entries. Its error joins an [*EntryError] for every problem of every entry.
func NewPlan(entries []Entry, opts *PlanOptions) (*Plan, error) {
	var o PlanOptions
	if opts != nil {
		o = *opts
	}
	if o.Resolve == nil {
		o.Resolve = func(object string) (string, bool) { return object, true }
	}
	p := &Plan{
		resolve:   o.Resolve,
		entries:   make([]Entry, 0, len(entries)),
		schedules: make(map[string]*Schedule, len(entries)),
	}
	indexes := make(map[string]int)        // of the entry, by object
	compiled := make(map[string]*Schedule) // by expression, so that entries with the same one share it
	var faults []error
	for i, e := range entries {
		object, err := p.object(e.Object)
		if first, ok := indexes[object]; err == nil && ok {
			err = fmt.Errorf("the object has entries[%d] already", first)
		}
		if err != nil {
			faults = append(faults, &EntryError{i, e.Object, "object", 1, err})
		} else {
			indexes[object] = i
		}
		schedule := compiled[e.Cron]
		if schedule == nil && !strings.EqualFold(strings.Trim(e.Cron, " \t"), off) {
			schedule, err = ParseSchedule(e.Cron, o.Location)
			for _, fault := range parseErrors(err) {
				faults = append(faults, &EntryError{i, e.Object, fault.Field, fault.Position, fault})
			}
			compiled[e.Cron] = schedule
		}
		p.schedules[object] = schedule
		p.entries = append(p.entries, Entry{object, cronText(schedule)})
	}
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// Schedule returns the schedule of an object, given by any name that Resolve knows: that of its own entry, or else
// of the entry for AllObjects. It reports false when the object is off or no entry holds for it.
func (p *Plan) Schedule(object string) (*Schedule, bool) {
	if p == nil {
		return nil, false
	}
	if name, err := p.object(object); err == nil {
		object = name
	}
	s, ok := p.schedules[object]
	if !ok {
		s = p.schedules[AllObjects]
	}
	return s, s != nil
}

// Entries returns the entries with the objects' names and the expressions in normal form.
func (p *Plan) Entries() []Entry {
	if p == nil {
		return nil
	}
	return append([]Entry(nil), p.entries...)
}

// object finds the name of the object that an entry means.
func (p *Plan) object(given string) (string, error) {
	if strings.EqualFold(given, AllObjects) {
		return AllObjects, nil
	}
	if strings.TrimSpace(given) == "" {
		return "", fmt.Errorf("an object is missing; %q stands for every object", AllObjects)
	}
	name, ok := p.resolve(given)
	if !ok {
		return "", ErrUnknownObject
	}
	return name, nil
}

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
