package genesystest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// What an org holds is its seed and its edits. Object n of a list is made anew
// whenever it is looked at, unless it was edited. Positions below the base
// count are the generated objects, those above it are the created ones.

// A table keeps the edits of one object type.
type table struct {
	lists map[string]*list // by the parent's ID
}

type list struct {
	edited  map[int]*edit // by position
	created int           // how many positions there are above the base count
	byKey   map[string]int
}

type edit struct {
	key  string
	body json.RawMessage // nil once the object is deleted
	at   time.Time

	before      json.RawMessage // what was there before, for consistency delays
	beforeThere bool
}

func (o *Org) shapeOf(typ string) (*shape, error) {
	if s, ok := o.shapes[typ]; ok {
		return s, nil
	}
	for _, s := range o.shapes {
		if strings.EqualFold(s.t.Name, typ) || strings.EqualFold(s.t.Label, typ) {
			return s, nil
		}
	}
	return nil, errorf("no object type %q", typ)
}

func (o *Org) countOf(typ string) int {
	if s := o.shapes[typ]; s != nil {
		return s.count
	}
	return 0
}

// baseCount is the number of generated objects of a list.
func (o *Org) baseCount(s *shape, parentID string) int {
	if s.singleton() {
		return o.singletonCount(s, parentID)
	}
	if s.parent == nil {
		return s.count
	}
	if !o.generated(s.parent, parentID) {
		return 0
	}
	n := s.count
	if s.least < s.count {
		n = s.least + int(hashText(s.seed, parentID)%uint64(s.count-s.least+1))
	}
	if n == 0 && s.count > 0 && o.parentNumber(s, parentID) == 0 {
		n = 1 // the first parent has one
	}
	if s.link != "" {
		n = min(n, o.countOf(s.link))
	}
	return n
}

// singletonCount is the number of keys of singletonKeys, or none for a share of the parents.
func (o *Org) singletonCount(s *shape, parentID string) int {
	if s.parent != nil && s.count == 0 && hashText(s.seed, parentID)%2 == 0 {
		return 0
	}
	if s.parent == nil && s.count == 0 {
		return 0
	}
	return len(o.singletonKeys(s, parentID))
}

// singletonKeys are the own parts of the IDs of singletons: one for each
// variant or value of a sourced variable, else one empty one.
func (o *Org) singletonKeys(s *shape, parentID string) []string {
	if len(s.t.Variants) > 0 {
		keys := make([]string, len(s.t.Variants))
		for i, v := range s.t.Variants {
			_, keys[i], _ = strings.Cut(v, "=")
		}
		return keys
	}
	for _, seg := range s.path {
		if seg.source != nil {
			return o.sourced(s, parentID, seg)
		}
	}
	return []string{""}
}

// sourced returns the values that a parent has for a variable like {versionId=latest}.
func (o *Org) sourced(s *shape, parentID string, seg segment) []string {
	parent, ok := o.current(s.parent, parentID)
	if !ok {
		return nil
	}
	var values []string
	for _, source := range seg.source {
		for _, v := range lookupAll(parent, source) {
			if v != "" && v != "null" && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	return values
}

// generated reports whether the object with that ID is a generated one, edited or not.
func (o *Org) generated(s *shape, id string) bool {
	parentID, key := s.split(id)
	pos, ok := o.locate(s, parentID, key)
	return ok && pos < o.baseCount(s, parentID)
}

// parentOf is the parent's part of an object's ID.
func (s *shape) parentOf(id string) string {
	parentID, _ := s.split(id)
	return parentID
}

// split cuts an ID into the parent's and the own part.
func (s *shape) split(id string) (parentID, key string) {
	if s.parent == nil {
		return "", id
	}
	parts := strings.Split(id, "/") // still escaped
	n := min(s.parent.depth(), len(parts))
	return strings.Join(parts[:n], "/"), strings.Join(parts[n:], "/")
}

// depth is the number of parts of the type's IDs.
func (s *shape) depth() int {
	own := len(s.t.ID)
	if s.singleton() {
		own = 0
		if len(s.t.Variants) > 0 || hasSource(s.path) {
			own = 1
		}
	}
	if s.parent != nil {
		own += s.parent.depth()
	}
	return own
}

func hasSource(path []segment) bool {
	return slices.ContainsFunc(path, func(seg segment) bool { return seg.source != nil })
}

// baseKey is the own part of the ID of a generated object.
func (o *Org) baseKey(s *shape, parentID string, n int) string {
	switch {
	case s.singleton():
		if keys := o.singletonKeys(s, parentID); n < len(keys) {
			return keys[n]
		}
		return ""
	case s.link != "":
		return o.topID(s.link, o.linked(s, parentID, n))
	case s.key != nil:
		c := o.scope(s, parentID, n)
		s.key.plain(c)
		return string(c.out)
	case n == 0 && s.t.Name == "oauth.clients":
		return o.opts.ClientID
	default:
		return makeUUID(o.listSeed(s), o.parentNumber(s, parentID), n)
	}
}

func (o *Org) topID(typ string, n int) string {
	s := o.shapes[typ]
	if s == nil || s.count == 0 {
		return ""
	}
	return o.baseKey(s, "", n)
}

// linked is the number of the object whose id the object n of a list shares.
func (o *Org) linked(s *shape, parentID string, n int) int {
	count := o.countOf(s.link)
	if count == 0 {
		return 0
	}
	if s.parent == nil {
		return n % count
	}
	return (int(hashText(s.seed, parentID)%uint64(count)) + n) % count
}

func (o *Org) listSeed(s *shape) uint64 {
	if s.parent == nil {
		return o.opts.Seed ^ s.seed
	}
	return hashText(o.opts.Seed^s.seed, "") // the parent is in the UUID
}

// parentNumber is what a child's UUID keeps of its parent.
func (o *Org) parentNumber(s *shape, parentID string) int {
	switch {
	case s.parent == nil:
		return 0
	case s.parent.parent == nil && s.parent.usesUUID():
		if _, n, ok := openUUID(o.listSeed(s.parent), parentID); ok && n < s.parent.count {
			return n
		}
	}
	return int(hashText(s.seed, parentID) & 0xffffff)
}

func (s *shape) usesUUID() bool { return s.link == "" && s.key == nil && !s.singleton() }

// locate finds the position of an object by the own part of its ID, whether or not it was deleted.
func (o *Org) locate(s *shape, parentID, key string) (pos int, ok bool) {
	if l := o.list(s, parentID); l != nil {
		if pos, ok := l.byKey[key]; ok {
			return pos, true
		}
	}
	if s.parent != nil && !o.exists(s.parent, parentID) {
		return 0, false
	}
	count := o.baseCount(s, parentID)
	n := -1
	switch {
	case s.byBody:
		for i := range count {
			if o.keyOf(s, o.render(s, parentID, i, "", false)) == key {
				return i, true
			}
		}
		return 0, false
	case s.link != "":
		at, found := o.locate(o.shapes[s.link], "", key)
		if first := o.linked(s, parentID, 0); found {
			n = (at - first + o.countOf(s.link)) % o.countOf(s.link)
		}
	case s.key != nil || s.singleton() || s.t.Name == "oauth.clients":
		for i := range count {
			if genesys.JoinID(o.baseKey(s, parentID, i)) == key {
				return i, true
			}
		}
		return 0, false
	default:
		_, n, _ = openUUID(o.listSeed(s), key)
	}
	return n, n >= 0 && n < count && o.baseKey(s, parentID, n) == key
}

func (o *Org) list(s *shape, parentID string) *list {
	if t := o.tables[s.t.Name]; t != nil {
		return t.lists[parentID]
	}
	return nil
}

func (o *Org) exists(s *shape, id string) bool {
	parentID, key := s.split(id)
	pos, ok := o.locate(s, parentID, key)
	if !ok {
		return false
	}
	e := o.editAt(s, parentID, pos)
	return e == nil || e.body != nil
}

func (o *Org) editAt(s *shape, parentID string, pos int) *edit {
	if l := o.list(s, parentID); l != nil {
		return l.edited[pos]
	}
	return nil
}

// current is the whole body of an object as the org knows it, without any consistency delay.
func (o *Org) current(s *shape, id string) (json.RawMessage, bool) {
	parentID, key := s.split(id)
	pos, ok := o.locate(s, parentID, key)
	if !ok {
		return nil, false
	}
	if e := o.editAt(s, parentID, pos); e != nil {
		return o.released(s, parentID, pos, e.body), e.body != nil
	}
	return o.render(s, parentID, pos, everything, false), true
}

// keyOf reads the own part of an object's ID from its body.
func (o *Org) keyOf(s *shape, body []byte) string {
	parts := make([]string, len(s.t.ID))
	for i, path := range s.t.ID {
		if path == "." { // lists have the name alone, the object has it inside
			values := append(lookupAll(body, "namespace"), lookupAll(body, "entities.namespace")...)
			parts[i] = append(values, "")[0]
			continue
		}
		parts[i] = lookupText(body, path)
	}
	return genesys.JoinID(parts...)
}

func (o *Org) scope(s *shape, parentID string, n int) *scope {
	return &scope{org: o, shape: s, parentID: parentID, n: n, seed: mix(hashText(o.opts.Seed^s.seed, parentID) ^ uint64(n))}
}

const (
	allExpanded = "*"  // asks for every member that needs an expand
	everything  = "**" // asks for those that GET leaves out as well: what is kept of an edited object
)

// render makes the generated object n.
func (o *Org) render(s *shape, parentID string, n int, expand string, inList bool) json.RawMessage {
	c := o.scope(s, parentID, n)
	c.inList, c.expand = inList, expand
	c.out = make([]byte, 0, s.size+s.size/8+64)
	if inList && s.list != nil {
		s.list.render(c)
	} else {
		s.body.render(c)
	}
	s.size = max(s.size-s.size/16, len(c.out))
	return o.released(s, parentID, n, c.out)
}

// nameOf is the name that the generated object n has.
func (o *Org) nameOf(s *shape, parentID string, n int) string {
	switch {
	case s.name != nil:
		c := o.scope(s, parentID, n)
		s.name.plain(c)
		return string(c.out)
	case len(s.Names) > 0:
		name := s.Names[n%len(s.Names)]
		if round := n / len(s.Names); round > 0 {
			name += " " + strconv.Itoa(round+1)
		}
		return name
	case s.singleton():
		return s.t.Label
	default:
		return s.noun + " " + strconv.Itoa(n+1)
	}
}

// selfURI is the relative path of one object.
func (o *Org) selfURI(s *shape, parentID, key string) string {
	if s.base != "" && key != "" {
		return s.base + url.PathEscape(key)
	}
	var parts []string
	for _, id := range []string{parentID, genesys.JoinID(key)} {
		if id != "" {
			parts = append(parts, genesys.SplitID(id)...)
		}
	}
	return fillPath(s.self, parts, func(seg segment) string {
		if s.parent == nil {
			return key
		}
		if values := o.sourced(s, parentID, seg); len(values) > 0 && !s.singleton() {
			return values[0]
		}
		return key
	})
}

func (o *Org) admin() string { return o.topID("users", 0) }

// parentName is the name that a child's parent had when the org was made.
func (o *Org) parentName(s *shape, parentID string) string {
	grandparentID, key := s.parent.split(parentID)
	if pos, ok := o.locate(s.parent, grandparentID, key); ok {
		return o.nameOf(s.parent, grandparentID, pos)
	}
	return ""
}
