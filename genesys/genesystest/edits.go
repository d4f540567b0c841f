package genesystest

import (
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Errors of edits.
var (
	ErrNotFound = errors.New("genesystest: no such object")
	ErrConflict = errors.New("genesystest: an object with this ID exists")
)

// softDeleted are the types whose deleted objects stay in lists with state "deleted".
var softDeleted = []string{
	"architect.emergencygroups", "routing.languages", "telephony.extensionpools", "telephony.sites", "telephony.trunkbasesettings",
}

// Create adds an object to a type at the top and returns its ID. Fields is
// anything that encodes as a JSON object; what it leaves out is generated.
func (o *Org) Create(typ string, fields any) (id string, err error) {
	return o.CreateChild(typ, "", fields)
}

// CreateChild is Create for a type that is listed under a parent.
func (o *Org) CreateChild(typ, parentID string, fields any) (id string, err error) {
	return o.As("").CreateChild(typ, parentID, fields)
}

// Update applies a JSON merge patch to an object: members are set, objects
// merged, null removes. The ID is in the form of genesys.Object.
func (o *Org) Update(typ, id string, patch any) error { return o.As("").Update(typ, id, patch) }

// Touch moves the members of an object that move without an edit of its
// configuration: dates, versions, counters, presence. Audits tell of it as of
// something that the system did.
func (o *Org) Touch(typ, id string) error {
	return o.edit(typ, id, func(s *shape) error {
		body, ok := o.current(s, id)
		if !ok {
			return ErrNotFound
		}
		f, err := parseFields(body)
		if err != nil {
			return err
		}
		by, moved := o.author(""), false
		for _, path := range s.t.Volatile {
			if path != "selfUri" && !s.identifies(path) && bump(&f, path, by) {
				moved = true
			}
		}
		if !moved {
			return errorf("%s has no member that moves without an edit", s.t.Name)
		}
		o.put(s, id, f.bytes())
		o.recordTouch(s, id, body, f.bytes(), by)
		return nil
	})
}

// Delete removes an object and, with it, its children. Objects of some types
// stay in their lists with state "deleted", as in the service.
func (o *Org) Delete(typ, id string) error { return o.As("").Delete(typ, id) }

// Object returns an object's body as the catalogue's call for one reads it.
func (o *Org) Object(typ, id string) (json.RawMessage, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := o.shapeOf(typ)
	if err != nil {
		return nil, false
	}
	if s.singleton() && s.parent == nil {
		id = strings.TrimPrefix(strings.TrimPrefix(id, s.t.Name), "/")
	}
	body, ok := o.current(s, id)
	return unsignedBody(s.reduce(slices.Clone(body), s.asked, false)), ok
}

// Objects walks the IDs and bodies of a type's objects, as Object has them, those of
// child types parent by parent, as the org knows them: edits appear at once,
// whatever the consistency delay and the client's divisions.
func (o *Org) Objects(typ string) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		s, err := o.shapeOf(typ)
		if err != nil {
			return
		}
		if s.parent == nil {
			o.objects(s, "", yield)
			return
		}
		for parentID := range o.Objects(s.parent.t.Name) {
			if !o.objects(s, parentID, yield) {
				return
			}
		}
	}
}

func (o *Org) objects(s *shape, parentID string, yield func(string, json.RawMessage) bool) bool {
	for pos := 0; ; pos++ {
		o.mu.Lock()
		n := o.baseCount(s, parentID)
		if l := o.list(s, parentID); l != nil {
			n += l.created
		}
		var id string
		var body json.RawMessage
		if e := o.editAt(s, parentID, pos); pos < n && e != nil {
			body = s.reduce(o.released(s, parentID, pos, slices.Clone(e.body)), s.asked, false)
		} else if pos < n {
			body = o.render(s, parentID, pos, s.asked, false)
		}
		if body != nil {
			id = o.idAt(s, parentID, pos, body)
		}
		o.mu.Unlock()
		body = unsignedBody(body)
		if pos >= n {
			return true
		}
		if body != nil && !yield(id, body) {
			return false
		}
	}
}

// idAt is the whole ID of the object at a position.
func (o *Org) idAt(s *shape, parentID string, pos int, body []byte) string {
	if !s.singleton() {
		return under(parentID, o.keyOf(s, body))
	}
	key := genesys.JoinID(o.baseKey(s, parentID, pos))
	if s.parent == nil {
		return under(s.t.Name, key)
	}
	return under(parentID, key)
}

// An author is who makes an edit: a user, the client, or, with neither, the system.
type author struct {
	userID, clientID string
	at               time.Time
}

func (a author) id() string { return cmp.Or(a.userID, a.clientID, System) }

// author is an editor's; "" is the first user.
func (o *Org) author(who string) author {
	switch who {
	case System:
		return author{at: o.tick()}
	case "":
		who = o.admin()
	}
	return author{userID: who, at: o.tick()}
}

func (o *Org) clientAuthor() author { return author{clientID: o.opts.ClientID, at: o.tick()} }

// tick is the time of an edit. No two edits have the same, so that a date always tells them apart.
func (o *Org) tick() time.Time {
	now := o.opts.Clock().UTC().Truncate(time.Millisecond)
	if !now.After(o.lastEdit) {
		now = o.lastEdit.Add(time.Millisecond)
	}
	o.lastEdit = now
	return now
}

func (o *Org) edit(typ, id string, f func(*shape) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := o.shapeOf(typ)
	if err != nil {
		return err
	}
	if err := f(s); err != nil {
		return errorf("%s %s: %w", s.t.Name, id, err)
	}
	return nil
}

func toFields(v any) (fields, error) {
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return nil, errorf("fields: %w", err)
		}
	}
	if v == nil {
		return nil, nil
	}
	f, err := parseFields(raw)
	if err != nil {
		return nil, errorf("fields: %w", err)
	}
	return f, nil
}

func (o *Org) create(s *shape, parentID string, patch fields, by author) (id string, body json.RawMessage, err error) {
	if s.singleton() {
		return "", nil, errorf("%s is one object, which cannot be created", s.t.Name)
	}
	if s.parent != nil && !o.exists(s.parent, parentID) || s.parent == nil && parentID != "" {
		return "", nil, errorf("%s: no parent %q: %w", s.t.Name, parentID, ErrNotFound)
	}
	l := o.listForEdit(s, parentID)
	pos := o.baseCount(s, parentID) + l.created
	f, err := parseFields(o.render(s, parentID, pos, everything, false))
	if err != nil {
		return "", nil, errorf("%s: %w", s.t.Name, err)
	}
	now := quote(stamp(by.at))
	for _, m := range f {
		switch m.key {
		case "dateCreated", "createdDate", "dateModified", "modifiedDate", "createDate", "modifyDate":
			f.put(m.key, now)
		case "version":
			if _, isNumber := jsonscan.Int(m.raw); isNumber {
				f.put(m.key, json.RawMessage("1"))
			}
		}
	}
	f.merge(patch)
	if i := patch.index("selfUri"); i < 0 && f.index("selfUri") >= 0 {
		f.put("selfUri", quote(o.selfURI(s, parentID, lookupText(f.bytes(), s.t.ID[len(s.t.ID)-1]))))
	}
	body = f.bytes()
	key := o.keyOf(s, body)
	id = under(parentID, key)
	switch _, known := o.locate(s, parentID, key); {
	case o.exists(s, id):
		return "", nil, errorf("%s %s: %w", s.t.Name, id, ErrConflict)
	case known: // deleted before
		o.put(s, id, body)
	default:
		l.created++
		l.byKey[key] = pos
		l.edited[pos] = &edit{key: key, body: body, at: time.Now()}
		o.changed()
	}
	o.bumpParent(s, id, by)
	o.record(s, id, "Create", nil, body, by)
	return id, body, nil
}

// update changes an object's body, moves its marks of modification and writes the audit record.
func (o *Org) update(s *shape, id, action string, change func(*fields), by author) (json.RawMessage, error) {
	old, ok := o.current(s, topKey(s, id))
	if !ok {
		return nil, ErrNotFound
	}
	f, err := parseFields(old)
	if err != nil {
		return nil, err
	}
	change(&f)
	for i, path := range s.t.ID { // an ID never changes
		if parts := genesys.SplitID(id); path != "." && i < len(s.t.ID) {
			if want := parts[len(parts)-len(s.t.ID)+i]; lookupText(f.bytes(), path) != want {
				f.set(path, lookup(old, path))
			}
		}
	}
	for _, path := range s.witnesses(f) {
		bump(&f, path, by)
	}
	body := f.bytes()
	o.put(s, topKey(s, id), body)
	o.bumpParent(s, id, by)
	o.record(s, id, action, old, body, by)
	return body, nil
}

// topKey turns the ID of a singleton at the top, its type's name, into the key that it is kept under.
func topKey(s *shape, id string) string {
	if s.singleton() && s.parent == nil {
		return strings.TrimPrefix(strings.TrimPrefix(id, s.t.Name), "/")
	}
	return id
}

func (o *Org) remove(s *shape, id string, by author) error {
	old, ok := o.current(s, topKey(s, id))
	if !ok {
		return ErrNotFound
	}
	if slices.Contains(softDeleted, s.t.Name) {
		_, err := o.update(s, id, "Delete", func(f *fields) { f.put("state", quote("deleted")) }, by)
		return err
	}
	o.put(s, topKey(s, id), nil)
	o.bumpParent(s, id, by)
	o.record(s, id, "Delete", old, nil, by)
	return nil
}

func (o *Org) listForEdit(s *shape, parentID string) *list {
	t := o.tables[s.t.Name]
	if t == nil {
		t = &table{lists: map[string]*list{}}
		o.tables[s.t.Name] = t
	}
	l := t.lists[parentID]
	if l == nil {
		l = &list{edited: map[int]*edit{}, byKey: map[string]int{}}
		t.lists[parentID] = l
	}
	return l
}

// put stores the new body of an object that can be located; nil deletes it.
func (o *Org) put(s *shape, id string, body json.RawMessage) {
	parentID, key := s.split(id)
	pos, ok := o.locate(s, parentID, key)
	if !ok {
		return
	}
	l := o.listForEdit(s, parentID)
	old := l.edited[pos]
	e := &edit{key: key, body: body, at: time.Now(), beforeThere: true}
	if old != nil {
		e.before, e.beforeThere = o.seen(old)
	}
	l.edited[pos] = e
	o.changed()
}
