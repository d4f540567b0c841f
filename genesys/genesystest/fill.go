package genesystest

import (
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/official"
)

// modelsOf are the official models of a type's objects: in its list, and by ID
// where that is another one. Types that the table does not know yet have the
// model that their list call answers with.
func modelsOf(t genesys.ObjectType) (item, byID string) {
	tm := official.TypeModels()[t.Name]
	item, byID = tm.Item, tm.ByID
	if known := official.Models(); known[item] == nil {
		path, _, _ := strings.Cut(t.Path, "?")
		item = official.Operations()[operationKey(t.Method, path)].Answer
		for _, f := range known[item] {
			if f.Name == t.Items {
				item = f.Type
			}
		}
		if known[byID] == nil && t.Get != "" {
			byID = official.Operations()[operationKey("GET", pathOnly(t.Get))].Answer
		}
	}
	switch known := official.Models(); {
	case known[item] == nil:
		return byID, ""
	case known[byID] == nil || byID == item:
		return item, ""
	}
	return item, byID
}

// fillIn adds the fields of the type's models that its template leaves out.
func (f *form) fillIn(t genesys.ObjectType) error {
	models, err := modelForms()
	if err != nil {
		return err
	}
	body, ok := f.body.(object)
	if !ok {
		return nil
	}
	defer func() {
		for _, m := range f.body.(object) {
			if m.expand != "" {
				f.expand[m.name()] = m.expand
			}
		}
	}()
	item, byID := modelsOf(t)
	always := slices.Concat([]string{"id", "name", "division", "selfUri"}, t.ID, t.Marker, strings.Split(t.Title, "+"), t.Volatile)
	list := models[item]
	if models[byID] == nil {
		f.body = body.filled(list, always)
		return nil
	}
	body = body.filled(models[byID], always)
	for i := range body {
		name := body[i].name()
		body[i].detail = body[i].detail || !list.has(name)
		f.detail[name] = body[i].detail
	}
	f.body = body.completed(list, always)
	for i := range f.body.(object) {
		m := &f.body.(object)[i]
		m.listOnly = list.has(m.name()) && !models[byID].has(m.name())
		f.listOnly[m.name()] = m.listOnly
	}
	return nil
}

// filled is an object with all fields of a model. Those named in always are in
// every object, other optional ones are absent in some.
func (o object) filled(m *modelForm, always []string) object {
	if m == nil {
		return o
	}
	for i := range o {
		if p := m.byName[o[i].name()]; p != nil {
			o[i].value = filledValue(o[i].value, p)
		}
	}
	return o.completed(m, always)
}

// completed is an object with the fields of a model that it lacks.
func (o object) completed(m *modelForm, always []string) object {
	if m == nil {
		return o
	}
	for _, p := range m.properties {
		if always == nil && p.name == "selfUri" || slices.ContainsFunc(o, func(have member) bool { return have.name() == p.name }) {
			continue
		}
		must := p.required || slices.ContainsFunc(always, func(path string) bool {
			name, _, _ := strings.Cut(path, ".")
			return name == p.name
		})
		o = append(o, member{key: p.key, value: &generated{property: p, always: must}, expand: expandsOf()[m.name][p.name]})
	}
	return o
}

// filledValue completes what a template has for a field.
func filledValue(v node, p *property) node {
	switch v := v.(type) {
	case object:
		if p.mapped {
			for i := range v {
				if inner, ok := v[i].value.(object); ok {
					v[i].value = inner.filled(p.model, nil)
				}
			}
			return v
		}
		if p.target != "" || v.isReference() {
			return v
		}
		return v.filled(p.model, nil)
	case array:
		for i := range v {
			v[i] = filledValue(v[i], p)
		}
	case *call:
		v.model = p.model
	}
	return v
}

// isReference reports whether an object of a template says nothing but which object it is.
func (o object) isReference() bool {
	return !slices.ContainsFunc(o, func(m member) bool { return !slices.Contains([]string{"id", "name", "selfUri"}, m.name()) })
}

// generated is a field that no template has.
type generated struct {
	*property
	always bool
}

// absent reports whether an object lacks an optional field. The first object of
// a list has them all; each of the next three lacks a third, and so on.
func (g *generated) absent(c *scope) bool {
	if !c.can(g.property) {
		return true
	}
	if g.always {
		return false
	}
	v := c.variety()
	return v%4 != 0 && uint64(v%4-1) == g.salt%3
}

// variety numbers the objects of a type, those below different parents too.
func (c *scope) variety() int {
	if c.varied == 0 {
		c.varied = 1 + c.n
		if c.shape.parent != nil {
			c.varied += c.org.parentNumber(c.shape, c.parentID)
		}
	}
	return c.varied - 1
}

// can reports whether a field can be written: models are not nested without
// end, and what a field refers to has to exist.
func (c *scope) can(p *property) bool {
	if p.target != "" {
		_, _, _, ok := c.pick(p.target, 0)
		return ok
	}
	limit := maxDepth
	if p.required {
		limit += 2
	}
	return p.model == nil || len(c.chain) < limit && !slices.Contains(c.chain, p.model)
}

// render writes the field's value.
func (p *property) render(c *scope) {
	place, index := c.place, c.index
	defer func() { c.place, c.index = place, index }()
	c.place, c.index = mix(place^p.salt), 0
	switch {
	case p.mapped:
		c.add("{")
		for i, key := range mapKeys(p.name) {
			if i > 0 {
				c.add(",")
			}
			c.out = appendQuoted(c.out, key)
			c.add(":")
			if p.array {
				c.place = mix(c.place + uint64(i))
				p.renderList(c)
			} else {
				p.renderOne(c, i)
			}
		}
		c.add("}")
	case p.array:
		p.renderList(c)
	default:
		p.renderOne(c, 0)
	}
}

func (p *property) renderList(c *scope) {
	c.add("[")
	for i := range p.length(c) {
		if i > 0 {
			c.add(",")
		}
		p.renderOne(c, i)
	}
	c.add("]")
}

// mapKeys are the keys of an object whose keys customers choose.
func mapKeys(name string) []string {
	if strings.Contains(strings.ToLower(name), "lang") || strings.Contains(strings.ToLower(name), "label") {
		return []string{"en_US", "de"}
	}
	return []string{"alpha", "beta"}
}

// length is the number of elements of an array: one in the depth, else a few.
func (p *property) length(c *scope) int {
	n := 1 + int(c.place%3)
	if p.model != nil && p.target == "" {
		n = 1 + int(c.place%2)
		if len(c.chain) > 1 {
			n = 1
		}
	}
	if p.target != "" {
		n = min(n, c.size(p.target))
	}
	if ch, ok := p.scalar.(choice); ok {
		n = min(n, len(ch))
	}
	return n
}

func (p *property) renderOne(c *scope, i int) {
	list := c.place
	c.index = i
	defer func() { c.place = list }()
	if p.target != "" {
		c.renderReference(p)
		return
	}
	if _, chosen := p.scalar.(choice); !chosen { // the elements of an enumeration differ
		c.place = mix(list + uint64(i))
	}
	if p.model == nil {
		p.scalar.render(c)
		return
	}
	field := c.field
	c.field = p.name
	c.renderModel(p.model)
	c.field = field
}

// renderModel writes an object of a model.
func (c *scope) renderModel(m *modelForm) {
	c.chain = append(c.chain, m)
	c.add("{")
	first := true
	for _, p := range m.properties {
		if p.name == "selfUri" { // only what can be read by itself has one
			continue
		}
		if !c.can(p) || !p.required && len(c.chain) > 1 && mix(c.place^p.salt)%4 == 0 {
			continue
		}
		if !first {
			c.add(",")
		}
		first = false
		c.out = append(c.out, p.key...)
		p.render(c)
	}
	c.add("}")
	c.chain = c.chain[:len(c.chain)-1]
}

// A choice is one of the values of an enumeration.
type choice [][]byte

func choiceOf(values []string, numbers bool) choice {
	var c choice
	for _, v := range values {
		if numbers {
			c = append(c, []byte(v))
		} else {
			c = append(c, quote(v))
		}
	}
	return c
}

func (v choice) render(c *scope) {
	c.out = append(c.out, v[(mix(c.seed^c.place)%uint64(len(v))+uint64(c.index))%uint64(len(v))]...)
}
