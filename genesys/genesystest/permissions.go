package genesystest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/official"
)

// demanded are the permissions of a call: any one of them is enough. They are
// those that the API's own description names; for a call that it does not have,
// those of the catalogue, with add, edit or delete for the view of a write.
func (r *route) demanded(method string) []string { return r.demandedFor(r.shape.t, method) }

func (r *route) demandedFor(t genesys.ObjectType, method string) []string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if key, ok := operationKeys()[method+" "+r.shapePath]; ok {
		if permissions, ok := official.Permissions()[key]; ok {
			return permissions
		}
	}
	if method == http.MethodGet || r.action == listObjects {
		return t.Permissions
	}
	verb := map[string]string{http.MethodPost: "add", http.MethodDelete: "delete"}[method]
	var need []string
	for _, p := range t.Permissions {
		if view, ok := strings.CutSuffix(p, ":view"); ok {
			p = view + ":" + cmp.Or(verb, "edit")
		}
		need = append(need, p)
	}
	return need
}

// need refuses a request unless the client has one of the permissions.
func (o *Org) need(any ...string) *reply {
	if o.perms == nil || len(any) == 0 || slices.ContainsFunc(any, o.may) {
		return nil
	}
	if len(any) == 1 {
		return missingPermissions(any)
	}
	return fail(http.StatusForbidden, "missing.any.permissions",
		"Unable to perform the requested action. You must have at least one of the following permissions assigned: [%s]", strings.Join(any, ", "))
}

func missingPermissions(permissions []string) *reply {
	return fail(http.StatusForbidden, "missing.permissions",
		"Unable to perform the requested action. You are missing the following permission(s): [%s]", strings.Join(permissions, ", "))
}

func (o *Org) may(permission string) bool {
	want := strings.Split(strings.ToLower(permission), ":")
	return slices.ContainsFunc(o.perms, func(granted string) bool {
		have := strings.Split(strings.ToLower(granted), ":")
		for i, part := range have {
			if part != "*" && (i >= len(want) || part != want[i]) {
				return false
			}
		}
		return true
	})
}

// A policy is a permission as roles write it.
type policy struct {
	Domain     string   `json:"domain"`
	EntityName string   `json:"entityName"`
	Actions    []string `json:"actions,omitempty"`   // in grants
	ActionSet  []string `json:"actionSet,omitempty"` // in roles
}

// policies are the client's permissions, by domain and entity.
func (o *Org) policies() []policy {
	if o.perms == nil {
		return []policy{{Domain: "*", EntityName: "*", Actions: []string{"*"}}}
	}
	return policiesOf(o.perms)
}

func policiesOf(permissions []string) []policy {
	var all []policy
	for _, permission := range slices.Sorted(slices.Values(permissions)) {
		parts := append(strings.Split(permission, ":"), "*", "*")
		last := len(all) - 1
		if last >= 0 && all[last].Domain == parts[0] && all[last].EntityName == parts[1] {
			all[last].Actions = append(all[last].Actions, parts[2])
			continue
		}
		all = append(all, policy{Domain: parts[0], EntityName: parts[1], Actions: []string{parts[2]}})
	}
	return all
}

// permissionMap is what GET /authorization/permissions says of one domain.
func (o *Org) permissionMap(domain string) map[string][]map[string]any {
	entities := map[string][]map[string]any{}
	for _, permission := range o.permissions {
		parts := strings.Split(permission, ":")
		if len(parts) != 3 || parts[0] != domain {
			continue
		}
		entities[parts[1]] = append(entities[parts[1]], map[string]any{
			"domain": parts[0], "entityType": parts[1], "action": parts[2], "label": parts[1] + " " + parts[2],
			"allowsConditions": false, "divisionAware": slices.Contains(divisionAware, parts[0]),
		})
	}
	return entities
}

// divisionAware are the domains whose objects are in divisions.
var divisionAware = []string{"architect", "outbound", "routing", "scripter", "telephony", "responses"}

// demandedFor are the permissions that the calls of a type and of its parts demand.
func demandedFor(t genesys.ObjectType, routes []route) []string {
	var all []string
	for _, r := range routes {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if r.serves(t, method) {
				all = append(all, r.demandedFor(t, method)...)
			}
		}
	}
	for _, part := range t.Parts {
		path, _, _ := strings.Cut(part.Path, "?")
		all = append(all, official.Permissions()[http.MethodGet+" "+path]...)
	}
	all = slices.DeleteFunc(all, func(p string) bool { return strings.Count(p, ":") != 2 })
	slices.Sort(all)
	return slices.Compact(all)
}

// collectPermissions gathers the permissions that the types demand, and their domains.
func (o *Org) collectPermissions() {
	for _, t := range o.types {
		o.permissions = append(o.permissions, o.shapes[t.Name].demanded...)
	}
	slices.Sort(o.permissions)
	o.permissions = slices.Compact(o.permissions)
	for _, p := range o.permissions {
		domain, _, _ := strings.Cut(p, ":")
		if len(o.domains) == 0 || o.domains[len(o.domains)-1] != domain {
			o.domains = append(o.domains, domain)
		}
	}
	if s := o.shapes["authorization.permissions"]; s != nil {
		s.count = len(o.domains)
	}
}

// rolePermissions are the permissions of role n: the client's own for its role,
// all for the first, else those of some domains.
func (o *Org) rolePermissions(n int) []string {
	switch n {
	case 0:
		return o.permissions
	case clientRole:
		if o.perms == nil {
			return o.permissions
		}
		return o.perms
	}
	var some []string
	for _, p := range o.permissions {
		domain, _, _ := strings.Cut(p, ":")
		if i, _ := slices.BinarySearch(o.domains, domain); (i+n)%7 < 2 {
			some = append(some, p)
		}
	}
	return some
}

// rolePolicies are rolePermissions as policies.
func (o *Org) rolePolicies(n int) []policy {
	var all []policy
	if n == clientRole {
		all = o.policies()
	} else {
		all = policiesOf(o.rolePermissions(n))
	}
	for i := range all {
		all[i].ActionSet, all[i].Actions = all[i].Actions, nil
	}
	return all
}

// clientGrants are the grants of OAuth client n.
func (o *Org) clientGrants(n int) []grant {
	if n == 0 {
		return o.roleDivisions()
	}
	roles := max(1, o.countOf("authorization.roles"))
	return []grant{{o.topID("authorization.roles", n%roles), o.topID("authorization.divisions", 0)}}
}
