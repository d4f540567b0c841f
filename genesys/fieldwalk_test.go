package genesys

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/official"
)

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
		d := w.decide(path, model, f.Name, prefix != "")
		if !w.take(d, path) {
			if d.class == "reference" {
				w.reference(f, path)
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
			w.again(f, path)
			continue
		}
		within := maps.Clone(above)
		within[f.Type] = path + step(f)
		w.model(f.Type, path+step(f), within)
	}
}

// reference notes what of a reference belongs to the object that it leads to.
func (w *fieldWalk) reference(f official.Field, path string) {
	for _, member := range official.Models()[f.Type] {
		if member.Name == "selfUri" {
			w.add("identity", path+step(f)+"selfUri")
		}
	}
	w.add("borrowed", path+step(f)+"*")
}

// again notes what is borrowed where a model comes again below itself, which is not followed.
func (w *fieldWalk) again(f official.Field, path string) {
	for _, member := range official.Models()[f.Type] {
		if d := w.decide(path+step(f)+member.Name, f.Type, member.Name, true); d.class == "borrowed" {
			w.add("borrowed", path+step(f)+member.Name)
		}
	}
}

// unroll says of what is below a model that holds others of its kind that it is the same at any depth.
func (w *fieldWalk) unroll() {
	for prefix := range w.loops {
		if prefix == "" && w.exact {
			continue
		}
		for _, kind := range []string{"identity", "provenance", "state", "counter", "set", "borrowed"} {
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

// decide returns the decision about a field. Where the model stands inside of another object, one about ".field" comes first:
// a name there is mostly that of yet another object, so each is decided about.
func (w *fieldWalk) decide(path, model, field string, inside bool) decision {
	keys := [][2]string{{w.typ, path}, {model, field}, {"*", field}}
	if inside {
		keys = slices.Insert(keys, 1, [2]string{model, "." + field})
	}
	for _, key := range keys {
		if d, ok := w.about[key]; ok {
			w.used[d] = true
			return d
		}
	}
	if noisy.MatchString(field) || inside && field == "name" && hasMember(model, "id") {
		w.open[model+"."+field] = true
	}
	return decision{class: "configuration"}
}

// take notes what a decision says of a path, and reports whether what is below it counts.
func (w *fieldWalk) take(d decision, path string) (deeper bool) {
	switch {
	case d.class == "state" && d.detail != "":
		w.add("settles", path+":"+strings.ReplaceAll(d.detail, " ", ","))
	case d.class == "identity" || d.class == "provenance" || d.class == "state" || d.class == "counter" || d.class == "secret" || d.class == "borrowed":
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

// lines returns the type's lines of fields_by_type.tsv, without its name. A name that stands for the same thing at all its places is
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
		fmt.Fprintf(&b, "\t%s\t%s\n", kind, strings.Join(slices.Sorted(maps.Keys(paths)), " "))
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
