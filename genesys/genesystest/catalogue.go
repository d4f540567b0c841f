package genesystest

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
)

func notFound() *reply {
	return fail(http.StatusNotFound, "not.found", "The requested resource was not found.")
}

func invalid(field, value, allowed string) *reply {
	return fail(http.StatusBadRequest, "invalid.value", "Value [%s] is not valid for field type [%s]. Allowable values are: %s", value, field, allowed)
}

// routesFor returns the routes that a request may mean, the likeliest first.
func (o *Org) routesFor(c *exchange) []*route {
	var fit []*route
	for _, r := range o.routes.find(c.parts) {
		if r.serves(r.shape.t, c.r.Method) {
			fit = append(fit, r)
		}
	}
	return fit
}

func (r *route) serves(t genesys.ObjectType, method string) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch r.action {
	case listObjects:
		return method == cmp.Or(t.Method, http.MethodGet)
	case addObject:
		return method == http.MethodPost
	default:
		return method != http.MethodPost
	}
}

// catalogue answers a request for an object type.
func (o *Org) catalogue(c *exchange, routes []*route) *reply {
	if len(routes) == 0 {
		if len(o.routes.find(c.parts)) > 0 {
			return fail(http.StatusMethodNotAllowed, "method.not.allowed", "HTTP method not allowed for this resource.")
		}
		return notFound()
	}
	if status := o.manners[routes[0].shape.t.Name].withdrawn; status != 0 {
		return Status(status).make()
	}
	for _, r := range routes {
		plain, sourced := r.variables(c.parts, c.query)
		if refused := o.need(r.demanded(c.r.Method)...); refused != nil {
			return refused
		}
		c.typ = r.shape.t.Name
		var rep *reply
		switch r.action {
		case listObjects:
			rep = o.answerList(c, r, plain, sourced)
		case addObject:
			rep = o.answerAdd(c, r, plain, sourced)
		case oneObject:
			rep = o.answerOne(c, r, plain, sourced)
		}
		if rep != nil {
			return rep
		}
	}
	return notFound()
}

func (o *Org) answerOne(c *exchange, r *route, plain []string, sourced map[string]string) *reply {
	s := r.shape
	parentID, key, ok := o.objectFor(r, plain, sourced, c.query)
	if !ok {
		return nil
	}
	id := under(parentID, key)
	switch c.r.Method {
	case http.MethodDelete:
		return o.writeReply(nil, o.remove(s, id, o.clientAuthor()))
	case http.MethodPut, http.MethodPatch:
		return o.answerUpdate(c, s, id)
	}
	pos, _ := o.locate(s, parentID, key)
	expand := expandOf(c.query) + ",resources,full"
	body, there, lags := o.lagging(s, parentID, pos, expand)
	if !lags {
		body, there = o.bodyAt(s, parentID, pos, expand, false)
	}
	if !there {
		return o.buried(s, parentID, pos)
	}
	if o.hides(s) {
		if division := o.member(s, parentID, pos, "division"); !o.covers(division) {
			return o.hidden(r, division)
		}
	}
	return newReply(http.StatusOK, body)
}

func (o *Org) hidden(r *route, division json.RawMessage) *reply {
	if o.opts.HiddenGet != http.StatusForbidden {
		return notFound()
	}
	permission := ""
	if demanded := r.demanded(http.MethodGet); len(demanded) > 0 {
		permission = demanded[0]
	}
	return fail(http.StatusForbidden, "missing.division.permission",
		"Unable to perform the requested action. You are missing the following permission(s): [%s] in at least one of the following division(s): [%s]",
		permission, lookupText(division, "id"))
}

// expandOf gathers the parameters that make a response longer.
func expandOf(query url.Values) string {
	expand := strings.Join(query["expand"], ",")
	if query.Get("showbrief") == "false" {
		expand += ",full"
	}
	if query.Get("includeResources") == "true" {
		expand += ",resources"
	}
	if query.Get("includeConfig") == "true" {
		expand += ",config"
	}
	return expand
}

func (o *Org) answerAdd(c *exchange, r *route, plain []string, sourced map[string]string) *reply {
	parentID, ok := o.parentFor(r, plain, sourced)
	if !ok {
		return nil
	}
	patch, err := parseFields(c.body)
	if err != nil {
		return fail(http.StatusBadRequest, "bad.request", "The request could not be understood by the server due to malformed syntax.")
	}
	if i := patch.index("id"); i >= 0 && r.shape.usesUUID() && !r.shape.byBody {
		patch = append(patch[:i], patch[i+1:]...) // the service names its objects
	}
	_, body, err := o.create(r.shape, parentID, patch, o.clientAuthor())
	return o.writeReply(body, err)
}

func (o *Org) answerUpdate(c *exchange, s *shape, id string) *reply {
	patch, err := parseFields(c.body)
	if err != nil {
		return fail(http.StatusBadRequest, "bad.request", "The request could not be understood by the server due to malformed syntax.")
	}
	current, _ := o.current(s, topKey(s, id))
	if sent, ok := patch.get("version"); ok && string(sent) != string(lookup(current, "version")) {
		return fail(http.StatusConflict, "general.conflict", "The version of the request does not match the current version of the resource.")
	}
	body, err := o.update(s, id, "Update", func(f *fields) {
		if c.r.Method == http.MethodPatch {
			f.merge(patch)
			return
		}
		replace(f, patch, s.t)
	}, o.clientAuthor())
	return o.writeReply(body, err)
}

// replace does what PUT does: members that are not sent go, except those that the service keeps.
func replace(f *fields, sent fields, t genesys.ObjectType) {
	kept := fields{}
	for _, m := range *f {
		switch m.key {
		case "id", "selfUri", "dateCreated", "createdDate", "createdBy", "state", "division":
			kept.put(m.key, m.raw)
			continue
		}
		for _, path := range slices.Concat(t.ID, t.Volatile) {
			if key, _, _ := strings.Cut(path, "."); key == m.key {
				kept.put(m.key, m.raw)
			}
		}
	}
	for _, m := range sent {
		kept.put(m.key, m.raw)
	}
	*f = kept
}

func (o *Org) writeReply(body json.RawMessage, err error) *reply {
	switch {
	case errors.Is(err, ErrConflict):
		return fail(http.StatusConflict, "general.conflict", "The resource already exists.")
	case errors.Is(err, ErrNotFound):
		return notFound()
	case err != nil:
		return fail(http.StatusBadRequest, "bad.request", "%v", err)
	case body == nil:
		r := newReply(http.StatusNoContent, nil)
		r.header.Del("Content-Type")
		return r
	default:
		return newReply(http.StatusOK, body)
	}
}
