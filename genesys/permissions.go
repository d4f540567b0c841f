package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What the client may read, found out before it tries. Each policy of each role grants actions on
// an entity in one division; a permission such as routing:queue:view is had where some policy
// covers it, wildcards included. Three calls can tell the grants; the first one that the org
// answers counts. If it answers none, nothing is known, and only a try tells.
//
// This saves requests, and a report can name the permission that is missing. A type that the grants
// do not cover need not be asked for. That they cover it is no proof: the answer to the list
// decides.

// A Verdict says whether a client may read something.
type Verdict string

// The verdicts.
const (
	VerdictAllowed  Verdict = "allowed"        // a grant says so, or nothing is needed
	VerdictMissing  Verdict = "missing"        // a permission is missing
	VerdictNotInOrg Verdict = "not in the org" // no such permission exists here: the product is not enabled
	VerdictUnknown  Verdict = "unknown"        // the grants could not be read
)

// Permissions are what a client may do, and where.
type Permissions struct {
	grants    []grant
	known     bool
	source    string
	divisions []string                  // of the org, if they could be read
	catalogue map[string]permissionInfo // by lower-case name; nil if it could not be read
}

// permissionInfo is what the org says of a permission.
type permissionInfo struct {
	name          string // as the org spells it
	divisionAware bool   // a grant of it counts in its division only
}

// A grant is one policy of one role in one division.
type grant struct {
	domain, entity string
	actions        []string
	division       string
}

// covers reports whether the grant includes a permission, in its division.
func (g grant) covers(permission string) bool {
	domain, rest, _ := strings.Cut(permission, ":")
	entity, action, _ := strings.Cut(rest, ":")
	return matches(g.domain, domain) && matches(g.entity, entity) &&
		slices.ContainsFunc(g.actions, func(a string) bool { return matches(a, action) })
}

func matches(pattern, s string) bool { return pattern == "*" || strings.EqualFold(pattern, s) }

// Source says which call told the grants; "" if none did.
func (p *Permissions) Source() string { return p.source }

// Known reports whether the grants could be read. Without them only a try
// tells what the client may read.
func (p *Permissions) Known() bool { return p.known }

// Has reports whether the client has a permission such as
// "routing:queue:view", in any division.
func (p *Permissions) Has(permission string) bool {
	return slices.ContainsFunc(p.grants, func(g grant) bool { return g.covers(permission) })
}

// Allows says whether the client may list the type, and read its objects where the
// list does not hold them whole; and if it may not, of which permissions one is
// missing. Where the service is not clear about whether it wants one or all, one is
// taken to be enough.
func (p *Permissions) Allows(t ObjectType) (v Verdict, missing []string) {
	needs := [][]string{t.Permissions}
	if !t.Whole {
		needs = append(needs, t.GetPermissions)
	}
	for _, any := range needs {
		switch {
		case len(any) == 0 || slices.ContainsFunc(any, p.Has):
		case !p.known:
			return VerdictUnknown, nil
		case p.catalogue != nil && !slices.ContainsFunc(any, p.inOrg):
			return VerdictNotInOrg, any
		default:
			return VerdictMissing, any
		}
	}
	return VerdictAllowed, nil
}

// Readable returns the type without the parts that the client is known to be
// refused, so that a permission that is missing for a part costs the part only.
func (p *Permissions) Readable(t ObjectType) ObjectType {
	if p.known {
		t.Parts = slices.DeleteFunc(slices.Clone(t.Parts), func(part Part) bool {
			return len(part.Permissions) > 0 && !slices.ContainsFunc(part.Permissions, p.Has)
		})
	}
	return t
}

// inOrg reports whether the org has a permission at all: those of products that it did not buy are
// not in its list.
func (p *Permissions) inOrg(permission string) bool {
	_, ok := p.catalogue[strings.ToLower(permission)]
	return ok
}

// Coverage says in which divisions a client sees the objects of a type.
type Coverage struct {
	// AllDivisions: every division, later ones too. Otherwise objects of other
	// divisions than these are left out of lists without a word.
	AllDivisions bool
	Divisions    []string // sorted IDs; of no use with AllDivisions

	// Hidden are the org's divisions that are not covered, as far as they can be read.
	Hidden []string
}

// Coverage returns the divisions that limit what the client sees of a type.
// For a type that needs no permission they are those of all its grants.
func (p *Permissions) Coverage(t ObjectType) Coverage {
	covered := map[string]bool{}
	for _, g := range p.grants {
		if !g.forType(t) {
			continue
		}
		if g.division == "*" || g.division == "" {
			return Coverage{AllDivisions: true}
		}
		covered[g.division] = true
	}
	if len(t.Permissions) > 0 && p.catalogue != nil && slices.ContainsFunc(t.Permissions, p.spansDivisions) {
		return Coverage{AllDivisions: true}
	}
	c := Coverage{Divisions: slices.Sorted(maps.Keys(covered))}
	for _, d := range p.divisions {
		if !covered[d] {
			c.Hidden = append(c.Hidden, d)
		}
	}
	return c
}

// forType reports whether the grant lets its client read the type, in its division.
func (g grant) forType(t ObjectType) bool {
	return len(t.Permissions) == 0 || slices.ContainsFunc(t.Permissions, g.covers)
}

// spansDivisions reports whether the client has a permission that no division limits.
func (p *Permissions) spansDivisions(permission string) bool {
	info, ok := p.catalogue[strings.ToLower(permission)]
	return ok && !info.divisionAware && p.Has(permission)
}

// Permissions works out what the client may read from its grants, in a few
// requests that need no permission. Where an org does not tell them,
// Permissions.Known is false; that is no error.
func (c *Client) Permissions(ctx context.Context) (*Permissions, error) {
	p, err := c.Grants(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.permissionCatalogue(ctx, p); err != nil && !answered(err) {
		return nil, err
	}
	if err := c.divisions(ctx, p); err != nil && !answered(err) {
		return nil, err
	}
	return p, nil
}

// Grants is Permissions without the requests that tell a missing permission
// from a product that the org does not have, and that name the divisions that
// no grant covers. It usually takes one request.
func (c *Client) Grants(ctx context.Context) (*Permissions, error) {
	p := &Permissions{}
	for _, source := range []func(context.Context, *Permissions) error{c.ownGrants, c.grantsByID, c.grantsByRole} {
		err := source(ctx, p)
		if err == nil {
			break
		}
		if !answered(err) {
			return nil, err
		}
	}
	return p, nil
}

// answered reports whether the API itself declined, as opposed to a login or
// a network that failed.
func answered(err error) bool {
	if errors.Is(err, ErrUnauthorized) {
		return false
	}
	_, declined := errors.AsType[*APIError](err)
	_, cut := errors.AsType[*IncompleteError](err)
	_, typed := errors.AsType[*json.UnmarshalTypeError](err)
	return declined || cut || typed || errors.Is(err, errNoGrants)
}

// errNoGrants reports an answer that has the form of one with grants, and none in it.
var errNoGrants = errors.New("genesys: no grants were shown")

// A subject is the answer to what somebody may do.
type subject struct {
	Grants []struct {
		Division Named `json:"division"`
		Role     struct {
			Policies []struct {
				Domain     string   `json:"domain"`
				EntityName string   `json:"entityName"`
				Actions    []string `json:"actions"`
			} `json:"policies"`
		} `json:"role"`
	} `json:"grants"`
}

// ownGrants asks what this client may do.
func (c *Client) ownGrants(ctx context.Context, p *Permissions) error {
	return c.subjectGrants(ctx, "/api/v2/authorization/subjects/me", p)
}

// grantsByID asks the same by the ID of the OAuth client.
func (c *Client) grantsByID(ctx context.Context, p *Permissions) error {
	a, err := c.Access(ctx)
	if err != nil {
		return err
	}
	if a.Client.ID == "" {
		return errNoGrants
	}
	return c.subjectGrants(ctx, "/api/v2/authorization/subjects/"+escapeVariable("", a.Client.ID), p)
}

// subjectGrants asks what a subject may do.
func (c *Client) subjectGrants(ctx context.Context, path string, p *Permissions) error {
	var s subject
	if err := c.GetJSON(ctx, path, &s); err != nil {
		return err
	}
	for _, g := range s.Grants {
		for _, policy := range g.Role.Policies {
			p.grants = append(p.grants, grant{policy.Domain, policy.EntityName, policy.Actions, g.Division.ID})
		}
	}
	if len(p.grants) == 0 {
		return errNoGrants
	}
	p.known, p.source = true, path
	return nil
}

// grantsByRole puts the grants together from the roles that the token names.
func (c *Client) grantsByRole(ctx context.Context, p *Permissions) error {
	a, err := c.Access(ctx)
	if err != nil {
		return err
	}
	if len(a.Client.Grants) == 0 {
		return errNoGrants
	}
	divisions := map[string][]string{}
	for _, g := range a.Client.Grants {
		divisions[g.RoleID] = append(divisions[g.RoleID], g.DivisionID)
	}
	var found []grant
	for _, id := range slices.Sorted(maps.Keys(divisions)) {
		var role struct {
			Policies []struct {
				Domain     string   `json:"domain"`
				EntityName string   `json:"entityName"`
				ActionSet  []string `json:"actionSet"`
			} `json:"permissionPolicies"`
		}
		if err := c.GetJSON(ctx, "/api/v2/authorization/roles/"+escapeVariable("", id), &role); err != nil {
			return fmt.Errorf("role %s: %w", id, err)
		}
		for _, policy := range role.Policies {
			for _, division := range divisions[id] {
				found = append(found, grant{policy.Domain, policy.EntityName, policy.ActionSet, division})
			}
		}
	}
	p.grants, p.known, p.source = found, true, "/api/v2/authorization/roles"
	return nil
}

// permissionCatalogue reads which permissions exist in the org.
func (c *Client) permissionCatalogue(ctx context.Context, p *Permissions) error {
	t, ok := c.Catalogue().Lookup("authorization.permissions")
	if !ok {
		return nil
	}
	catalogue := map[string]permissionInfo{}
	for o, err := range c.List(ctx, t) {
		if err != nil {
			return err
		}
		var domain struct {
			Domain        string `json:"domain"`
			PermissionMap map[string][]struct {
				Action        string `json:"action"`
				DivisionAware bool   `json:"divisionAware"`
			} `json:"permissionMap"`
		}
		if err := json.Unmarshal(o.Body, &domain); err != nil {
			return err
		}
		for entity, actions := range domain.PermissionMap {
			for _, a := range actions {
				name := domain.Domain + ":" + entity + ":" + a.Action
				catalogue[strings.ToLower(name)] = permissionInfo{name, a.DivisionAware}
			}
		}
	}
	if len(catalogue) > 0 {
		p.catalogue = catalogue
	}
	return nil
}

// divisions reads which divisions the org has.
func (c *Client) divisions(ctx context.Context, p *Permissions) error {
	t, ok := c.Catalogue().Lookup("authorization.divisions")
	if !ok {
		return nil
	}
	var ids []string
	for o, err := range c.List(ctx, t) {
		if err != nil {
			return err
		}
		if !o.Deleted {
			ids = append(ids, o.ID)
		}
	}
	p.divisions = ids
	return nil
}
