package environment

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/poller"
)

// Whether a record can be stored. Check looks at the record alone and asks no org; what an org says
// to it, Validate finds out. All problems of a record are reported at once, each with the field as
// it is called in JSON and with what would be right.

// A FieldError says what is wrong with one field of a record, and what would be right.
type FieldError struct {
	Field   string `json:"field"` // JSON name: "polling[2].cron"
	Problem string `json:"problem"`
}

func (e FieldError) Error() string { return printable.Text(e.Field + ": " + e.Problem) }

// InvalidError is the error of ParseRecord, Record.Check, Create, Update and Put for a record that
// cannot be stored. It holds every problem.
type InvalidError struct {
	Problems []FieldError `json:"problems"`
}

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return "environment: invalid record: " + strings.Join(lines, "; ")
}

func (e *InvalidError) add(field, format string, args ...any) {
	e.Problems = append(e.Problems, FieldError{field, fmt.Sprintf(format, args...)})
}

// orNil returns e as an error, nil if it holds no problem.
func (e *InvalidError) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// Check reports everything that is wrong with the record's fields as an *InvalidError. Types are
// looked up in catalogue; nil means the default one. The fields that the Engine sets are not looked
// at.
func (r Record) Check(catalogue *genesys.Catalogue) error {
	if catalogue == nil {
		catalogue = genesys.DefaultCatalogue()
	}
	var e InvalidError
	if r.checkSizes(&e); len(e.Problems) > 0 {
		return &e
	}
	switch {
	case strings.TrimSpace(r.Name) == "":
		e.add("name", "is required")
	case len(r.Name) > 200:
		e.add("name", "is longer than 200 bytes")
	case !isPrintable(r.Name):
		e.add("name", "%q has characters that cannot be printed", r.Name)
	}
	if !isPrintable(r.ClientID) || len(r.ClientID) > 200 {
		e.add("client_id", "is no ID of an OAuth client, such as 5c3e1ad2-0f2b-4d0e-9a57-2f6d3a1b9c11")
	}
	if strings.TrimSpace(r.ClientID) == "" {
		e.add("client_id", "is required: the ID of an OAuth client with the Client Credentials grant")
	}
	if r.ClientSecret.Reveal() == redacted {
		e.add("client_secret", "%s is what a secret prints as; give the secret itself, or none to keep the one that is stored", redacted)
	}
	if _, _, err := genesys.ResolveURLs(r.BaseURL, r.LoginURL); err != nil {
		e.add("base_url", "%s", strings.TrimPrefix(err.Error(), "genesys: "))
	}
	for _, limit := range []struct {
		field string
		n     int
	}{{"rate_limit_minute", r.RateLimitMinute}, {"rate_limit_hour", r.RateLimitHour}, {"rate_limit_day", r.RateLimitDay}} {
		if limit.n < 0 {
			e.add(limit.field, "%d is negative; 0 disables the limit", limit.n)
		}
	}
	if r.AuditMinutes < 0 || r.AuditMinutes > maxAuditMinutes {
		e.add("audit_minutes", "%d is not from 0, which turns audits off, to %d", r.AuditMinutes, maxAuditMinutes)
	}
	if r.RetentionDays < 0 {
		e.add("retention_days", "%d is negative; 0 keeps every change", r.RetentionDays)
	} else if r.RetentionDays > 36_500 {
		e.add("retention_days", "%d is more than a hundred years; 0 keeps every change", r.RetentionDays)
	}
	if _, err := r.location(); err != nil {
		e.add("time_zone", "%q %v", r.TimeZone, err)
	}
	r.checkPolling(&e, catalogue)
	r.checkTypes(&e, catalogue)
	r.checkIgnore(&e, catalogue)
	return e.orNil()
}

const (
	maxEntries = 1000 // of a list of a record; the catalogue has a third as many types
	maxText    = 1000 // bytes of a text of a record
)

// checkSizes bounds what else is looked at: to look up, compare and explain a hundred thousand
// entries takes minutes, and a message that quotes a megabyte helps nobody.
func (r Record) checkSizes(e *InvalidError) {
	text := func(s, field string, at ...any) {
		if len(s) > maxText {
			e.add(fmt.Sprintf(field, at...), "is longer than 1,000 bytes")
		}
	}
	entries := func(n int, field string) int {
		if n > maxEntries {
			e.add(field, "has %d entries, more than 1,000", n)
		}
		return min(n, maxEntries)
	}
	text(r.BaseURL, "base_url")
	text(r.LoginURL, "login_url")
	text(r.ClientID, "client_id")
	text(r.ClientSecret.Reveal(), "client_secret")
	text(r.TimeZone, "time_zone")
	for i, named := range r.Types[:entries(len(r.Types), "types")] {
		text(named, "types[%d]", i)
	}
	for i, entry := range r.Polling[:entries(len(r.Polling), "polling")] {
		text(entry.Type, "polling[%d].type", i)
		text(entry.Cron, "polling[%d].cron", i)
	}
	for i, rule := range r.Ignore[:entries(len(r.Ignore), "ignore")] {
		text(rule.Type, "ignore[%d].type", i)
		text(rule.Field, "ignore[%d].field", i)
	}
}

// checkPolling compiles the plan, and translates what package poller says of its entries into
// fields of the record.
func (r Record) checkPolling(e *InvalidError, catalogue *genesys.Catalogue) {
	_, err := poller.NewPlan(r.Polling, &poller.PlanOptions{Resolve: resolver(catalogue)})
	for _, err := range flatten(err) {
		field, problem := "polling", err.Error()
		if entry, ok := errors.AsType[*poller.EntryError](err); ok {
			field, problem = fmt.Sprintf("polling[%d].cron", entry.Index), entry.Err.Error()
			if entry.Field == "type" {
				field = fmt.Sprintf("polling[%d].type", entry.Index)
				problem = fmt.Sprintf("%q: %s", entry.Type, problem)
			}
			if errors.Is(err, poller.ErrUnknownType) {
				problem += suggestion(catalogue, entry.Type)
			}
		}
		e.add(field, "%s", strings.TrimPrefix(problem, "poller: "))
	}
}

func (r Record) checkTypes(e *InvalidError, catalogue *genesys.Catalogue) {
	first := map[string]int{}
	for i, named := range r.Types {
		at := fmt.Sprintf("types[%d]", i)
		t, ok := catalogue.Lookup(named)
		known, twice := first[t.Name]
		switch {
		case isAllObjects(named):
			e.add(at, "%q is no type; leave types out to select all that are on by default", named)
		case !ok:
			e.add(at, "%q is no type%s", named, suggestion(catalogue, named))
		case twice:
			e.add(at, "%q is types[%d] already", named, known)
		default:
			first[t.Name] = i
		}
	}
}

func (r Record) checkIgnore(e *InvalidError, catalogue *genesys.Catalogue) {
	first := map[IgnoreRule]int{}
	for i, rule := range r.Ignore {
		at := fmt.Sprintf("ignore[%d]", i)
		if _, ok := catalogue.Lookup(rule.Type); !ok && !isAllObjects(rule.Type) {
			e.add(at+".type", "%q is no type%s", rule.Type, suggestion(catalogue, rule.Type))
		}
		rule.Type = typeOf(catalogue, rule.Type)
		if known, twice := first[rule]; twice {
			e.add(at, "is ignore[%d] already", known)
		} else {
			first[rule] = i
		}
		if problem := checkPath(rule.Field); problem != "" {
			e.add(at+".field", "%s", problem)
		}
	}
}

// checkPath says what is wrong with the field of an ignore rule.
func checkPath(field string) string {
	_, err := diff.Compile(diff.Rules{Ignore: []string{field}})
	if wrong, ok := errors.AsType[*diff.PathError](err); ok {
		return fmt.Sprintf("%s %q: %s", wrong.What, wrong.Path, wrong.Reason)
	} else if err != nil {
		return err.Error()
	}
	return ""
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// flatten returns the errors that errors.Join put together, one level deep.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
