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

// A fieldWalk follows the official models of one type and collects the paths that fields.tsv says something of, by kind.
type fieldWalk struct {
	typ    string
	about  map[[2]string]decision
	orders map[[2]string]decision
	kinds  map[string]map[string]bool
	names  map[string]map[string]bool // paths by the name of their last member
	loops  map[string]bool            // prefixes below which a model comes again
	exact  bool                       // there are names that customers choose
	used   map[decision]bool
	open   map[string]bool // fields that look like noise and that nobody has decided about
}

func newFieldWalk(typ string, all []decision) *fieldWalk {
	w := &fieldWalk{
		typ: typ, about: map[[2]string]decision{}, orders: map[[2]string]decision{},
		kinds: map[string]map[string]bool{}, names: map[string]map[string]bool{}, loops: map[string]bool{}, used: map[decision]bool{}, open: map[string]bool{},
	}
	for _, d := range all {
		if d.isOrder() {
			w.orders[[2]string{d.model, d.field}] = d
		} else {
			w.about[[2]string{d.model, d.field}] = d
		}
	}
	return w
}

func (w *fieldWalk) add(kind, path string) {
	if w.kinds[kind] == nil {
		w.kinds[kind] = map[string]bool{}
	}
	w.kinds[kind][path] = true
}

// common names move in every reference to another object, also in those that no model tells of.
var common = [][2]string{{"identity", "selfUri"}, {"provenance", "dateModified"}}

// run follows the models of what is listed and of what is read by ID.
func (w *fieldWalk) run(all []decision) {
	for _, d := range all {
		if d.model == w.typ && strings.Contains(d.field, "*") || d.field == "." && d.model == w.typ {
			w.used[d] = true
			w.take(d, d.field)
		}
	}
	models := official.TypeModels()[w.typ]
	for _, model := range []string{models.Item, models.ByID} {
		w.model(model, "", map[string]string{model: ""})
	}
	t, _ := DefaultCatalogue().Lookup(w.typ)
	for _, part := range t.Parts {
		if o, ok := operation("GET", part.Path); ok && part.Field == "" {
			w.model(o.Answer, part.Member+".", map[string]string{o.Answer: part.Member})
		}
	}
	w.unroll()
	for _, c := range common {
		if kind, name := c[0], c[1]; !w.kinds["names"]["."] && w.isEverywhere(w.kinds[kind], name) {
			w.add(kind, name)
			if !w.exact {
				w.add(kind, "**."+name)
			}
		}
	}
}

// isEverywhere reports whether a name is among the paths wherever the models have it.
func (w *fieldWalk) isEverywhere(paths map[string]bool, name string) bool {
	for path := range w.names[name] {
		if !paths[path] {
			return false
		}
	}
	return true
}

// model follows a model at a prefix. Above holds the models around it, with their prefixes.
func (w *fieldWalk) model(model, prefix string, above map[string]string) {
	for _, f := range official.Models()[model] {
		path := prefix + f.Name
		if w.names[f.Name] == nil {
			w.names[f.Name] = map[string]bool{}
		}
		w.names[f.Name][path] = true
		d := w.decide(path, model, f.Name)
		if !w.take(d, path) {
			if d.class == "reference" && slices.ContainsFunc(official.Models()[f.Type], func(f official.Field) bool { return f.Name == "selfUri" }) {
				w.add("identity", path+step(f)+"selfUri")
			}
			w.order(model, f.Name, path, d)
			continue
		}
		w.order(model, f.Name, path, d)
		if official.Models()[f.Type] == nil {
			continue
		}
		if again, ok := above[f.Type]; ok {
			w.loops[again] = true
			continue
		}
		within := maps.Clone(above)
		within[f.Type] = path + step(f)
		w.model(f.Type, path+step(f), within)
	}
}

// unroll says of what is below a model that holds others of its kind that it is the same at any depth.
func (w *fieldWalk) unroll() {
	for prefix := range w.loops {
		if prefix == "" && w.exact {
			continue
		}
		for _, kind := range []string{"identity", "provenance", "state", "counter", "set"} {
			for path := range maps.Clone(w.kinds[kind]) {
				if rest, ok := strings.CutPrefix(path, prefix); ok && !strings.Contains(path, "**") {
					w.add(kind, prefix+"**."+rest)
				}
			}
		}
	}
}

func step(f official.Field) string {
	if f.Map {
		return ".*."
	}
	return "."
}

func (w *fieldWalk) decide(path, model, field string) decision {
	for _, key := range [][2]string{{w.typ, path}, {model, field}, {"*", field}} {
		if d, ok := w.about[key]; ok {
			w.used[d] = true
			return d
		}
	}
	if noisy.MatchString(field) {
		w.open[model+"."+field] = true
	}
	return decision{class: "configuration"}
}

// take notes what a decision says of a path, and reports whether what is below it counts.
func (w *fieldWalk) take(d decision, path string) (deeper bool) {
	switch {
	case d.class == "state" && d.detail != "":
		w.add("settles", path+":"+strings.ReplaceAll(d.detail, " ", ","))
	case d.class == "identity" || d.class == "provenance" || d.class == "state" || d.class == "counter" || d.class == "secret":
		w.add(d.class, path)
	case d.class == "signed" && d.detail == "ignored":
		w.add("ignoredURL", path)
	case d.class == "signed":
		w.add("url", path)
	case d.class == "names" || d.class == "definitions":
		w.add(d.class, path)
		w.exact = true
	case d.class == "reference":
	default: // configuration, witness
		return true
	}
	return false
}

// order notes that an array that is compared is a set.
func (w *fieldWalk) order(model, field, path string, about decision) {
	compared := about.class == "configuration" || about.class == "witness" || about.class == "reference" || about.class == ""
	for _, below := range []string{"", ".*"} {
		d, ok := w.orders[[2]string{model, field + below}]
		if ok {
			w.used[d] = true
		}
		if ok && d.class == "set" && compared {
			w.add("set", path+below)
		}
	}
}

// lines returns the type's lines of fields_by_type.tsv. A name that stands for the same thing at all its places is
// written once, with ** in front, so that it holds in places that the models do not tell of; but not where customers
// choose names. At the top it stands by itself as well.
func (w *fieldWalk) lines() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(w.kinds)) {
		paths := w.kinds[kind]
		switch kind {
		case "identity", "provenance", "state", "counter", "set":
			paths = w.shorten(paths)
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\n", w.typ, kind, strings.Join(slices.Sorted(maps.Keys(paths)), " "))
	}
	return b.String()
}

func (w *fieldWalk) shorten(paths map[string]bool) map[string]bool {
	if w.exact {
		return paths
	}
	count := map[string]int{}
	for path := range paths {
		count[lastName(path)]++
	}
	short := map[string]bool{}
	for path := range paths {
		name := lastName(path)
		if name == "*" || !paths["**."+name] && (count[name] < 3 || !w.isEverywhere(paths, name)) {
			short[path] = true
			continue
		}
		short["**."+name] = true
		if path == name {
			short[path] = true
		}
	}
	return short
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// TestFieldTable makes fields_by_type.tsv anew of fields.tsv and the official models.
func TestFieldTable(t *testing.T) {
	all := decisions(t)
	used := map[decision]bool{}
	var b strings.Builder
	for _, typ := range slices.Sorted(maps.Keys(official.TypeModels())) {
		w := newFieldWalk(typ, all)
		w.run(all)
		b.WriteString(w.lines())
		require.Empty(t, w.open, "%s has fields that look like noise: are they?", typ)
		maps.Copy(used, w.used)
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

func hasField(d decision) bool {
	name := strings.TrimSuffix(d.field, ".*")
	return slices.ContainsFunc(official.Models()[d.model], func(f official.Field) bool { return f.Name == name })
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
			"configuration", "identity", "provenance", "state", "counter", "signed", "secret", "witness", "reference", "names", "definitions", "set", "order",
		}, d.class, name)
		ordered[[2]string{d.model, d.field}] = d.isOrder()
	}
	for model := range reachable() {
		for _, f := range official.Models()[model] {
			require.True(t, !f.Array || ordered[[2]string{model, f.Name}], "%s.%s is an array: is its order of any meaning?", model, f.Name)
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
