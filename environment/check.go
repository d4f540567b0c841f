package environment

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/poller"
)

// A FieldError says what is wrong with one field of a record, and what would be right.
type FieldError struct {
	Field   string `json:"field"` // JSON name: "polling[2].cron"
	Problem string `json:"problem"`
}

func (e FieldError) Error() string { return e.Field + ": " + e.Problem }

// InvalidError holds every problem of a record.
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

func (e *InvalidError) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// Check reports everything that is wrong with the record's fields as an
// *InvalidError. Types are looked up in catalogue;
// nil means the default one.
func (r Record) Check(catalogue *genesys.Catalogue) error {
	if catalogue == nil {
		catalogue = genesys.DefaultCatalogue()
	}
	var e InvalidError
	if strings.TrimSpace(r.Name) == "" {
		e.add("name", "is required")
	} else if len(r.Name) > 200 {
		e.add("name", "is longer than 200 bytes")
	}
	if r.ClientID == "" {
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
	if r.RetentionDays < 0 {
		e.add("retention_days", "%d is negative; 0 keeps every change", r.RetentionDays)
	} else if r.RetentionDays > 36_500 {
		e.add("retention_days", "%d is more than a hundred years; 0 keeps every change", r.RetentionDays)
	}
	r.checkPolling(&e, catalogue)
	r.checkTypes(&e, catalogue)
	return e.orNil()
}

func (r Record) checkPolling(e *InvalidError, catalogue *genesys.Catalogue) {
	_, err := poller.NewPlan(r.polling(), &poller.PlanOptions{Resolve: resolver(catalogue)})
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
	resolve := resolver(catalogue)
	for i, name := range r.Types {
		if _, ok := resolve(name); !ok {
			e.add(fmt.Sprintf("types[%d]", i), "%q is no type%s", name, suggestion(catalogue, name))
		}
	}
	for i, rule := range r.Ignore {
		at := fmt.Sprintf("ignore[%d]", i)
		if _, ok := resolve(rule.Type); !ok && rule.Type != poller.AllObjects {
			e.add(at+".type", "%q is no type%s", rule.Type, suggestion(catalogue, rule.Type))
		}
		_, err := diff.Compile(diff.Rules{Ignore: []string{rule.Field}})
		if wrong, ok := errors.AsType[*diff.PathError](err); ok {
			e.add(at+".field", "%s %q: %s", wrong.What, wrong.Path, wrong.Reason)
		} else if err != nil {
			e.add(at+".field", "%v", err)
		}
	}
}

// flatten returns the errors that errors.Join put together.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
