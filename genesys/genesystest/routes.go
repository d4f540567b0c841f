package genesystest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
)

// A segment of a path template is a literal or a variable.
type segment struct {
	literal  string
	variable string
	source   []string // fields of the parent's body that give the value
}

func pathOnly(template string) string {
	path, _, _ := strings.Cut(template, "?")
	return path
}

func parseTemplate(path string) []segment {
	var segs []segment
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		segs = append(segs, parseSegment(part))
	}
	return segs
}

func parseSegment(part string) segment {
	name, ok := strings.CutPrefix(part, "{")
	if !ok {
		return segment{literal: part}
	}
	name, source, _ := strings.Cut(strings.TrimSuffix(name, "}"), "=")
	seg := segment{variable: name}
	if source != "" {
		seg.source = strings.Split(source, ",")
	}
	return seg
}

// fillPath puts the parts of an ID into a template: in order, the last variable takes the last part.
func fillPath(segs []segment, parts []string, sourced func(segment) string) string {
	last := -1
	for i, seg := range segs {
		if seg.variable != "" && seg.source == nil {
			last = i
		}
	}
	var b strings.Builder
	next := 0
	for i, seg := range segs {
		b.WriteByte('/')
		switch {
		case seg.variable == "":
			b.WriteString(seg.literal)
		case seg.source != nil:
			b.WriteString(url.PathEscape(sourced(seg)))
		case len(parts) > 0 && i == last:
			b.WriteString(url.PathEscape(parts[len(parts)-1]))
		case next < len(parts):
			b.WriteString(url.PathEscape(parts[next]))
			next++
		}
	}
	return b.String()
}

// What a route does.
type action uint8

const (
	listObjects action = iota
	oneObject
	addObject // POST where objects are listed
)

// A route is one path template of one object type.
type route struct {
	action action
	shape  *shape
	segs   []segment
	query  []queryVar // variables in the query

	shapePath string // segs with nameless variables
}

type queryVar struct{ param, variable string }

// A trie finds the routes of a path; literals win over variables.
type trie struct {
	literals map[string]*trie
	variable *trie
	routes   []*route
}

func (t *trie) add(segs []segment, r *route) {
	for _, seg := range segs {
		next := t.variable
		if seg.variable == "" {
			next = t.literals[strings.ToLower(seg.literal)]
		}
		if next == nil {
			next = &trie{literals: map[string]*trie{}}
			if seg.variable == "" {
				t.literals[strings.ToLower(seg.literal)] = next
			} else {
				t.variable = next
			}
		}
		t = next
	}
	t.routes = append(t.routes, r)
}

// find returns the routes of a path, the most literal first.
func (t *trie) find(parts []string) []*route {
	if len(parts) == 0 {
		return t.routes
	}
	var found []*route
	if next := t.literals[strings.ToLower(parts[0])]; next != nil {
		found = next.find(parts[1:])
	}
	if t.variable != nil {
		found = append(slices.Clip(found), t.variable.find(parts[1:])...)
	}
	return found
}

// addRoutes makes the routes of a type.
func (f *form) addRoutes(t genesys.ObjectType) {
	isSingleton := t.Paging == genesys.PagingSingleton
	path, query, _ := strings.Cut(t.Path, "?")
	list := route{action: listObjects, segs: f.path}
	if isSingleton {
		list.action = oneObject
	}
	for param := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(param, "=")
		if seg := parseSegment(value); seg.variable != "" {
			list.query = append(list.query, queryVar{name, seg.variable})
		}
	}
	f.routes = append(f.routes, list)
	get := pathOnly(t.Get)
	if get != "" && (!isSingleton || pathShape(get) != pathShape(path)) {
		f.routes = append(f.routes, route{action: oneObject, segs: f.self})
	}
	add := path
	if t.Method == http.MethodPost { // a query; objects are added where they are read
		add = get[:max(0, strings.LastIndexByte(get, '/'))]
	}
	if add != "" && !isSingleton {
		f.routes = append(f.routes, route{action: addObject, segs: parseTemplate(add), query: list.query})
	}
	for i := range f.routes {
		f.routes[i].shapePath = shapeOfPath(f.routes[i].segs)
	}
}

// addRoutes makes a type's paths known.
func (o *Org) addRoutes(s *shape) {
	for _, r := range s.routes {
		r.shape = s
		o.routes.add(r.segs, &r)
	}
}

// pathShape is a template with its variables' names left out.
func pathShape(path string) string { return shapeOfPath(parseTemplate(path)) }

func shapeOfPath(segs []segment) string {
	var b strings.Builder
	for _, seg := range segs {
		b.WriteByte('/')
		if seg.variable == "" {
			b.WriteString(seg.literal)
		} else {
			b.WriteString("{}")
		}
	}
	return b.String()
}

// variables returns the values of the plain and of the sourced variables of a request.
func (r *route) variables(parts []string, query url.Values) (plain []string, sourced map[string]string) {
	sourced = map[string]string{}
	for i, seg := range r.segs {
		switch {
		case seg.variable == "":
		case seg.source != nil:
			sourced[seg.variable] = parts[i]
		default:
			plain = append(plain, parts[i])
		}
	}
	for _, q := range r.query {
		plain = append(plain, query.Get(q.param))
	}
	return plain, sourced
}

// parentFor finds the parent that a list request names.
func (o *Org) parentFor(r *route, plain []string, sourced map[string]string) (parentID string, ok bool) {
	s := r.shape
	if s.parent == nil {
		return "", true
	}
	if len(plain) == 0 {
		return o.bySource(s.parent, r.segs, sourced)
	}
	parentID = genesys.JoinID(plain...)
	if !o.exists(s.parent, parentID) {
		return "", false
	}
	for _, seg := range r.segs {
		if seg.source != nil && !s.singleton() && !slices.Contains(o.sourced(s, parentID, seg), sourced[seg.variable]) {
			return "", false
		}
	}
	return parentID, true
}

// objectFor finds the object that a request for one names: its parent and its position.
func (o *Org) objectFor(r *route, plain []string, sourced map[string]string, query url.Values) (parentID, key string, ok bool) {
	s := r.shape
	if s.singleton() {
		return o.singletonFor(r, plain, sourced, query)
	}
	if s.parent == nil {
		if len(plain) == 0 {
			key, ok = o.bySource(s, r.segs, sourced)
			return "", key, ok
		}
		key = genesys.JoinID(plain...)
		_, ok = o.locate(s, "", key)
		return "", key, ok
	}
	depth := s.parent.depth()
	if len(plain) > depth {
		parentID = genesys.JoinID(plain[:depth]...)
		if !o.exists(s.parent, parentID) {
			return "", "", false
		}
		return o.within(s, parentID, genesys.JoinID(plain[depth:]...))
	}
	// The path has the last part only: greetings/{id} of a group's greeting.
	key = genesys.JoinID(plain[len(plain)-1])
	if s.parent.parent == nil && s.parent.usesUUID() && s.usesUUID() {
		if p, _, opened := openUUID(o.listSeed(s), key); opened && p < s.parent.count {
			if parentID = o.baseKey(s.parent, "", p); o.exists(s.parent, parentID) {
				if _, found := o.locate(s, parentID, key); found {
					return parentID, key, true
				}
			}
		}
	}
	if t := o.tables[s.t.Name]; t != nil {
		for parentID, l := range t.lists {
			if _, found := l.byKey[key]; found && o.exists(s.parent, parentID) {
				return parentID, key, true
			}
		}
	}
	return "", "", false
}

// within finds an object of a list by its key or, for composite keys, by the last part of it.
func (o *Org) within(s *shape, parentID, key string) (string, string, bool) {
	if _, ok := o.locate(s, parentID, key); ok {
		return parentID, key, true
	}
	if len(s.t.ID) < 2 {
		return "", "", false
	}
	for pos := range o.positions(s, parentID) {
		body, there := o.bodyAt(s, parentID, pos, allExpanded, false)
		if whole := o.keyOf(s, body); there && strings.HasSuffix("/"+whole, "/"+key) {
			return parentID, whole, true
		}
	}
	return "", "", false
}

func (o *Org) singletonFor(r *route, plain []string, sourced map[string]string, query url.Values) (parentID, key string, ok bool) {
	s := r.shape
	if s.parent != nil {
		n := min(len(plain), s.parent.depth())
		parentID = genesys.JoinID(plain[:n]...)
		if !o.exists(s.parent, parentID) {
			return "", "", false
		}
		if len(plain) > n {
			key = genesys.JoinID(plain[len(plain)-1])
		}
	}
	for _, value := range sourced {
		key = genesys.JoinID(value)
	}
	if len(s.t.Variants) > 0 {
		name, first, _ := strings.Cut(s.t.Variants[0], "=")
		key = first
		if query.Has(name) {
			key = query.Get(name)
		}
	}
	_, ok = o.locate(s, parentID, key)
	return parentID, key, ok
}
