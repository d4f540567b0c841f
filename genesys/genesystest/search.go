package genesystest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/official"
)

// A searchRequest is the body of POST /api/v2/users/search, less its paging.
type searchRequest struct {
	SortBy    string   `json:"sortBy"`
	SortOrder string   `json:"sortOrder"`
	Expand    []string `json:"expand"`
	Query     []struct {
		Type     string   `json:"type"`
		Fields   []string `json:"fields"`
		Value    string   `json:"value"`
		Values   []string `json:"values"`
		Operator string   `json:"operator"`
	} `json:"query"`
}

var searchTypes = map[string]matching{
	"EXACT": matchWhole, "TERM": matchWhole, "TERMS": matchWhole, "STARTS_WITH": matchPrefix, "CONTAINS": matchPart, "QUERY_STRING": matchPart,
}

// answerUserSearch is the list of users with conditions in its body.
func (o *Org) answerUserSearch(c *exchange) *reply {
	users := *o.shapes["users"]
	if refused := o.need(official.Permissions()["POST /api/v2/users/search"]...); refused != nil {
		return refused
	}
	var q searchRequest
	if err := json.Unmarshal(c.body, &q); err != nil {
		return fail(http.StatusBadRequest, "bad.request", "The request could not be understood by the server due to malformed syntax.")
	}
	f := filter{sortBy: q.SortBy, descending: strings.HasPrefix(strings.ToLower(q.SortOrder), "d")}
	for _, want := range q.Query {
		how, ok := searchTypes[want.Type]
		switch {
		case !ok:
			return invalid("type", want.Type, "EXACT, TERM, TERMS, STARTS_WITH, CONTAINS, QUERY_STRING")
		case want.Operator != "" && want.Operator != "AND":
			return invalid("operator", want.Operator, "AND")
		case want.Value != "":
			want.Values = append(want.Values, want.Value)
		}
		f.conditions = append(f.conditions, condition{want.Fields, want.Values, how})
	}
	users.t.Method, users.t.Paging, users.t.Token = http.MethodPost, genesys.PagingSearch, "pageNumber"
	users.t.Items, users.t.PageSize = "results", 100
	c.query["expand"] = q.Expand
	p := &page{org: o, c: c, shape: &users, view: o.view(&users, "", f)}
	p.total = p.view.len()
	if refused := p.ask(); refused != nil {
		return refused
	}
	return newReply(http.StatusOK, p.envelope())
}
