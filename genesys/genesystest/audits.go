package genesystest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// keptAudits is how many edits an org remembers for its audits, the latest ones.
const keptAudits = 100_000

// The audit log holds what was done; records are made of it when they are asked
// for, so that an org that nobody asks has no work with them.
type auditLog struct {
	log     []auditedEdit // by time
	made    int           // how many there have been
	queries []auditQuery
}

// An Edit is something that was done to an object, whether audits tell of it or not.
type Edit struct {
	Time   time.Time
	Type   string
	ID     string
	Action string // Create, Update or Delete
	Author string // ID of the user or of the OAuth client; or System

	// Audited says that audits tell of it, soon.
	Audited bool
}

// An auditedEdit is an Edit with all that its records need.
type auditedEdit struct {
	Edit
	by      author
	n       int // how many edits there were before
	s       *shape
	noEdit  bool // something moved by itself
	entity  named
	part    *named          // what was edited, where entity is what it belongs to
	changes []propertyDelta // what moved, by the names of members
	version []string        // before and after
}

type propertyDelta struct {
	Property  string   `json:"property"`
	OldValues []string `json:"oldValues"`
	NewValues []string `json:"newValues"`
}

// record remembers an edit.
func (o *Org) record(s *shape, id, action string, before, after json.RawMessage, by author) {
	e := auditedEdit{
		Edit: Edit{Time: by.at, Type: s.t.Name, ID: id, Action: action, Author: by.id(), Audited: s.audited()},
		by:   by, s: s, n: o.audit.made,
	}
	if e.Audited {
		body := after
		if body == nil {
			body = before
		}
		o.describe(&e, body)
		e.changes = propertyDeltas(s, before, after)
		e.version = versions(before, after)
	}
	o.remember(e)
}

// recordTouch remembers that an object moved by itself.
func (o *Org) recordTouch(s *shape, id string, before, after json.RawMessage, by author) {
	if !s.audited() {
		return
	}
	e := auditedEdit{
		Edit: Edit{Time: by.at, Type: s.t.Name, ID: id, Action: "Update", Author: System, Audited: true},
		by:   author{at: by.at}, s: s, n: o.audit.made, noEdit: true, version: versions(before, after),
	}
	o.describe(&e, after)
	o.remember(e)
}

func (o *Org) remember(e auditedEdit) {
	o.audit.made++
	if len(o.audit.log) >= 2*keptAudits {
		o.audit.log = slices.Clone(o.audit.log[keptAudits:])
	}
	o.audit.log = append(o.audit.log, e)
}

func (s *shape) audited() bool {
	return s.t.Audit.Entity != "" && s.t.Audit.How != genesys.AuditNone
}

// describe says what the records of an edit name: the object, what it belongs
// to, or nothing for what there is only one of.
func (o *Org) describe(e *auditedEdit, body json.RawMessage) {
	object := named{ID: lastPart(e.ID), Name: titleOf(e.s, body)}
	switch e.s.t.Audit.How {
	case genesys.AuditOwn:
		e.entity = object
	case genesys.AuditSettings:
		if e.s.seed%2 == 0 {
			e.entity = named{ID: o.ID(), Name: o.opts.Name}
		}
	case genesys.AuditSpecial:
		o.describeSpecial(e, body)
	default:
		e.entity, e.part = o.audited(e.s, e.ID), &object
	}
}

// describeSpecial: a member of a queue is a property of the queue, and who got a
// role is in the name of the entity.
func (o *Org) describeSpecial(e *auditedEdit, body json.RawMessage) {
	switch parts := genesys.SplitID(e.ID); e.s.t.Name {
	case "routing.queues.members":
		e.entity, e.part = o.audited(e.s, e.ID), &named{ID: parts[1]}
	case "users.queues":
		e.entity, e.part = named{ID: parts[1], Name: titleOf(e.s, body)}, &named{ID: parts[0]}
	case "authorization.roles.subjectgrants":
		e.entity = o.granted(parts[1], parts[0])
	case "authorization.divisions.grants":
		e.entity = o.granted(lookupText(body, "subjectId"), lookupText(body, "role.id"))
	default: // the grants of a user or of a group
		role := ""
		if roles := lookupAll(body, "grants.role.id"); len(roles) > 0 {
			role = roles[0]
		}
		e.entity = o.granted(parts[0], role)
	}
}

func (o *Org) granted(subject, role string) named {
	name := subject + "--" + role + "--" + o.ID()
	return named{ID: makeUUID(hashText(0, name), 0, 0), Name: name}
}

// audited is what the records of a part name: of the objects that it is listed
// under, the one with the same entity type, or the nearest.
func (o *Org) audited(s *shape, id string) named {
	if s.parent == nil {
		return named{ID: lastPart(id)}
	}
	above, aboveID := s.parent, s.parentOf(id)
	for a, aID := above, aboveID; a != nil; a, aID = a.parent, a.parentOf(aID) {
		if a.t.Audit.How == genesys.AuditOwn && a.t.Audit.Entity == s.t.Audit.Entity {
			above, aboveID = a, aID
			break
		}
	}
	body, _ := o.current(above, aboveID)
	return named{ID: lastPart(aboveID), Name: titleOf(above, body)}
}

func titleOf(s *shape, body json.RawMessage) string {
	if title, _, _ := strings.Cut(s.t.Title, "+"); title != "" && body != nil {
		return lookupText(body, title)
	}
	return ""
}

func versions(before, after json.RawMessage) []string {
	was, is := lookupText(before, "version"), lookupText(after, "version")
	if was == is {
		return nil
	}
	return []string{was, is}
}

// propertyDeltas compares the members of two bodies, those that move by themselves left out.
func propertyDeltas(s *shape, before, after json.RawMessage) []propertyDelta {
	deltas := []propertyDelta{}
	if before == nil || after == nil {
		return deltas
	}
	old, _ := parseFields(before) // both are ours
	now, _ := parseFields(after)
	names := map[string]bool{}
	for _, m := range append(slices.Clone(old), now...) {
		if names[m.key] || slices.ContainsFunc(s.t.Volatile, func(v string) bool { key, _, _ := strings.Cut(v, "."); return key == m.key }) {
			continue
		}
		names[m.key] = true
		was, _ := old.get(m.key)
		is, _ := now.get(m.key)
		if string(was) != string(is) {
			deltas = append(deltas, propertyDelta{m.key, auditValues(was), auditValues(is)})
		}
	}
	return deltas
}

// auditValues are a value as records have it: texts, one of which may be JSON.
func auditValues(raw json.RawMessage) []string {
	if raw == nil {
		return []string{}
	}
	if s, ok := jsonscan.String(raw); ok {
		return []string{s}
	}
	return []string{string(raw)}
}
