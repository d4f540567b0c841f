package genesys

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// An AuditMapping says of what an org keeps audits: service, then entity type,
// then the actions that are recorded. It is the last word: the catalogue's
// names come from the API's description, and an org may lack some of them.
type AuditMapping map[string]map[string][]string

// AuditMapping reads the mapping of the org, for realtime queries or for the
// others; realtime lacks some services. It needs the permission
// audits:audit:view, as Audits does.
func (c *Client) AuditMapping(ctx context.Context, realtime bool) (AuditMapping, error) {
	path := auditsPath
	if realtime {
		path = realtimePath
	}
	var answer struct {
		Services []struct {
			Name     string `json:"name"`
			Entities []struct {
				Name    string   `json:"name"`
				Actions []string `json:"actions"`
			} `json:"entities"`
		} `json:"services"`
	}
	if err := c.GetJSON(ctx, path+"/servicemapping", &answer); err != nil {
		return nil, err
	}
	m := AuditMapping{}
	for _, s := range answer.Services {
		name := label(s.Name)
		if m[name] == nil {
			m[name] = map[string][]string{}
		}
		for _, e := range s.Entities {
			actions := make([]string, len(e.Actions))
			for i, action := range e.Actions {
				actions[i] = label(action)
			}
			m[name][label(e.Name)] = actions
		}
	}
	return m, nil
}

// Services returns the services, sorted.
func (m AuditMapping) Services() []string { return slices.Sorted(maps.Keys(m)) }

// Audit returns under which names this org's audits tell of a type: the
// catalogue's, with the one other service that has the entity type where the
// catalogue's has not, or AuditNone where no audit of the org tells of it.
func (m AuditMapping) Audit(t ObjectType) Audit {
	a := t.Audit
	if a.Service == "" {
		return Audit{How: AuditNone}
	}
	if _, ok := m[a.Service][a.Entity]; ok {
		return a
	}
	var others []string
	for service, entities := range m {
		if _, ok := entities[a.Entity]; ok {
			others = append(others, service)
		}
	}
	if len(others) != 1 {
		return Audit{How: AuditNone}
	}
	a.Service = others[0]
	return a
}

// An AuditDifference is a type of which an org's audits do not tell under the
// names that the catalogue has for it.
type AuditDifference struct {
	Type      string
	Catalogue Audit
	Org       Audit // what AuditMapping.Audit says
}

// Differences holds the mapping against a catalogue. A type whose service
// realtime lacks is a difference like any other.
func (m AuditMapping) Differences(c *Catalogue) []AuditDifference {
	var differences []AuditDifference
	for _, t := range c.types {
		if org := m.Audit(t); org != t.Audit && t.Audit.Service != "" {
			differences = append(differences, AuditDifference{t.Name, t.Audit, org})
		}
	}
	return differences
}

// An AuditTarget is what a record tells of in the terms of the catalogue: an
// object, the objects below one, or, where nothing more is known, a type.
type AuditTarget struct {
	Type string

	// ID is the object's, "" where the record does not name it in full.
	ID string

	// Below is the ID of the object below which it is, "" where it is not known.
	Below string

	// Last is the last part of the object's ID, "" where it is not known.
	Last string
}

// Includes reports whether the record tells of the object of the type with that ID.
func (t AuditTarget) Includes(id string) bool {
	return (t.ID == "" || t.ID == id) &&
		(t.Below == "" || id == t.Below || strings.HasPrefix(id, t.Below+"/")) &&
		(t.Last == "" || id == t.Last || strings.HasSuffix(id, "/"+t.Last))
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

// specialTargets reads the records that tell of a type beside their entity.
func (t ObjectType) specialTargets(r AuditRecord, target AuditTarget) []AuditTarget {
	switch t.Name {
	case "routing.queues.members":
		if members := queueMembers(r); len(members) > 0 {
			return memberTargets(t.Name, members, func(m queueMember) (string, string) { return m.queue, m.user })
		}
		return nil // an edit of the queue
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
func tellsOfMembersOnly(r AuditRecord) bool {
	return len(r.Properties) > 0 && !slices.ContainsFunc(r.Properties, func(c PropertyChange) bool { return !strings.HasPrefix(c.Property, "QueueMember/") })
}

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
