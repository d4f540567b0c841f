package genesys

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/printable"
)

// The least role that reads given types. A type is readable with any one of a few permissions, so
// the least set is not unique. The choice is greedy, in three steps: what is the only permission of
// some type is taken; for a type that has none of these the best of its own is taken, one that lets
// nobody write before one that unlocks more types; at last each that became needless is dropped. So
// none can be left out, which is what a role has to hold, though there may be a smaller set.

// A Role is a role as the service takes it: the body of POST
// /api/v2/authorization/roles, and of the role of a tool such as Terraform.
type Role struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Policies    []Policy `json:"permissionPolicies"`
}

// A Policy allows actions on one kind of entity: of routing:queue:view, the Domain is routing, the
// EntityName queue, and view is one of the ActionSet.
type Policy struct {
	Domain          string   `json:"domain"`
	EntityName      string   `json:"entityName"`
	ActionSet       []string `json:"actionSet"`
	AllowConditions bool     `json:"allowConditions"` // always false: no grant depends on conditions
}

// String returns the permissions of the role, one a line.
func (r Role) String() string {
	var b strings.Builder
	for _, p := range r.Policies {
		b.WriteString(printable.Text(p.Domain+":"+p.EntityName+":"+strings.Join(p.ActionSet, ",")) + "\n")
	}
	return b.String()
}

// RoleFor returns a role with the permissions that reading types and their parts takes, and no other.
// A type of which no permission is known adds none; see ObjectType.PermissionUnknown.
func RoleFor(name string, types []ObjectType) Role {
	role := Role{Name: name, Policies: []Policy{}}
	for _, need := range needs(withParts(types)) {
		domain, rest, _ := strings.Cut(need.Permission, ":")
		entity, action, _ := strings.Cut(rest, ":")
		last := len(role.Policies) - 1
		if last >= 0 && role.Policies[last].Domain == domain && role.Policies[last].EntityName == entity {
			role.Policies[last].ActionSet = append(role.Policies[last].ActionSet, action)
			continue
		}
		role.Policies = append(role.Policies, Policy{Domain: domain, EntityName: entity, ActionSet: []string{action}})
	}
	return role
}

// A Need is a permission, with the names of the types that it lets a client read.
type Need struct {
	Permission string   `json:"permission"`
	Types      []string `json:"types"`
}

// Missing returns the permissions that the client lacks to read types and their parts, sorted, as
// RoleFor would grant them. Where a type can be read and a part of it cannot, the need is that of the
// part.
func (p *Permissions) Missing(types []ObjectType) []Need {
	return needs(slices.DeleteFunc(withParts(types), func(t ObjectType) bool {
		verdict, _ := p.Allows(t)
		return verdict != VerdictMissing
	}))
}

// needs returns the permissions that reading types takes, sorted; their parts are among the types.
// Where one of several would do, it is one that is needed anyway, or else the least: one that lets
// nobody write. None of them can be left out. A type of which no permission is known is in none.
func needs(types []ObjectType) []Need {
	unlocks := map[string][]string{}
	for _, t := range types {
		for _, p := range t.Permissions {
			unlocks[p] = append(unlocks[p], t.Name)
		}
	}
	chosen := map[string]bool{}
	for _, t := range types {
		if len(t.Permissions) == 1 {
			chosen[t.Permissions[0]] = true
		}
	}
	isChosen := func(p string) bool { return chosen[p] }
	for _, t := range types {
		if len(t.Permissions) > 1 && !slices.ContainsFunc(t.Permissions, isChosen) {
			chosen[slices.MinFunc(t.Permissions, func(a, b string) int {
				return cmp.Or(compareBool(!reads(a), !reads(b)), len(unlocks[b])-len(unlocks[a]), strings.Compare(a, b))
			})] = true
		}
	}
	// What was chosen early may have been made needless by what came later.
	for _, p := range slices.Sorted(maps.Keys(chosen)) {
		delete(chosen, p)
		if slices.ContainsFunc(types, func(t ObjectType) bool {
			return slices.Contains(t.Permissions, p) && !slices.ContainsFunc(t.Permissions, isChosen)
		}) {
			chosen[p] = true
		}
	}
	all := []Need{}
	for _, p := range slices.Sorted(maps.Keys(chosen)) {
		all = append(all, Need{p, slices.Compact(slices.Sorted(slices.Values(unlocks[p])))})
	}
	return all
}

// withParts returns what reading types takes, as types that have nothing but their name and
// permissions any one of which is enough: for their lists, their Gets and their Parts.
func withParts(types []ObjectType) []ObjectType {
	var all []ObjectType
	add := func(t ObjectType, permissions []string) {
		all = append(all, ObjectType{Name: t.Name, Whole: true, Permissions: permissions})
	}
	for _, t := range types {
		add(t, t.Permissions)
		if len(t.GetPermissions) > 0 {
			add(t, t.GetPermissions)
		}
		for _, part := range t.Parts {
			if len(part.Permissions) > 0 {
				add(t, part.Permissions)
			}
		}
	}
	return all
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// reads reports whether a permission lets a client look, and change nothing.
func reads(permission string) bool {
	action := strings.ToLower(permission[strings.LastIndexByte(permission, ':')+1:])
	return strings.HasPrefix(action, "view") || strings.HasPrefix(action, "search") || strings.HasPrefix(action, "read")
}

// Excess returns what the client may do beyond reading types and their parts: permissions,
// sorted, apart those that let it write something. Wildcards are resolved where the
// org's permissions could be read, and stand as they are where not.
func (p *Permissions) Excess(types []ObjectType) (writing, reading []string) {
	needed := map[string]bool{}
	for _, t := range withParts(types) {
		for _, permission := range t.Permissions {
			needed[strings.ToLower(permission)] = true
		}
	}
	excess := map[string]bool{}
	for _, g := range p.grants {
		for _, action := range g.actions {
			one := grant{g.domain, g.entity, []string{action}, g.division}
			name, resolved := g.domain+":"+g.entity+":"+action, false
			if strings.Contains(name, "*") {
				for known, info := range p.catalogue {
					if one.covers(known) {
						resolved = true
						excess[info.name] = !needed[known]
					}
				}
			}
			if !resolved {
				excess[name] = !needed[strings.ToLower(name)]
			}
		}
	}
	writing, reading = []string{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(excess)) {
		switch {
		case !excess[name]:
		case reads(name):
			reading = append(reading, name)
		default:
			writing = append(writing, name)
		}
	}
	return writing, reading
}
