package genesystest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An auditQuery is one whose results are prepared while the client waits.
type auditQuery struct {
	ID          string        `json:"id"`
	State       string        `json:"state"`
	StartDate   string        `json:"startDate"`
	Interval    string        `json:"interval"`
	ServiceName string        `json:"serviceName"`
	Filters     []auditFilter `json:"filters"`

	asked   time.Time
	results []auditRecord
}

func (o *Org) answerAuditQuery(c *exchange) *reply {
	q, found, refused := o.find(c.body)
	if refused != nil {
		return refused
	}
	if q.ServiceName == "" {
		return invalid("serviceName", "", "the names of GET /api/v2/audits/query/servicemapping")
	}
	now := o.opts.Clock()
	query := auditQuery{
		ID: makeUUID(o.opts.Seed^0x7175657279, 0, len(o.audit.queries)), State: "Queued", StartDate: stamp(now),
		Interval: q.Interval, ServiceName: q.ServiceName, Filters: append([]auditFilter{}, q.Filters...), asked: now, results: found,
	}
	o.audit.queries = append(o.audit.queries, query)
	return answerJSON(http.StatusAccepted, query)
}

// state is how far a query has come: half of its time it is queued, half it is running.
func (q auditQuery) state(delay time.Duration) string {
	switch since := time.Since(q.asked); {
	case since < delay/2:
		return "Queued"
	case since < delay:
		return "Running"
	default:
		return "Succeeded"
	}
}

// auditQuery finds a query, in the state that it has by now.
func (o *Org) auditQuery(id string) (q auditQuery, ok bool) {
	i := slices.IndexFunc(o.audit.queries, func(q auditQuery) bool { return q.ID == id })
	if i < 0 {
		return auditQuery{}, false
	}
	q = o.audit.queries[i]
	q.State = q.state(o.opts.AuditDelay)
	return q, true
}

func (o *Org) answerAuditResults(c *exchange, q auditQuery) *reply {
	if q.State != "Succeeded" {
		return fail(http.StatusBadRequest, "bad.request", "The query has not succeeded.")
	}
	size := defaultPageSize
	if text := c.query.Get("pageSize"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > 500 {
			return invalid("pageSize", text, "25-500")
		}
	}
	page, refused := o.auditPage(q, c.query.Get("cursor"), size, slices.Contains(c.query["expand"], "user"))
	switch most := o.opts.DownloadAbove; {
	case refused != nil:
		return refused
	case most > 0 && len(q.results) > most && c.query.Get("allowRedirect") == "true":
		return o.handOut(c, q)
	}
	return answerJSON(http.StatusOK, page)
}

// auditPage is the part of a query's results that a cursor leads to.
func (o *Org) auditPage(q auditQuery, cursor string, size int, expandUser bool) (page map[string]any, refused *reply) {
	start := 0
	if cursor != "" {
		var err error
		if start, err = strconv.Atoi(strings.TrimPrefix(cursor, "c")); err != nil || start < 0 || start > len(q.results) {
			return nil, invalid("cursor", cursor, "a value from a previous response")
		}
	}
	end := min(start+size, len(q.results))
	entities := append([]auditRecord{}, q.results[start:end]...)
	if expandUser {
		entities = o.expandUsers(entities)
	}
	page = map[string]any{"id": q.ID, "pageSize": size, "entities": entities}
	if end < len(q.results) {
		page["cursor"] = "c" + strconv.Itoa(end)
	}
	return page, nil
}
