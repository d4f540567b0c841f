package genesystest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/internal/official"
)

// beyondModels are fields that no model documents and that the service answers
// all the same.
var beyondModels = map[string][]string{
	// The SDK has the rows as ranges; they have a numberId.
	"telephony.numbers.routing": {"id", "name", "numberId"},
}

// officialFields are the names that the official models of a type have, nil
// where the type has none.
func officialFields(t genesys.ObjectType) map[string]bool {
	tm := official.TypeModels()[t.Name]
	fields := map[string]bool{}
	for _, model := range []string{tm.Item, tm.ByID} {
		for _, f := range official.Models()[model] {
			fields[f.Name] = true
		}
	}
	return fields
}

// expanded reads the first object with every field that is missing as an expand.
func (c *caller) expanded(typ genesys.ObjectType, known, seen map[string]bool) map[string]any {
	c.t.Helper()
	var missing []string
	for name := range known {
		if !seen[name] {
			missing = append(missing, strings.ToLower(name))
		}
	}
	if typ.Get == "" || typ.Parent != "" || typ.Paging == genesys.PagingSingleton || len(missing) == 0 {
		return nil
	}
	before, _, _ := strings.Cut(typ.Get, "{")
	return c.get(before + firstID(c.org, typ.Name) + "?expand=" + strings.Join(missing, ",")).json()
}

// TestFieldsAreOfficial holds what occurs in the default org against the
// official models: nearly every field is there, and no other one.
func TestFieldsAreOfficial(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	var sum float64
	var poor, empty []string
	types := 0
	for _, typ := range org.Types() {
		known := officialFields(typ)
		seen, objects := map[string]bool{}, 0
		for _, body := range org.Objects(typ.Name) {
			objects++
			var members map[string]json.RawMessage
			if json.Unmarshal(body, &members) == nil {
				for name := range members {
					seen[name] = true
				}
			}
			if objects > 200 {
				break
			}
		}
		for name := range c.expanded(typ, known, seen) {
			seen[name] = true
		}
		if objects == 0 {
			empty = append(empty, typ.Name)
			continue
		}
		if len(known) == 0 {
			continue
		}
		types++
		var missing, invented []string
		for name := range known {
			if !seen[name] {
				missing = append(missing, name)
			}
		}
		for name := range seen {
			if !known[name] && !slices.Contains(beyondModels[typ.Name], name) {
				invented = append(invented, name)
			}
		}
		covered := 1 - float64(len(missing))/float64(len(known))
		sum += covered
		if covered < 0.9 {
			slices.Sort(missing)
			poor = append(poor, typ.Name+" lacks "+strings.Join(missing, " "))
		}
		if len(invented) > 0 {
			slices.Sort(invented)
			t.Errorf("%s: fields that no model has: %s", typ.Name, strings.Join(invented, " "))
		}
	}
	t.Logf("%d types, mean coverage of official fields %.1f %%, %d types under 90 %%, %d without an object", types, 100*sum/float64(types), len(poor), len(empty))
	t.Logf("under 90 %%:\n%s\nwithout an object: %s", strings.Join(poor, "\n"), strings.Join(empty, " "))
	require.GreaterOrEqual(t, sum/float64(types), 0.97)
	require.LessOrEqual(t, len(poor), 10)
	require.LessOrEqual(t, len(empty), 12)
}

// TestBodiesAreTyped holds every value, at any depth, against the type and the format
// that its model gives it, and every nested field against its model: what a client with
// types, such as the official SDK for Go, cannot read would fail here. Where lists
// answer another model than GET does, they are held against theirs.
func TestBodiesAreTyped(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	check := &typeCheck{formats: readFormats(t), wrong: map[string]string{}}
	for _, typ := range org.Types() {
		tm, n := official.TypeModels()[typ.Name], 0
		for id, body := range org.Objects(typ.Name) {
			if n++; n > 12 {
				break
			}
			check.id = id
			check.model(decoded(t, body), cmp.Or(tm.ByID, tm.Item), typ.Name)
		}
		if tm.ByID != "" && tm.ByID != tm.Item && typ.Parent == "" && typ.Divisions == "" {
			items, _ := c.walk(typ, typ.Path, max(typ.PageSize, 25))
			for _, item := range items[:min(12, len(items))] {
				check.id = "the list"
				check.model(item, tm.Item, typ.Name)
			}
		}
	}
	for problem, id := range check.wrong {
		t.Errorf("%s, in %s", problem, id)
	}
	t.Logf("%d values, %d of them with a format", check.values, check.formatted)
	require.Greater(t, check.values, 50_000)
	require.Greater(t, check.formatted, 10_000)
}

// A typeCheck holds values against models, and reports what these do not allow.
type typeCheck struct {
	formats           map[[2]string]string // of fields, by model and name, as details.tsv has them
	id                string               // of the object that is looked at
	wrong             map[string]string    // problems, with the first object that has them
	values, formatted int
}

// readFormats reads the formats of fields.
func readFormats(t *testing.T) map[[2]string]string {
	t.Helper()
	table, err := os.ReadFile("data/details.tsv")
	require.NoError(t, err)
	formats := map[[2]string]string{}
	for line := range strings.Lines(string(table)) {
		model, words, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for word := range strings.FieldsSeq(words) {
			name, format, _ := strings.Cut(word, "=")
			formats[[2]string{model, strings.TrimSuffix(name, "!")}] = format
		}
	}
	return formats
}

func (c *typeCheck) report(path, problem string) {
	if _, known := c.wrong[path+" "+problem]; !known {
		c.wrong[path+" "+problem] = c.id
	}
}

// model reports the values of an object that its model does not allow.
func (c *typeCheck) model(v any, model, path string) {
	fields := official.Models()[model]
	if len(fields) == 0 { // one that says nothing
		return
	}
	object, ok := v.(map[string]any)
	if !ok {
		c.report(path, "is no object")
		return
	}
	for name, value := range object {
		i := slices.IndexFunc(fields, func(f official.Field) bool { return f.Name == name })
		if i < 0 {
			if path != typeName(path) { // TestFieldsAreOfficial has the others
				c.report(joined(path, name), "is no field of "+model)
			}
			continue
		}
		c.field(value, fields[i], c.formats[[2]string{model, name}], joined(path, name))
	}
}

// joined is the path of a field; a colon follows the type's name.
func joined(path, name string) string {
	if typeName(path) == path {
		return path + ":" + name
	}
	return path + "." + name
}

// typeName is the part of a path that names the type.
func typeName(path string) string {
	name, _, _ := strings.Cut(path, ":")
	return name
}

func (c *typeCheck) field(v any, f official.Field, format, path string) {
	c.values++
	switch {
	case v == nil:
		return
	case f.Map:
		object, ok := v.(map[string]any)
		if !ok {
			c.report(path, "is no object")
		}
		f.Map = false
		for _, e := range object {
			c.field(e, f, format, path+".*")
		}
		return
	case f.Array:
		list, ok := v.([]any)
		if !ok {
			c.report(path, "is no array")
		}
		f.Array = false
		for _, e := range list {
			c.field(e, f, format, path)
		}
		return
	}
	ok := true
	switch f.Type {
	case "string":
		_, ok = v.(string)
	case "number":
		_, ok = v.(float64)
	case "boolean":
		_, ok = v.(bool)
	case "object":
	case "Array<string>":
		c.field(v, official.Field{Type: "string", Array: true}, format, path)
	default:
		c.model(v, f.Type, path)
	}
	if !ok {
		c.report(path, "is no "+f.Type)
	} else if format != "" {
		c.formatted++
		if !isOf(format, v) {
			c.report(path, fmt.Sprintf("has %v, which is no %s", v, format))
		}
	}
}

// isOf reports whether a value has the format of its field. Of an enumeration the table
// has eight values and no more.
func isOf(format string, v any) bool {
	text := fmt.Sprint(v)
	layouts := map[string]string{"time": time.RFC3339, "date": time.DateOnly, "localtime": "2006-01-02T15:04:05"}
	switch format {
	case "time", "date", "localtime":
		_, err := time.Parse(layouts[format], text)
		return err == nil
	case "interval":
		from, to, _ := strings.Cut(text, "/")
		return isOf("time", from) && isOf("time", to)
	case "int":
		n, isNumber := v.(float64)
		return isNumber && n == math.Trunc(n)
	case "float":
		return true
	}
	values := strings.Split(strings.TrimSuffix(format, "|"), "|")
	return len(values) >= 8 || slices.Contains(values, text)
}

// TestRequiredFieldsAreThere: every object has the fields that its model
// requires, and those without which official clients stop.
func TestRequiredFieldsAreThere(t *testing.T) {
	org := genesystest.New(nil)
	for path, typ := range map[string]string{
		"defaultCountryCode": "organizations.me", "knowledgeBase.id": "knowledge.categories", "jsonSchema": "taskmanagement.workitems.schemas",
		"directRouting.callMediaSettings.useAgentAddressOutbound": "routing.queues", "ignoreFrequencyCap": "journey.actionmaps",
		"mediaType": "journey.actiontemplates", "state": "journey.actiontemplates", "outcome.id": "journey.outcomes.predictors",
		"contentLocation": "responsemanagement.responseassets", "worktype.id": "taskmanagement.worktypes.rules.oncreate",
		"id": "conversations.messaging.supportedcontent.default", "name": "outbound.campaigns", "dialingMode": "outbound.campaigns",
		"phoneColumns": "outbound.campaigns", "callerAddress": "outbound.campaigns", "version": "users", "contactList.id": "outbound.campaigns",
	} {
		n := 0
		for id, body := range org.Objects(typ) {
			require.NotEmpty(t, at(decoded(t, body), path), "%s %s: %s", typ, id, path)
			n++
		}
		require.Positive(t, n, typ)
	}
}
