package genesystest_test

import (
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
