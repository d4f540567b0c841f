package genesys

import (
	"slices"
	"strings"
)

// Audits name things in their own way: a service, an entity type, an ID. The
// catalogue's row of a type says how that leads to its objects (ObjectType.Audit).
// Most records name the object itself. Some hide what was edited in a property or
// in a name, and this is the one place that knows where.

// An AuditTarget is what a record tells of in the terms of the catalogue: an
// object, the objects below one, or, where nothing more is known, a type.
type AuditTarget struct {
	Type string

	// ID is the object's. It is "" where the record does not name one object in full;
	// then Below and Last say what is known of it.
	ID string

	Below string // ID of an object that it is listed under, directly or not; "" if not known
	Last  string // last part of its ID; "" if not known
}

// Audited returns what a record tells of. Several types may go by the same
// names in audits; each of them is a target, and so is each member of a queue
// or holder of a role that the record names. Services are not compared: an org
// may have moved an entity type to another one.
func (c *Catalogue) Audited(r AuditRecord) []AuditTarget {
	var targets []AuditTarget
	for _, t := range c.audited()[strings.ToLower(r.Entity.Type)] {
		targets = append(targets, t.auditTargets(r)...)
	}
	return targets
}

// audited is made once: a tail of audits asks for every record.
func (c *Catalogue) audited() map[string][]ObjectType {
	c.indexAudits.Do(func() {
		c.byAudit = map[string][]ObjectType{}
		for _, t := range c.types {
			if t.Audit.Entity != "" {
				entity := strings.ToLower(t.Audit.Entity)
				c.byAudit[entity] = append(c.byAudit[entity], t)
			}
		}
	})
	return c.byAudit
}

// auditTargets returns what a record of the type's entity type tells of it. What the
// record names is the object, one that the object is listed under, or neither. The ID
// of a child begins with its parent's, of which an audit of the child says nothing.
func (t ObjectType) auditTargets(r AuditRecord) []AuditTarget {
	target := AuditTarget{Type: t.Name}
	id := ""
	if r.Entity.ID != "" {
		id = JoinID(r.Entity.ID)
	}
	switch t.Audit.How {
	case AuditOwn:
		_, _, isGrant := grantIn(r)
		switch {
		case isGrant || tellsOfMembersOnly(r):
			return nil
		case t.Parent != "":
			target.Last = id
		case len(t.ID) == 1 && t.Paging != PagingSingleton:
			target.ID = id
		}
	case AuditParent:
		if tellsOfMembersOnly(r) {
			return nil
		}
		target.Below = id
		if t.Parent == "" || t.Paging == PagingSingleton && strings.Count(t.Path, "{") == 1 {
			target.ID = id
		}
	case AuditSpecial:
		return t.specialTargets(r, target)
	}
	return []AuditTarget{target}
}

// specialTargets reads what records say of a type elsewhere than in their entity. A
// record of a queue that names no member tells of none, and a record of a role that
// is not named like a grant tells of the role alone; both are no targets here.
func (t ObjectType) specialTargets(r AuditRecord, target AuditTarget) []AuditTarget {
	switch t.Name {
	case "routing.queues.members":
		if members := queueMembers(r); len(members) > 0 {
			return memberTargets(t.Name, members, func(m queueMember) (string, string) { return m.queue, m.user })
		}
		return nil
	case "users.queues":
		if members := queueMembers(r); len(members) > 0 {
			return memberTargets(t.Name, members, func(m queueMember) (string, string) { return m.user, m.queue })
		}
		return nil
	case "users.roles", "groups.roles":
		subject, _, ok := grantIn(r)
		if !ok {
			return nil
		}
		target.ID = subject
	case "authorization.roles.subjectgrants":
		subject, role, ok := grantIn(r)
		if !ok {
			return nil
		}
		target.ID, target.Below = JoinID(role, subject), role
	}
	return []AuditTarget{target}
}

// A queueMember is one membership, by the IDs of both sides.
type queueMember struct{ queue, user string }

// queueMembers finds the members that a record of a queue tells of: they are
// properties of the queue, QueueMember/<queue>:<user>, with or without ":joined".
func queueMembers(r AuditRecord) []queueMember {
	var found []queueMember
	for _, change := range r.Properties {
		names, ok := strings.CutPrefix(change.Property, "QueueMember/")
		parts := strings.Split(names, ":")
		if ok && len(parts) >= 2 && parts[0] != "" && parts[1] != "" {
			found = append(found, queueMember{JoinID(parts[0]), JoinID(parts[1])})
		}
	}
	return found
}

// tellsOfMembersOnly reports whether a record of a queue tells of its members and of nothing else.
// Then the queue itself was not edited, nor was any other part of it.
func tellsOfMembersOnly(r AuditRecord) bool {
	isOther := func(c PropertyChange) bool { return !strings.HasPrefix(c.Property, "QueueMember/") }
	return len(r.Properties) > 0 && !slices.ContainsFunc(r.Properties, isOther)
}

// memberTargets returns a target for each membership, listed below one side and named by the other.
func memberTargets(name string, members []queueMember, of func(queueMember) (above, below string)) []AuditTarget {
	var targets []AuditTarget
	for _, m := range members {
		above, below := of(m)
		target := AuditTarget{Type: name, ID: above + "/" + below, Below: above, Last: below}
		if !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	return targets
}

// grantIn finds who got or lost which role: the entity is named <user>--<role>--<org>.
func grantIn(r AuditRecord) (subject, role string, ok bool) {
	parts := strings.Split(r.Entity.Name, "--")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return "", "", false
	}
	return JoinID(parts[0]), JoinID(parts[1]), true
}
