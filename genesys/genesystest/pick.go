package genesystest

import (
	"slices"

	"github.com/cxsync/cxsync/genesys"
)

// pick chooses an object of a type for a reference from the object that is
// written: a sibling where both have the same parent, else one of the first
// parent's. It fails where there is none.
func (c *scope) pick(target string, offset int) (s *shape, parentID string, n int, ok bool) {
	s = c.org.shapes[target]
	if s == nil || s.byBody || s.singleton() {
		return nil, "", 0, false
	}
	if s.parent != nil {
		if parentID, ok = c.parentOf(s.parent); !ok {
			return nil, "", 0, false
		}
	}
	count := c.org.baseCount(s, parentID)
	if count == 0 {
		return nil, "", 0, false
	}
	return s, parentID, int((mix(c.seed^c.place)%uint64(count) + uint64(offset)) % uint64(count)), true
}

// parentOf is an object of a type that others are below: the written object's
// own ancestor, or the object itself, else the first one.
func (c *scope) parentOf(want *shape) (id string, ok bool) {
	if c.shape == want {
		return under(c.parentID, genesys.JoinID(c.id())), true
	}
	id = c.parentID
	for s := c.shape; s.parent != nil; s = s.parent {
		if s.parent == want {
			return id, true
		}
		id, _ = s.parent.split(id)
	}
	if want.parent != nil || want.count == 0 || want.byBody || want.singleton() {
		return "", false
	}
	return genesys.JoinID(c.org.baseKey(want, "", 0)), true
}

// size is how many objects pick chooses from.
func (c *scope) size(target string) int {
	s, parentID, _, ok := c.pick(target, 0)
	if !ok {
		return 0
	}
	return c.org.baseCount(s, parentID)
}

// renderReference writes the id of another object, or the model of a reference
// to it: id, name and selfUri, and what else a small model has.
func (c *scope) renderReference(p *property) {
	s, parentID, n, ok := c.pick(p.target, c.index)
	if !ok {
		c.add("null")
		return
	}
	key := c.org.baseKey(s, parentID, n)
	if p.model == nil {
		c.out = appendQuoted(c.out, key)
		return
	}
	key = c.org.readKey(s, parentID, n, key)
	c.add(`{"id":`)
	c.out = appendQuoted(c.out, key)
	whole := len(p.model.properties) > 8 // the whole object: references leave most of it out
	for _, f := range p.model.properties {
		switch {
		case f.name == "id":
		case f.name == "name":
			c.add(`,"name":`)
			c.out = appendQuoted(c.out, c.org.nameOf(s, parentID, n))
		case f.name == "selfUri":
			c.add(`,"selfUri":`)
			c.out = appendQuoted(c.out, c.org.selfURI(s, parentID, key))
		case c.can(f) && f.required || !whole && f.model == nil && f.target == "":
			c.add(",")
			c.out = append(c.out, f.key...)
			c.renderNested(f, p.model)
		}
	}
	c.add("}")
}

// readKey is what an object is read by: its key, or, as with forms, another field of it.
func (o *Org) readKey(s *shape, parentID string, n int, key string) string {
	if i := slices.IndexFunc(s.self, func(seg segment) bool { return seg.source != nil }); s.parent == nil && i >= 0 {
		return o.fieldAt(s, parentID, n, s.self[i].source[0])
	}
	return key
}

// renderNested writes a field of a model that is not the object's own.
func (c *scope) renderNested(p *property, m *modelForm) {
	c.chain = append(c.chain, m)
	p.render(c)
	c.chain = c.chain[:len(c.chain)-1]
}
