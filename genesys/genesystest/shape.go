package genesystest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/official"
)

// The files in data hold one entry per object type: how many objects there are
// and a template of their body. A template is JSON whose strings may contain
// directives, "@ref(routing.queues)", see directives. A key may carry suffixes:
// "key~" is a member that lists leave out, "key+skills" one that needs
// expand=skills, "key%40" one that 40 % of the objects have.
//
//go:embed data/*.json
var dataFiles embed.FS

// A recipe is an entry of the data files.
type recipe struct {
	Count *int            `json:"count"` // objects in an org of 25 users; below a parent, the most
	Per   float64         `json:"per"`   // objects per user in larger orgs
	Least int             `json:"least"` // below a parent, the fewest
	Names []string        `json:"names"` // objects' names in turn, numbered when they run out
	Name  string          `json:"name"`  // instead: a template
	ID    string          `json:"id"`    // "link:users", or a template; UUIDs by default
	Body  json.RawMessage `json:"body"`
	List  json.RawMessage `json:"list"` // the list's form where it is another than Body without the "~" members
}

// A form is what all orgs share of a type: its recipe, compiled.
type form struct {
	recipe
	name     text
	link     string // type whose objects' ids this type shares
	key      text   // nil means UUIDs
	body     node
	list     node
	detail   map[string]bool   // members of the body that lists leave out
	listOnly map[string]bool   // members that GET leaves out
	expand   map[string]string // members of the body that need an expand
	path     []segment         // of the list call
	self     []segment         // of the call that reads one object
	base     string            // self without its last segment, if that is its only variable
	routes   []route           // of the type's calls; each org gives them its shape
	demanded []string          // the permissions of these calls, and of the reads of its parts
	sets     []fieldPath       // arrays whose order has no meaning
	states   []statePath       // what moves by itself
	seed     uint64
	noun     string
	asked    string // the expands of the catalogue's calls
	byBody   bool   // the ID is not the field id, or more than one: read from bodies
}

// A shape is a type in one org.
type shape struct {
	*form
	t        genesys.ObjectType
	parent   *shape
	count    int
	least    int
	releases []releaseStep // of the platform, in order
	size     int           // of the largest body that was made of late
}

var loadForms = sync.OnceValues(func() (map[string]*form, error) {
	recipes, err := loadRecipes()
	if err != nil {
		return nil, err
	}
	forms := make(map[string]*form)
	for t := range genesys.DefaultCatalogue().All() {
		if forms[t.Name], err = newForm(t, recipes[t.Name]); err != nil {
			return nil, err
		}
	}
	return forms, nil
})

func loadRecipes() (map[string]recipe, error) {
	all := make(map[string]recipe)
	files, err := dataFiles.ReadDir("data")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		data, err := dataFiles.ReadFile(path.Join("data", f.Name()))
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&all); err != nil { // Decode adds to the map
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return all, nil
}

func newForm(t genesys.ObjectType, r recipe) (*form, error) {
	f := &form{
		recipe: r, detail: map[string]bool{}, listOnly: map[string]bool{}, expand: map[string]string{}, path: parseTemplate(pathOnly(t.Path)),
		seed: hashText(0, t.Name), noun: noun(t.Label), asked: askedExpand(t),
		byBody: len(t.ID) > 1 || len(t.ID) == 1 && strings.Contains(t.ID[0], ".") && t.ID[0] != ".",
		sets:   setsOf(t), states: statesOf(t),
	}
	f.self = parseTemplate(pathOnly(t.Get))
	if t.Get == "" {
		f.self = f.path
		if t.Paging != genesys.PagingSingleton {
			f.self = append(slices.Clip(f.path), segment{variable: "id"})
		}
	}
	if last := len(f.self) - 1; f.self[last].variable != "" && !slices.ContainsFunc(f.self[:last], func(seg segment) bool { return seg.variable != "" }) {
		f.base = fillPath(f.self[:last], nil, nil) + "/"
	}
	f.addRoutes(t)
	f.demanded = demandedFor(t, f.routes)
	c := &compiler{form: f}
	if rest, ok := strings.CutPrefix(r.ID, "link:"); ok {
		f.link = rest
	} else if r.ID != "" {
		f.key = c.text(r.ID)
	}
	if r.Name != "" {
		f.name = c.text(r.Name)
	}
	body := r.Body
	if body == nil {
		body = plainBody(t)
	}
	f.body = c.compile(body)
	if r.List != nil {
		f.list = c.compile(r.List)
	}
	if c.err == nil {
		c.err = f.fillIn(t)
	}
	if c.err != nil {
		return nil, fmt.Errorf("genesystest: data of %s: %w", t.Name, c.err)
	}
	return f, nil
}

func newShape(t genesys.ObjectType, f *form, users int) *shape {
	s := &shape{form: f, t: t, least: f.Least}
	s.count = s.defaultCount()
	if f.Count != nil {
		s.count = *f.Count
	}
	if users > defaultSize {
		s.count = max(s.count, int(f.Per*float64(users)))
	}
	return s
}

// askedExpand is what the catalogue's calls for a type expand.
func askedExpand(t genesys.ObjectType) string {
	var asked []string
	for _, uri := range []string{t.Path, t.Get} {
		_, query, _ := strings.Cut(uri, "?")
		if values, err := url.ParseQuery(query); err == nil {
			asked = append(asked, expandOf(values))
		}
	}
	return strings.Join(append(asked, "resources", "full"), ",")
}

func (s *shape) singleton() bool { return s.t.Paging == genesys.PagingSingleton }

func (s *shape) defaultCount() int {
	switch {
	case s.singleton():
		return 1
	case s.t.Parent != "":
		return 3
	default:
		return 1 + int(s.seed%4)
	}
}

// noun makes "Queue" of "Queues".
func noun(label string) string {
	label, _, _ = strings.Cut(label, " (")
	switch {
	case strings.HasSuffix(label, "ies"):
		return label[:len(label)-3] + "y"
	case strings.HasSuffix(label, "s") && !strings.HasSuffix(label, "ss"):
		return label[:len(label)-1]
	default:
		return label
	}
}

// plainBody makes a template for a type that the data files leave to its models:
// what names an object. Types without a model have a few fields more.
func plainBody(t genesys.ObjectType) json.RawMessage {
	f := fields{}
	put := func(path, template string) {
		if _, ok := f.get(path); !ok {
			f.set(path, quote(template))
		}
	}
	for i, id := range t.ID {
		switch {
		case id == ".":
			return quote("@name")
		case strings.HasSuffix(id, ".id"):
			put(id, "@uuid")
		case i > 0 && id == "version":
			f.set(id, quote("@n"))
		default:
			put(id, "@id")
		}
	}
	item, _ := modelsOf(t)
	for title := range strings.SplitSeq(t.Title, "+") {
		if title != "" && title != "." && len(details()[item][title].values) == 0 {
			put(title, "@name")
		}
	}
	for _, v := range t.Variants {
		if name, _, ok := strings.Cut(v, "="); ok && t.Paging != genesys.PagingSingleton {
			put(strings.TrimSuffix(name, "s"), "@variant")
		}
	}
	if official.Models()[item] != nil {
		return f.bytes()
	}
	if t.Paging == genesys.PagingSingleton {
		put("enabled", "@bool(60)")
	} else {
		put("description", "@noun @n of @org")
	}
	for _, v := range t.Volatile {
		if template := volatileTemplate(v); template != "" {
			put(v, template)
		}
	}
	return f.bytes()
}

func volatileTemplate(path string) string {
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case name == "selfUri" && path == name:
		return "@self"
	case strings.HasPrefix(name, "date"), strings.HasSuffix(name, "Date"):
		return "@modified"
	case name == "version":
		return "@version"
	case name == "modifiedBy" && path != name, name == "lastModifiedUser":
		return "@adminref"
	case name == "modifiedBy":
		return "@admin"
	case strings.HasSuffix(name, "Count"):
		return "@int(0,40)"
	default:
		return ""
	}
}
