package environment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
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

// Fields that the engine sets and a person's record must not.
var ownFields = []string{"id", "paused", "created", "updated", "deleting", "revision"}

// ParseRecord reads a record as a person writes it: one JSON object with the
// fields of Record but those that the engine sets. Unknown fields and values
// of the wrong type are reported all at once, as an *InvalidError, together
// with what Record.Check finds.
func ParseRecord(data []byte) (Record, error) {
	var r Record
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return r, fmt.Errorf("environment: the record is not a JSON object: %w", withoutValue(err))
	}
	var invalid InvalidError
	value := reflect.ValueOf(&r).Elem()
	for i := range value.NumField() {
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		raw, ok := fields[name]
		if !ok || slices.Contains(ownFields, name) {
			continue
		}
		delete(fields, name)
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(value.Field(i).Addr().Interface()); err != nil {
			invalid.add(name, "%v", withoutValue(err))
		}
	}
	for name := range fields {
		invalid.add(name, "unknown field")
	}
	broken := map[string]bool{}
	for _, p := range invalid.Problems {
		broken[p.Field] = true
	}
	if more, ok := errors.AsType[*InvalidError](r.Check(nil)); ok {
		for _, p := range more.Problems {
			if name, _, _ := strings.Cut(p.Field, "["); !broken[name] {
				invalid.Problems = append(invalid.Problems, p)
			}
		}
	}
	slices.SortStableFunc(invalid.Problems, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return r, invalid.orNil()
}

// withoutValue rewords encoding/json's errors without the offending value,
// which may be a secret in the wrong place.
func withoutValue(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := ""
		if e.Field != "" {
			where = " in " + e.Field
		}
		return fmt.Errorf("a %s is wanted%s, not a %s", jsonKind(e.Type), where, kindOnly(e.Value))
	}
	return err
}

// kindOnly strips the literal that encoding/json appends to "number".
func kindOnly(s string) string { k, _, _ := strings.Cut(s, " "); return k }

func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "whole number"
	case reflect.Slice:
		return "list"
	case reflect.Struct, reflect.Map:
		return "object"
	default:
		return t.Kind().String()
	}
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
	if err := genesys.CheckURLs(r.BaseURL, r.LoginURL); err != nil {
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
	r.checkObjects(&e, catalogue)
	return e.orNil()
}

func (r Record) checkPolling(e *InvalidError, catalogue *genesys.Catalogue) {
	_, err := poller.NewPlan(r.polling(), &poller.PlanOptions{Resolve: resolver(catalogue)})
	for _, err := range flatten(err) {
		field, problem := "polling", err.Error()
		if entry, ok := errors.AsType[*poller.EntryError](err); ok {
			field, problem = fmt.Sprintf("polling[%d].cron", entry.Index), entry.Err.Error()
			if entry.Field == "object" {
				field = fmt.Sprintf("polling[%d].object", entry.Index)
				problem = fmt.Sprintf("%q: %s", entry.Object, problem)
			}
			if errors.Is(err, poller.ErrUnknownObject) {
				problem += suggestion(catalogue, entry.Object)
			}
		}
		e.add(field, "%s", strings.TrimPrefix(problem, "poller: "))
	}
}

func (r Record) checkObjects(e *InvalidError, catalogue *genesys.Catalogue) {
	resolve := resolver(catalogue)
	for i, name := range r.Objects {
		if _, ok := resolve(name); !ok {
			e.add(fmt.Sprintf("objects[%d]", i), "%q is no object type%s", name, suggestion(catalogue, name))
		}
	}
	for i, rule := range r.Ignore {
		at := fmt.Sprintf("ignore[%d]", i)
		if _, ok := resolve(rule.Object); !ok && rule.Object != poller.AllObjects {
			e.add(at+".object", "%q is no object type%s", rule.Object, suggestion(catalogue, rule.Object))
		}
		if _, err := history.Compile(history.Shape{Ignore: []string{rule.Field}}); err != nil {
			e.add(at+".field", "%s", strings.TrimPrefix(err.Error(), "history: "))
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
