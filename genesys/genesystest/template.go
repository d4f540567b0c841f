package genesystest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A scope is one rendering: which object, and how it is looked at.
type scope struct {
	org      *Org
	shape    *shape
	parentID string
	n        int    // the object's number in its list
	key      string // its own part of the ID
	seed     uint64
	inList   bool
	expand   string
	out      []byte

	place    uint64       // of the generated field that is written; 0 in templates
	index    int          // of the element of its array
	field    string       // of the model that is written
	chain    []*modelForm // models that it is in, below the object's own
	varied   int          // variety + 1, once it is known
	refModel *modelForm   // of the reference that is written; nil for the usual one
}

// draw returns a number that depends on the object and the place in its template only.
func (c *scope) draw(salt uint64, n int) int {
	if n <= 0 {
		return 0
	}
	return int(mix(c.seed^salt) % uint64(n))
}

func (c *scope) add(s string) { c.out = append(c.out, s...) }

// A node appends its JSON to the scope.
type node interface{ render(c *scope) }

type (
	literal []byte
	array   []node
	object  []member
	text    []part // a JSON string
	call    struct {
		d     directive
		args  []string
		salt  uint64
		model *modelForm // of the reference that it writes, if known
	}
	part struct {
		literal string
		call    *call
	}
	member struct {
		key      []byte // with quotes and colon
		value    node
		detail   bool // left out of lists
		listOnly bool // left out of GET
		expand   string
		percent  int
		salt     uint64
	}
)

func (l literal) render(c *scope) { c.out = append(c.out, l...) }
func (k *call) render(c *scope) {
	c.refModel = k.model
	k.d.run(c, k.args, k.salt^c.place)
	c.refModel = nil
}

func (a array) render(c *scope) {
	c.add("[")
	for i, v := range a {
		if i > 0 {
			c.add(",")
		}
		v.render(c)
	}
	c.add("]")
}

func (o object) render(c *scope) {
	c.add("{")
	first := true
	for i := range o {
		m := &o[i]
		if m.left(c) {
			continue
		}
		if !first {
			c.add(",")
		}
		first = false
		c.out = append(c.out, m.key...)
		m.value.render(c)
	}
	c.add("}")
}

// name is the member's name.
func (m *member) name() string { return string(m.key[1 : len(m.key)-2]) }

// renderMember appends the value of one member, if the object has it.
func (o object) renderMember(c *scope, name string) {
	for i := range o {
		if o[i].name() == name && !o[i].left(c) {
			o[i].value.render(c)
			return
		}
	}
}

// left reports whether the member is left out.
func (m *member) left(c *scope) bool {
	if g, ok := m.value.(*generated); ok && g.absent(c) {
		return true
	}
	return m.detail && c.inList || m.listOnly && !c.inList && c.expand != everything || m.expand != "" && !expands(c.expand, m.expand) ||
		m.percent > 0 && c.draw(m.salt, 100) >= m.percent && c.variety() > 0
}

func (t text) render(c *scope) {
	c.add(`"`)
	t.plain(c)
	c.add(`"`)
}

// plain appends the text without quotes.
func (t text) plain(c *scope) {
	for _, p := range t {
		if p.call == nil {
			c.add(p.literal)
		} else {
			p.call.render(c)
		}
	}
}

// A compiler turns template JSON into nodes.
type compiler struct {
	form *form
	salt uint64
	err  error
}

func (c *compiler) nextSalt() uint64 {
	c.salt++
	return mix(c.salt)
}

func (c *compiler) compile(template json.RawMessage) node {
	d := json.NewDecoder(bytes.NewReader(template))
	d.UseNumber()
	n := c.value(d, 0)
	return n
}

func (c *compiler) value(d *json.Decoder, depth int) node {
	tok, err := d.Token()
	if err != nil {
		c.fail(err)
		return literal("null")
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '[' {
			var a array
			for d.More() && c.err == nil {
				a = append(a, c.value(d, depth+1))
			}
			c.close(d)
			return a
		}
		var o object
		for d.More() && c.err == nil {
			key, err := d.Token()
			if err != nil {
				c.fail(err)
				break
			}
			m := c.member(key.(string), depth)
			m.value = c.value(d, depth+1)
			o = append(o, m)
		}
		c.close(d)
		return o
	case string:
		return c.string(tok)
	default:
		raw, err := json.Marshal(tok)
		c.fail(err)
		return literal(raw)
	}
}

func (c *compiler) close(d *json.Decoder) {
	_, err := d.Token()
	c.fail(err)
}

func (c *compiler) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *compiler) member(key string, depth int) member {
	var m member
	if name, percent, ok := strings.Cut(key, "%"); ok {
		key, m.salt = name, c.nextSalt()
		m.percent, c.err = strconv.Atoi(percent)
	}
	if name, expand, ok := strings.Cut(key, "+"); ok {
		key, m.expand = name, expand
		if depth == 0 {
			c.form.expand[key] = expand
		}
	}
	if name, ok := strings.CutSuffix(key, "~"); ok {
		key, m.detail = name, true
		if depth == 0 {
			c.form.detail[key] = true
		}
	}
	m.key = append(quote(key), ':')
	return m
}

// string compiles a string of the template. One that is a single directive
// which makes JSON, such as a reference, loses its quotes.
func (c *compiler) string(s string) node {
	t := c.text(s)
	if len(t) == 1 && t[0].call != nil && t[0].call.d.json {
		return t[0].call
	}
	return t
}

func (c *compiler) text(s string) text {
	var t text
	for s != "" {
		before, rest, found := strings.Cut(s, "@")
		if before != "" {
			escaped := quote(before)
			t = append(t, part{literal: string(escaped[1 : len(escaped)-1])})
		}
		if !found {
			break
		}
		end := 0
		for end < len(rest) && (rest[end] >= 'a' && rest[end] <= 'z') {
			end++
		}
		name, args := rest[:end], ""
		rest = rest[end:]
		if strings.HasPrefix(rest, "(") {
			var ok bool
			args, rest, ok = strings.Cut(rest[1:], ")")
			if !ok {
				c.fail(fmt.Errorf("directive @%s is not closed", name))
			}
		}
		s = rest
		d, ok := directives[name]
		if !ok {
			if name != "" {
				c.fail(fmt.Errorf("no directive @%s", name))
			}
			t = append(t, part{literal: "@"}) // an address
			continue
		}
		k := &call{d: d, salt: c.nextSalt()}
		if args != "" {
			k.args = strings.Split(args, d.separator())
		}
		t = append(t, part{call: k})
	}
	return t
}

// expands reports whether the value of an expand parameter asks for a member.
func expands(asked, member string) bool {
	if asked == allExpanded || asked == everything {
		return true
	}
	for name := range strings.SplitSeq(asked, ",") {
		if strings.EqualFold(strings.TrimPrefix(name, "entities."), member) {
			return true
		}
	}
	return false
}
