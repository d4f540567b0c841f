package genesystest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// clientRole is the number of the role that the client has.
const clientRole = 1

// special returns the answerer of a path that is not an object type's.
func (o *Org) special(c *exchange) func(*exchange) *reply {
	path := strings.ToLower(strings.Join(c.parts[2:], "/"))
	switch c.r.Method + " " + path {
	case "GET tokens/me":
		return o.answerToken
	case "HEAD tokens/me":
		return o.answerToken
	case "DELETE tokens/me":
		return func(c *exchange) *reply { o.revoke(c.r); return newReply(http.StatusNoContent, nil) }
	case "GET users/me":
		return func(*exchange) *reply {
			return fail(http.StatusBadRequest, "bad.request", "This request requires a user context. Client credentials cannot be used for requests to this resource.")
		}
	case "POST users/search":
		return o.answerUserSearch
	case "GET authorization/subjects/me":
		return o.answerSubject
	case "GET authorization/subjects/" + strings.ToLower(o.opts.ClientID):
		return func(c *exchange) *reply {
			if refused := o.need("authorization:grant:view"); refused != nil {
				return refused
			}
			return o.answerSubject(c)
		}
	case "GET authorization/divisionspermitted/paged/me", "GET authorization/divisionspermitted/paged/" + strings.ToLower(o.opts.ClientID):
		return o.answerDivisionsPermitted
	}
	if strings.HasPrefix(path, "audits/") {
		return o.answerAudits
	}
	return o.plain(c)
}

type named struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	SelfURI string `json:"selfUri,omitempty"`
}

// A grant is a role in a division.
type grant struct {
	RoleID     string `json:"roleId"`
	DivisionID string `json:"divisionId"`
}

func (o *Org) roleDivisions() []grant {
	role := o.topID("authorization.roles", clientRole)
	if o.divisions == nil {
		return []grant{{role, "*"}}
	}
	var grants []grant
	for id := range o.divisions {
		grants = append(grants, grant{role, id})
	}
	slices.SortFunc(grants, func(a, b grant) int { return strings.Compare(a.DivisionID, b.DivisionID) })
	return grants
}

func (o *Org) answerToken(*exchange) *reply {
	org := named{ID: o.ID(), Name: o.opts.Name}
	return answerJSON(http.StatusOK, map[string]any{
		"organization": org, "homeOrganization": org, "authorizedScope": []string{},
		"OAuthClient": map[string]any{
			"id": o.opts.ClientID, "name": o.nameOf(o.shapes["oauth.clients"], "", 0), "authorizedGrantType": "CLIENT-CREDENTIALS",
			"scope": []string{}, "roleDivisions": o.roleDivisions(), "state": "active", "organization": org,
			"selfUri": "/api/v2/oauth/clients/" + o.opts.ClientID,
		},
	})
}

func (o *Org) answerSubject(*exchange) *reply {
	roles, divisions := o.shapes["authorization.roles"], o.shapes["authorization.divisions"]
	role := map[string]any{"id": o.topID(roles.t.Name, clientRole), "name": o.nameOf(roles, "", clientRole), "policies": o.policies()}
	var grants []map[string]any
	for _, g := range o.roleDivisions() {
		division := map[string]any{"id": g.DivisionID, "name": g.DivisionID, "homeDivision": false}
		if body, ok := o.current(divisions, g.DivisionID); ok {
			division["name"] = lookupText(body, "name")
			division["homeDivision"] = lookupText(body, "homeDivision") == "true"
		}
		grants = append(grants, map[string]any{
			"subjectId": o.opts.ClientID, "division": division, "role": role, "grantMadeAt": "2024-01-15T09:00:00.000Z",
		})
	}
	return answerJSON(http.StatusOK, map[string]any{
		"id": o.opts.ClientID, "name": o.nameOf(o.shapes["oauth.clients"], "", 0), "grants": grants, "version": 1,
		"selfUri": "/api/v2/authorization/subjects/" + o.opts.ClientID,
	})
}

func (o *Org) answerDivisionsPermitted(c *exchange) *reply {
	permission := c.query.Get("permission")
	if permission == "" {
		return fail(http.StatusBadRequest, "bad.request", "The parameter permission is required.")
	}
	s := o.shapes["authorization.divisions"]
	entities := []json.RawMessage{}
	if o.perms == nil || o.may(permission) {
		for pos := range o.positions(s, "") {
			body, _ := o.bodyAt(s, "", pos, "", true)
			if o.divisions == nil || o.divisions[lookupText(body, "id")] {
				entities = append(entities, body)
			}
		}
	}
	return answerJSON(http.StatusOK, map[string]any{
		"entities": entities, "pageSize": max(len(entities), 25), "pageNumber": 1, "total": len(entities), "pageCount": 1,
		"allDivsPermitted": o.divisions == nil && len(entities) > 0, "selfUri": c.path,
	})
}
