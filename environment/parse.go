package environment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/spelling"
)

// How a person's record is read. encoding/json stops at the first error, takes unknown and repeated
// members silently, and names a Go type where a person wrote a JSON field. So the record is decoded
// here field by field, by reflection over Record's JSON names: every problem is found, each with
// its place, such as polling[2].cron. No error repeats a value: it might be a secret in the wrong
// place.

// ownFields are set by the Engine; a person's record must not have them.
var ownFields = []string{"id", "paused", "created", "updated", "deleting", "revision"}

// ParseRecord reads a record as a person writes it: one JSON object with the fields of Record but
// those that the Engine sets. Unknown and repeated fields and values of the wrong type are reported
// all at once, as an *InvalidError, together with what Record.Check finds with the default
// catalogue. AuditMinutes defaults to DefaultAuditMinutes. What is no JSON object at all is another
// error, with line and column.
func ParseRecord(data []byte) (Record, error) {
	r := Record{AuditMinutes: DefaultAuditMinutes}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // some editors begin a file with it
	if err := checkSyntax(data); err != nil {
		return r, fmt.Errorf("environment: the record is not a JSON object: %w", err)
	}
	var invalid InvalidError
	invalid.decode("", data, reflect.ValueOf(&r).Elem())
	broken := map[string]bool{} // what could not be read looks empty to Check, which would complain again
	for _, p := range invalid.Problems {
		broken[topField(p.Field)] = true
	}
	if more, ok := errors.AsType[*InvalidError](r.Check(nil)); ok {
		for _, p := range more.Problems {
			if !broken[topField(p.Field)] {
				invalid.Problems = append(invalid.Problems, p)
			}
		}
	}
	slices.SortStableFunc(invalid.Problems, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return r, invalid.orNil()
}

// topField returns the field of the record that "polling[2].cron" is part of.
func topField(field string) string {
	return field[:len(field)-len(strings.TrimLeft(field, lettersOfFields))]
}

const lettersOfFields = "abcdefghijklmnopqrstuvwxyz_"

// checkSyntax refuses what is no JSON object, and says where it ceases to be one.
func checkSyntax(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return errors.New("it is in UTF-16; save it as UTF-8")
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("it is empty")
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(data, &object)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		before := data[:min(max(syntax.Offset-1, 0), int64(len(data)))]
		line := bytes.Count(before, []byte("\n")) + 1
		return fmt.Errorf("line %d, column %d: %w", line, len(before)-bytes.LastIndexByte(before, '\n'), err)
	}
	if err == nil && object == nil {
		return errors.New("it is null")
	}
	return withoutValue(err)
}

// decode puts a JSON value into a field of a record, and adds what is wrong with it
// and with what is inside. at is the field's name; "" for the record itself.
// encoding/json alone would let a repeated or misspelt member pass, or stop there.
func (e *InvalidError) decode(at string, raw json.RawMessage, into reflect.Value) {
	_, decodesItself := reflect.TypeAssert[json.Unmarshaler](into.Addr())
	switch kind := into.Kind(); {
	case string(bytes.TrimSpace(raw)) == "null":
		return // as if it were left out
	case kind == reflect.Struct && !decodesItself:
		e.decodeObject(at, raw, into)
	case kind == reflect.Slice:
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			e.add(at, "a list is wanted, not %s", article(kindOf(raw)))
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
		for i, item := range items {
			e.decode(fmt.Sprintf("%s[%d]", at, i), item, into.Index(i))
		}
	case kind == reflect.Int:
		e.decodeInt(at, raw, into)
	default:
		if err := json.Unmarshal(raw, into.Addr().Interface()); err != nil {
			e.add(at, "%v", withoutValue(err))
		}
	}
}

// decodeInt takes a whole number however it is written: 250, 250.0 or 2.5e2.
func (e *InvalidError) decodeInt(at string, raw json.RawMessage, into reflect.Value) {
	var n float64
	switch err := json.Unmarshal(raw, &n); {
	case err != nil && kindOf(raw) == "number", math.Abs(n) > math.MaxInt32:
		e.add(at, "the number is too large")
	case err != nil:
		e.add(at, "a whole number is wanted, not %s", article(kindOf(raw)))
	case n != math.Trunc(n):
		e.add(at, "a whole number is wanted, not a fraction")
	default:
		into.SetInt(int64(n))
	}
}

// decodeObject is decode for the record, an entry of polling or a rule of ignore.
func (e *InvalidError) decodeObject(at string, raw json.RawMessage, into reflect.Value) {
	if kindOf(raw) != "object" {
		e.add(at, "an object is wanted, not %s", article(kindOf(raw)))
		return
	}
	byName := map[string]reflect.Value{}
	for i := range into.NumField() {
		name, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		byName[name] = into.Field(i)
	}
	prefix := ""
	if at != "" {
		prefix = at + "."
	}
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(raw))
	_, _ = d.Token() // the brace; the syntax was checked
	for d.More() {
		key, _ := d.Token()
		name, _ := key.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil && !errors.Is(err, io.EOF) {
			e.add(prefix+name, "%v", withoutValue(err))
			return
		}
		field, known := byName[name]
		switch {
		case seen[name]:
			e.add(prefix+name, "is there more than once")
		case at == "" && slices.Contains(ownFields, name):
			e.add(prefix+name, "is set by the engine; leave it out")
		case !known:
			e.add(prefix+name, "unknown field%s", meantField(name, byName))
		default:
			e.decode(prefix+name, value, field)
		}
		seen[name] = true
	}
}

// formerNames are what fields of a record were once called, to suggest the present name.
var formerNames = map[string]string{"objects": "types", "object": "type"}

// meantField suggests the field that somebody had in mind who wrote another name.
func meantField(name string, fields map[string]reflect.Value) string {
	best := formerNames[strings.ToLower(name)]
	if _, ok := fields[best]; !ok {
		best = spelling.Closest(name, func(yield func(string) bool) {
			for field := range fields {
				if !slices.Contains(ownFields, field) && !yield(field) {
					return
				}
			}
		})
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// withoutValue rewords encoding/json's errors without the offending value,
// which may be a secret in the wrong place.
func withoutValue(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind, _, _ := strings.Cut(e.Value, " ") // encoding/json appends the literal to "number"
		return fmt.Errorf("%s is wanted, not %s", article(jsonKind(e.Type)), article(kind))
	}
	return err
}

func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Map:
		return "object"
	default:
		return t.Kind().String()
	}
}

func article(kind string) string {
	if kind == "object" || kind == "array" {
		return "an " + kind
	}
	return "a " + kind
}

// kindOf names the kind of a JSON value.
func kindOf(raw json.RawMessage) string {
	switch c := bytes.TrimSpace(raw)[0]; c {
	case '{':
		return "object"
	case '[':
		return "list"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}
