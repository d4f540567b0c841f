package genesystest

import (
	"bufio"
	"bytes"
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/official"
)

// Bodies follow the official models of internal/official. A template says what
// it wants to say of an object; every field of the model that it leaves out is
// generated. Three tables tell how: details.tsv the format of fields, as the
// official SDK for .NET 270.0.0 declares them (a "!" for required ones, dates,
// whole numbers, the first eight values of enumerations); references.txt the
// types that fields refer to; guesses.txt what is plausible for all others.

// maxDepth is how many models below the object's own are filled.
const maxDepth = 3

// A modelForm is an official model, ready to be written.
type modelForm struct {
	name       string
	properties []*property
	byName     map[string]*property
}

func (m *modelForm) has(name string) bool { return m != nil && m.byName[name] != nil }

// A property is one field of a model.
type property struct {
	name     string
	key      []byte // with quotes and colon
	required bool
	array    bool
	mapped   bool // an object with free keys, whose values are arrays if array is set too
	salt     uint64
	scalar   node       // nil for models and references
	model    *modelForm // nil for scalars
	target   string     // type that the value refers to
}

//go:embed data/details.tsv
var detailsTable string

//go:embed data/references.txt
var referenceTable string

//go:embed data/guesses.txt
var guessTable string

//go:embed data/required.txt
var requiredTable string

//go:embed data/expands.txt
var expandTable string

// A fieldDetail is what the table details.tsv has of a field.
type fieldDetail struct {
	required bool
	kind     string   // time, date, localtime, interval, int, float
	values   []string // of an enumeration
}

var details = sync.OnceValue(func() map[string]map[string]fieldDetail {
	all := map[string]map[string]fieldDetail{}
	for line := range strings.Lines(detailsTable) {
		model, words, _ := strings.Cut(strings.TrimSpace(line), "\t")
		fields := map[string]fieldDetail{}
		for word := range strings.FieldsSeq(words) {
			var d fieldDetail
			name, kind, _ := strings.Cut(word, "=")
			name, d.required = strings.CutSuffix(name, "!")
			if strings.Contains(kind, "|") {
				d.values = strings.Split(strings.TrimSuffix(kind, "|"), "|")
			} else {
				d.kind = kind
			}
			fields[name] = d
		}
		all[model] = fields
	}
	return all
})

// referenceTypes maps the endings of field names to types.
var referenceTypes = sync.OnceValue(func() map[string]string {
	types := map[string]string{}
	for words := range tableLines(referenceTable) {
		for _, word := range words[1:] {
			if types[word] = words[0]; words[0] == "-" {
				types[word] = ""
			}
		}
	}
	return types
})

// expandsOf maps models and their fields to the expand that the fields need.
var expandsOf = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for words := range tableLines(expandTable) {
		all[words[0]] = map[string]string{}
		for _, word := range words[1:] {
			name, expand, ok := strings.Cut(word, "=")
			if !ok {
				expand = name
			}
			all[words[0]][name] = expand
		}
	}
	return all
})

// tableLines yields the words of the lines that are no comments.
func tableLines(table string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(table) {
			if words := strings.Fields(line); len(words) > 0 && words[0] != "#" && !yield(words) {
				return
			}
		}
	}
}

// guesses maps the endings of field names to templates.
type guesses struct{ texts, numbers map[string]string }

var loadGuesses = sync.OnceValue(func() guesses {
	g := guesses{map[string]string{}, map[string]string{}}
	into := g.texts
	s := bufio.NewScanner(bytes.NewBufferString(guessTable))
	for s.Scan() {
		template, endings, _ := strings.Cut(s.Text(), "\t")
		switch {
		case template == "numbers":
			into = g.numbers
		case endings == "":
		default:
			for ending := range strings.FieldsSeq(endings) {
				into[ending] = template
			}
		}
	}
	return g
})

// modelForms are all official models, by name.
var modelForms = sync.OnceValues(func() (map[string]*modelForm, error) {
	all := make(map[string]*modelForm, len(official.Models()))
	for name := range official.Models() {
		all[name] = &modelForm{name: name, byName: map[string]*property{}}
	}
	entities, required := entityModels(), map[string][]string{}
	for words := range tableLines(requiredTable) {
		required[words[0]] = words[1:]
	}
	c := &compiler{form: &form{detail: map[string]bool{}, expand: map[string]string{}}}
	for name, fields := range official.Models() {
		m := all[name]
		for _, f := range fields {
			p := &property{
				name: f.Name, key: append(quote(f.Name), ':'), array: f.Array, mapped: f.Map,
				salt: hashText(hashText(0, name), f.Name), model: all[f.Type],
			}
			d := details()[name][f.Name]
			p.required = d.required || slices.Contains(required[name], f.Name)
			p.target = targetOf(m, p, f.Type, entities)
			if p.model == nil {
				p.scalar = c.scalar(p, f.Type, d)
			}
			m.properties = append(m.properties, p)
			m.byName[f.Name] = p
		}
	}
	return all, c.err
})

// entityModels are the models whose objects are listed at the top, by name. One
// that several types share stands for the first of them.
func entityModels() map[string]string {
	types := map[string]string{}
	for t := range genesys.DefaultCatalogue().All() {
		if t.Parent != "" || t.Paging == genesys.PagingSingleton || len(t.ID) != 1 {
			continue
		}
		tm := official.TypeModels()[t.Name]
		for _, model := range []string{tm.Item, tm.ByID} {
			if _, known := types[model]; !known && len(official.Models()[model]) > 3 { // those with fewer fields refer to anything
				types[model] = t.Name
			}
		}
	}
	return types
}

// targetOf finds the type that a field refers to.
func targetOf(owner *modelForm, p *property, typ string, entities map[string]string) string {
	refs := referenceTypes()
	if p.model == nil {
		word, isID := strings.CutSuffix(strings.TrimSuffix(p.name, "s"), "Id")
		if typ != "string" || p.mapped || !isID && !strings.HasSuffix(p.name, "By") && !strings.HasSuffix(p.name, "ByApp") {
			return ""
		}
		return lookupEnding(refs, word)
	}
	fields := official.Models()[typ]
	if len(fields) == 0 || fields[0].Name != "id" {
		return ""
	}
	if t, ok := refs[strings.ToLower(owner.name+"."+p.name)]; ok {
		return t
	}
	if t, ok := refs[strings.ToLower(typ)]; ok {
		return t
	}
	if t := entities[typ]; t != "" {
		return t
	}
	return lookupEnding(refs, p.name)
}

func lookupEnding(table map[string]string, name string) string {
	for ending := range endings(name) {
		if found, ok := table[ending]; ok {
			return found
		}
	}
	return ""
}

// scalar is the value of a field that is neither a model nor a reference.
func (c *compiler) scalar(p *property, typ string, d fieldDetail) node {
	lower := strings.ToLower(p.name)
	switch {
	case len(d.values) > 0:
		return choiceOf(d.values, typ == "number")
	case typ == "boolean" && strings.Contains(lower, "deleted"):
		return literal("false")
	case typ == "boolean":
		return c.generated("@bool(60)", p)
	case typ == "number":
		template := lookupEnding(loadGuesses().numbers, p.name)
		if template == "" || d.kind == "float" && template == "@version" {
			template = "@int(1,60)"
		}
		if d.kind == "float" {
			template = strings.Replace(template, "@int", "@decimal", 1)
		}
		return c.generated(template, p)
	case typ == "string":
		return c.generated(textTemplate(p, d), p)
	case typ == "Array<string>":
		return c.generated(`["@word"]`, p)
	case p.mapped:
		return c.generated("@word", p)
	default: // anything at all
		return c.generated(`{"note":"@word"}`, p)
	}
}

func textTemplate(p *property, d fieldDetail) string {
	switch d.kind {
	case "time":
		if t := lookupEnding(loadGuesses().texts, p.name); t == "@created" || t == "@modified" {
			return t
		}
		return "@moment"
	case "date":
		return "2025-0@num(1,9)-1@num(0,9)"
	case "localtime":
		return "2025-0@num(1,9)-1@num(0,9)T08:00:00.000"
	case "interval":
		return "2025-0@num(1,6)-01T00:00:00.000Z/2025-0@num(7,9)-01T00:00:00.000Z"
	}
	if p.name == "name" {
		return "@field @num(1,99)"
	}
	if t := lookupEnding(loadGuesses().texts, p.name); t != "" {
		return t
	}
	if rest, ok := strings.CutPrefix(p.name, "date"); ok && rest != "" && rest[0] <= 'Z' {
		return "@moment"
	}
	return spaced(p.name) + " @num(1,99)"
}

// spaced makes "Calling party name" of callingPartyName.
func spaced(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case i == 0:
			b.WriteString(strings.ToUpper(string(r)))
		case r >= 'A' && r <= 'Z' && name[i-1] >= 'a':
			b.WriteString(" " + strings.ToLower(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// generated compiles a template whose draws depend on the field's place.
func (c *compiler) generated(template string, p *property) node {
	c.salt = p.salt
	if template[0] == '{' || template[0] == '[' {
		return c.compile([]byte(template))
	}
	return c.string(template)
}
