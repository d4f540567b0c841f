package genesystest_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

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

// TestBodiesAreTyped holds every value, at any depth, against the type that its
// model gives it, and every nested field against its model: what a client with
// types, such as the official SDK for Go, cannot read would fail here.
func TestBodiesAreTyped(t *testing.T) {
	org := genesystest.New(nil)
	wrong := map[string]string{}
	values := 0
	for _, typ := range org.Types() {
		tm, n := official.TypeModels()[typ.Name], 0
		for id, body := range org.Objects(typ.Name) {
			if n++; n > 12 {
				break
			}
			model := cmp.Or(tm.ByID, tm.Item)
			if len(official.Models()[model]) > 0 && typ.Name != "license.users" { // its list and its GET disagree
				checkModel(decoded(t, body), model, typ.Name, func(path, problem string) { wrong[path+" "+problem] = id }, &values)
			}
		}
	}
	for problem, id := range wrong {
		t.Errorf("%s, in %s", problem, id)
	}
	t.Logf("%d values", values)
	require.Greater(t, values, 50_000)
}

// checkModel reports the values of an object that its model does not allow.
func checkModel(v any, model, path string, report func(path, problem string), values *int) {
	object, ok := v.(map[string]any)
	if !ok {
		report(path, "is no object")
		return
	}
	fields := official.Models()[model]
	for name, value := range object {
		i := slices.IndexFunc(fields, func(f official.Field) bool { return f.Name == name })
		if i < 0 {
			if path != typeName(path) { // TestFieldsAreOfficial has the others
				report(joined(path, name), "is no field of "+model)
			}
			continue
		}
		checkField(value, fields[i], joined(path, name), report, values)
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

func checkField(v any, f official.Field, path string, report func(path, problem string), values *int) {
	*values++
	switch {
	case v == nil:
		return
	case f.Array:
		list, ok := v.([]any)
		if !ok {
			report(path, "is no array")
		}
		f.Array = false
		for _, e := range list {
			checkField(e, f, path, report, values)
		}
		return
	case f.Map:
		object, ok := v.(map[string]any)
		if !ok {
			report(path, "is no object")
		}
		f.Map = false
		for _, e := range object {
			checkField(e, f, path+".*", report, values)
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
	default:
		if len(official.Models()[f.Type]) > 0 {
			checkModel(v, f.Type, path, report, values)
		}
	}
	if !ok {
		report(path, "is no "+f.Type)
	}
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
