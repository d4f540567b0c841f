package genesys

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/official"
)

var updateTables = flag.Bool("update", false, "write the tables that are made of others")

// A decision is a row of fields.tsv.
type decision struct {
	model, field, class, grade, detail, reason string
}

// decisions reads fields.tsv. A field has one decision about what it is, and one about its order if it is an array.
func decisions(tb testing.TB) []decision {
	tb.Helper()
	table, err := os.ReadFile("fields.tsv")
	require.NoError(tb, err)
	lines := strings.Split(strings.TrimSuffix(string(table), "\n"), "\n")
	require.Equal(tb, "model\tfield\tclass\tgrade\tdetail\treason", lines[0])
	all := make([]decision, 0, len(lines))
	for _, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		require.Len(tb, cells, 6, line)
		all = append(all, decision{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]})
	}
	return all
}

func (d decision) isOrder() bool { return d.class == "set" || d.class == "order" }

// noisy matches names that look as if the service, not a person, moved what they hold. Each such field is decided about
// one by one; the others are configuration.
var noisy = regexp.MustCompile(
	`(^|[a-z])(Status|Statuses|State|Counts?|Errors?|Warnings?|Version|Date|Progress|Percent|PercentComplete|Results?|Verified|` +
		`Valid|Validated|Sync|Synced|Ur[il]|UR[IL]|Size|Total|LastRun)$|` +
		`^(status|state|count|errors?|warnings?|version|date|progress|percent|valid|validated|verified|ur[il]|size|total|inUse)$|` +
		`^(date|last|next|recent|current|latest)[A-Z]|^current$|^latest$|^online`)

// TestFieldTable makes fields_by_type.tsv anew of fields.tsv and the official models.
func TestFieldTable(t *testing.T) {
	all := decisions(t)
	used := map[decision]bool{}
	types := map[string][]string{} // by their lines, which many have in common
	var order []string
	for _, typ := range slices.Sorted(maps.Keys(official.TypeModels())) {
		w := newFieldWalk(typ, all)
		w.run(all)
		lines := w.lines()
		if types[lines] == nil {
			order = append(order, lines)
		}
		types[lines] = append(types[lines], typ)
		require.Empty(t, w.open, "%s has fields that look like noise: are they?", typ)
		maps.Copy(used, w.used)
	}
	var b strings.Builder
	for _, lines := range order {
		if lines != "" {
			b.WriteString(strings.Join(types[lines], " ") + lines)
		}
	}
	for _, d := range all {
		require.True(t, used[d] || d.isOrder() && hasField(d), "%s.%s (%s) is a field that no type compares", d.model, d.field, d.class)
	}
	if *updateTables {
		require.NoError(t, os.WriteFile("fields_by_type.tsv", []byte(b.String()), 0o600))
	}
	table, err := os.ReadFile("fields_by_type.tsv")
	require.NoError(t, err)
	require.Equal(t, b.String(), string(table), "run go test ./genesys -run TestFieldTable -update")
}

// TestUncompared shows what a user is told.
func TestUncompared(t *testing.T) {
	for typ := range DefaultCatalogue().All() {
		all := typ.Uncompared()
		require.NotEmpty(t, all, typ.Name)
		for i, f := range all {
			require.True(t, i == 0 || all[i-1].Path < f.Path || all[i-1].Class != f.Class, "%s %s", typ.Name, f.Path)
			require.False(t, f.Settles != nil && slices.Contains(typ.Volatile, f.Path), "%s %s", typ.Name, f.Path)
		}
	}
	deployments, _ := DefaultCatalogue().Lookup("webdeployments.deployments")
	require.Contains(t, deployments.Uncompared(), UncomparedField{Path: "status", Class: FieldState, Settles: map[string]string{"Pending": "Active", "Error": "Active"}})
	prompts, _ := DefaultCatalogue().Lookup("architect.prompts")
	require.Contains(t, prompts.Uncompared(), UncomparedField{Path: "resources.mediaUri", Class: FieldSignedURL, Query: true})
	rows, _ := DefaultCatalogue().Lookup("flows.datatables.rows")
	require.Equal(t, []UncomparedField{{Path: ".", Class: FieldSecret, Names: true}}, rows.Uncompared())
	own := ObjectType{Name: "own.things", Volatile: []string{"moves"}, Secrets: []string{"code"}}
	require.Contains(t, own.Uncompared(), UncomparedField{Path: "moves", Class: FieldState})
	require.Contains(t, own.Uncompared(), UncomparedField{Path: "**.code", Class: FieldSecret})
}

func hasMember(model, name string) bool {
	return slices.ContainsFunc(official.Models()[model], func(f official.Field) bool { return f.Name == name })
}

func hasField(d decision) bool {
	return hasMember(d.model, strings.TrimSuffix(d.field, ".*"))
}

// TestFieldDecisions checks each row, and that no array is without one.
func TestFieldDecisions(t *testing.T) {
	all := decisions(t)
	require.True(t, slices.IsSortedFunc(all, func(a, b decision) int {
		return cmp.Or(cmp.Compare(kindOfRow(a.model), kindOfRow(b.model)), cmp.Compare(a.model, b.model), cmp.Compare(a.field, b.field))
	}), "the rows are not sorted")
	ordered := map[[2]string]bool{}
	twice := map[string]bool{}
	for _, d := range all {
		name := d.model + "." + d.field
		key := fmt.Sprint(name, d.isOrder())
		require.False(t, twice[key], "%s is decided twice", name)
		twice[key] = true
		require.Contains(t, []string{"A", "B", "C"}, d.grade, name)
		require.NotEmpty(t, d.reason, name)
		require.Contains(t, []string{
			"configuration", "identity", "provenance", "state", "counter", "signed", "secret", "borrowed", "witness", "reference", "names", "definitions", "set", "order",
		}, d.class, name)
		ordered[[2]string{d.model, d.field}] = ordered[[2]string{d.model, d.field}] || d.isOrder()
	}
	for model := range reachable() {
		for _, f := range official.Models()[model] {
			name := f.Name
			if f.Map {
				name += ".*" // each value is an array
			}
			require.True(t, !f.Array || ordered[[2]string{model, name}], "%s.%s is an array: is its order of any meaning?", model, name)
		}
	}
}

func kindOfRow(model string) int {
	switch {
	case model == "*":
		return 0
	case strings.ToLower(model[:1]) == model[:1]:
		return 1
	}
	return 2
}

// reachable returns the models that the types are made of.
func reachable() map[string]bool {
	found := map[string]bool{}
	var visit func(string)
	visit = func(model string) {
		if found[model] || official.Models()[model] == nil {
			return
		}
		found[model] = true
		for _, f := range official.Models()[model] {
			visit(f.Type)
		}
	}
	for _, models := range official.TypeModels() {
		visit(models.Item)
		visit(models.ByID)
	}
	return found
}
