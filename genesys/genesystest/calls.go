package genesystest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/official"
)

// A call is a path that clients use besides the catalogue's lists and reads. A
// "*" stands for an ID; typ names the type whose object it is of.
type plainCall struct {
	method, path string
	typ          string
	answer       func(o *Org, c *exchange, id string) *reply
}

func plainCalls() []plainCall {
	get, post := http.MethodGet, http.MethodPost
	return []plainCall{
		{get, "authorization/divisions/home", "", answerHome},
		{get, "businessrules/decisiontables/search", "", answerSearch("businessrules.decisiontables")},
		{get, "quality/forms/evaluations/bulk/contexts", "", answerContexts},
		{get, "greetings/*/downloads", "", answerGreeting},
		{get, "greetings/*/media", "", answerGreeting},
		{post, "scripts/*/export", "scripts", answerAddress("url")},
		{get, "outbound/contactlists/*/export", "outbound.contactlists", answerAddress("uri")},
		{get, "outbound/dnclists/*/export", "outbound.dnclists", answerAddress("uri")},
		{post, "outbound/contactlists/*/export", "outbound.contactlists", answerJob},
		{post, "outbound/dnclists/*/export", "outbound.dnclists", answerJob},
		{post, "outbound/contactlists/*/contacts/search", "outbound.contactlists", answerEmpty},
		{post, "taskmanagement/workitems/query", "", answerEmpty},
		{get, "integrations/actions/*/templates/*", "integrations.actions", answerTemplate},
		{get, "integrations/actions/*/draft/templates/*", "integrations.actions.drafts", answerTemplate},
		{get, "integrations/actions/*/function", "integrations.actions", answerFunction},
		{get, "integrations/actions/*/draft/function", "integrations.actions.drafts", answerFunction},
	}
}

// plain finds the answerer of such a path.
func (o *Org) plain(c *exchange) func(*exchange) *reply {
	parts := c.parts[2:]
	for _, call := range plainCalls() {
		id, ok := call.matches(c.r.Method, parts)
		if !ok {
			continue
		}
		return func(c *exchange) *reply {
			key := operationKeys()[call.method+" "+pathShape("/api/v2/"+strings.ReplaceAll(call.path, "*", "{id}"))]
			if refused := o.need(official.Permissions()[key]...); refused != nil {
				return refused
			}
			if call.typ != "" && !o.exists(o.shapes[call.typ], id) {
				return notFound()
			}
			return call.answer(o, c, id)
		}
	}
	return nil
}

// matches reports whether a path is the call's, and the first ID in it.
func (call plainCall) matches(method string, parts []string) (id string, ok bool) {
	want := strings.Split(call.path, "/")
	if method != call.method || len(parts) != len(want) {
		return "", false
	}
	for i, part := range want {
		switch {
		case part == "*" && id == "":
			id = parts[i]
		case part != "*" && !strings.EqualFold(part, parts[i]):
			return "", false
		}
	}
	return id, true
}

func answerHome(o *Org, _ *exchange, _ string) *reply {
	body, _ := o.bodyAt(o.shapes["authorization.divisions"], "", 0, "", false)
	return newReply(http.StatusOK, body)
}

// answerSearch lists a type's objects whose names contain what is asked for.
func answerSearch(typ string) func(*Org, *exchange, string) *reply {
	return func(o *Org, c *exchange, _ string) *reply {
		s, found := o.shapes[typ], []json.RawMessage{}
		for pos := range o.positions(s, "") {
			if body, there := o.bodyAt(s, "", pos, expandOf(c.query), true); there &&
				strings.Contains(strings.ToLower(lookupText(body, "name")), strings.ToLower(c.query.Get("name"))) {
				found = append(found, body)
			}
		}
		return answerJSON(http.StatusOK, map[string]any{"entities": found, "selfUri": c.path})
	}
}

// answerContexts has the published forms of some contexts.
func answerContexts(o *Org, c *exchange, _ string) *reply {
	wanted := map[string]bool{}
	for id := range strings.SplitSeq(strings.Join(c.query["contextId"], ","), ",") {
		wanted[id] = true
	}
	s, found := o.shapes["quality.publishedforms.evaluations"], []json.RawMessage{}
	for pos := range o.positions(s, "") {
		if body, there := o.bodyAt(s, "", pos, "", false); there && wanted[lookupText(body, "contextId")] {
			found = append(found, body)
		}
	}
	return answerJSON(http.StatusOK, found)
}

func answerGreeting(o *Org, _ *exchange, id string) *reply {
	return answerJSON(http.StatusOK, map[string]string{"id": id, "mediaFileUri": o.fileURL("greetings", id+".wav")})
}

// answerAddress has the signed address of an export, in a member of that name.
func answerAddress(member string) func(*Org, *exchange, string) *reply {
	return func(o *Org, _ *exchange, id string) *reply {
		answer := map[string]string{member: o.fileURL("exports", id)}
		if member == "uri" {
			answer["exportTimestamp"] = stamp(time.Now())
		}
		return answerJSON(http.StatusOK, answer)
	}
}

func answerJob(o *Org, c *exchange, id string) *reply {
	return answerJSON(http.StatusOK, named{ID: makeUUID(hashText(o.opts.Seed, id), 0, o.access.requests), SelfURI: c.path})
}

// answerEmpty is a page of things that the org does not have.
func answerEmpty(_ *Org, c *exchange, _ string) *reply {
	return answerJSON(http.StatusOK, map[string]any{
		"entities": []any{}, "pageSize": 25, "pageNumber": 1, "total": 0, "pageCount": 0, "selfUri": c.path,
	})
}
