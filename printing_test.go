package cxsync_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// printers are values of all exported types that print themselves, as errors or otherwise.
var printers = []any{
	environment.FieldError{},
	environment.InvalidError{},
	environment.OtherOrgError{},
	environment.Secret{},
	environment.TypeError{},
	environment.Validation{},
	diff.Digest{},
	diff.FieldChange{},
	diff.PathError{},
	history.Actor{},
	history.Attribution{},
	history.Change{},
	history.Difference{},
	history.Hit{},
	history.Ref{},
	history.Reference{},
	history.RefusedError{},
	history.UnclearError{},
	history.UndoPlan{},
	genesys.APIError{},
	genesys.AuthError{},
	genesys.Config{},
	genesys.IncompleteError{},
	genesys.Meaning(0),
	genesys.Role{},
	poller.DeferredError{},
	poller.EntryError{},
	poller.PanicError{},
	poller.ParseError{},
	poller.Schedule{},
	ratelimit.DeadlineError{},
	ratelimit.Limit{},
	ratelimit.State{},
	storage.KeyError{},
	storage.LockedError{},
}

// Whatever texts a value holds, what it prints is one that a terminal can show: no control character but the line breaks
// that are its own, and no line that a text has made.
func TestWhatPrintsItselfIsTame(t *testing.T) {
	covered := map[string]bool{}
	for _, p := range printers {
		name := reflect.TypeOf(p).String()
		covered[name] = true
		value := reflect.New(reflect.TypeOf(p))
		fillHostile(value.Elem(), 0)
		text := ""
		func() {
			defer func() {
				if problem := recover(); problem != nil {
					t.Errorf("%s panics: %v", name, problem)
				}
			}()
			switch v := value.Interface().(type) {
			case error:
				text = v.Error()
			case fmt.Stringer:
				text = v.String()
			}
		}()
		for i, r := range text {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == unicode.ReplacementChar) {
				t.Errorf("%s prints %q: %q", name, r, text[max(0, i-40):min(len(text), i+20)])
				break
			}
		}
		if regexp.MustCompile(`(?m)^\s*forged`).MatchString(text) {
			t.Errorf("%s has a line that is not its own: %q", name, text)
		}
		if len(text) > 20_000 {
			t.Errorf("%s prints %d bytes", name, len(text))
		}
	}
	if missing := slices.DeleteFunc(exportedPrinters(t), func(name string) bool { return covered[name] }); len(missing) > 0 {
		t.Errorf("not in the list: %v", missing)
	}
	if all := exportedPrinters(t); len(all) < len(covered) {
		t.Errorf("%d in the list of %d", len(covered), len(all))
	}
}

// fillHostile puts hostile texts wherever v has room for one.
func fillHostile(v reflect.Value, depth int) {
	if !v.CanSet() || depth > 6 {
		return
	}
	text := "a" + genesystest.HostileText + "z"
	switch v.Type() {
	case reflect.TypeFor[json.RawMessage]():
		quoted, _ := json.Marshal(text)
		v.SetBytes(slices.Concat([]byte{'"'}, []byte("\u009b2J\u202e"), quoted[1:]))
		return
	case reflect.TypeFor[error]():
		v.Set(reflect.ValueOf(errors.New("failed")))
		return
	case reflect.TypeFor[time.Time](), reflect.TypeFor[environment.Secret]():
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(2)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fillHostile(field, depth+1)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillHostile(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fillHostile(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillHostile(key, depth+1)
		fillHostile(value, depth+1)
		v.SetMapIndex(key, value)
	}
}

// exportedPrinters returns the names of the exported types with a method String or Error.
func exportedPrinters(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	method := regexp.MustCompile(`(?m)^func \(\w* ?\*?([A-Z]\w*)\) (?:String|Error)\(\) string`)
	for _, dir := range []string{"environment", "genesys", "history", "history/diff", "poller", "ratelimit", "storage"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range method.FindAllSubmatch(text, -1) {
				found[filepath.Base(dir)+"."+string(m[1])] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
