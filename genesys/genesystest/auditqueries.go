package genesystest

import (
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/instant"
)

// AuditEvents walks the audits of what was done since a time, as Amazon
// EventBridge delivers them: at once, in a shape of their own.
func (o *Org) AuditEvents(since time.Time) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		o.mu.Lock()
		var events []json.RawMessage
		for _, r := range o.happened(since, o.opts.Clock().Add(time.Second)) {
			events = append(events, o.event(r))
		}
		o.mu.Unlock()
		for _, event := range events {
			if !yield(event) {
				return
			}
		}
	}
}

type auditFilter struct {
	Property string `json:"property"`
	Value    string `json:"value"`
}

// answerAudits serves the audit API.
func (o *Org) answerAudits(c *exchange) *reply {
	if refused := o.need("audits:audit:view"); refused != nil {
		return refused
	}
	parts := c.parts[3:]
	switch {
	case c.r.Method == http.MethodGet && slices.Equal(parts, []string{"query", "servicemapping"}):
		return o.answerServiceMapping(false)
	case c.r.Method == http.MethodGet && slices.Equal(parts, []string{"query", "realtime", "servicemapping"}):
		return o.answerServiceMapping(true)
	case c.r.Method == http.MethodPost && slices.Equal(parts, []string{"query", "realtime"}):
		return o.answerRealtime(c)
	case c.r.Method == http.MethodPost && slices.Equal(parts, []string{"query"}):
		return o.answerAuditQuery(c)
	case c.r.Method == http.MethodGet && len(parts) >= 2 && parts[0] == "query":
		q, found := o.auditQuery(parts[1])
		switch {
		case !found:
			return notFound()
		case len(parts) == 2:
			return answerJSON(http.StatusOK, q)
		case len(parts) == 3 && parts[2] == "results":
			return o.answerAuditResults(c, q)
		}
	}
	return notFound()
}

// notRealtime are the services that realtime queries lack.
var notRealtime = [...]string{"Gamification", "Limits"}

func inRealtime(service string) bool { return !slices.Contains(notRealtime[:], service) }

func (o *Org) answerServiceMapping(realtime bool) *reply {
	type entity struct {
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	type service struct {
		Name     string   `json:"name"`
		Entities []entity `json:"entities"`
	}
	byName := map[string]int{}
	services := []service{}
	add := func(a genesys.Audit, actions ...string) {
		if realtime && !inRealtime(a.Service) {
			return
		}
		i, ok := byName[a.Service]
		if !ok {
			i = len(services)
			byName[a.Service] = i
			services = append(services, service{Name: a.Service})
		}
		if !slices.ContainsFunc(services[i].Entities, func(e entity) bool { return e.Name == a.Entity }) {
			services[i].Entities = append(services[i].Entities, entity{a.Entity, actions})
		}
	}
	for _, t := range o.types {
		if o.shapes[t.Name].audited() {
			add(t.Audit, "Create", "Update", "Delete", "View")
		}
	}
	add(genesys.Audit{Service: "Quality", Entity: "Recording"}, "View", "Export", "Delete")
	return answerJSON(http.StatusOK, map[string]any{"services": services})
}

// An auditRequest is the body of both kinds of query.
type auditRequest struct {
	Interval    string        `json:"interval"`
	ServiceName string        `json:"serviceName"`
	Filters     []auditFilter `json:"filters"`
	Sort        []struct {
		SortOrder string `json:"sortOrder"`
	} `json:"sort"`
	PageNumber int `json:"pageNumber"`
	PageSize   int `json:"pageSize"`
}

// longestAfter is how long after an edit the last of its records happens.
const longestAfter = 10 * time.Second

// happened returns the records of an interval, by their times. Edits are found by
// binary search: a tail that asks every few minutes costs what it gets.
func (o *Org) happened(start, end time.Time) []auditRecord {
	var found []auditRecord
	add := func(records []auditRecord) {
		for _, r := range records {
			if !r.at.Before(start) && r.at.Before(end) {
				found = append(found, r)
			}
		}
	}
	log := o.audit.log
	for i := sort.Search(len(log), func(i int) bool { return log[i].Time.After(start.Add(-longestAfter)) }); i < len(log); i++ {
		if log[i].Time.After(end.Add(time.Second)) {
			break
		}
		add(o.recordsOf(&log[i]))
	}
	now := o.opts.Clock()
	first, last := instant.Later(start, now.Add(-noiseKept)).Unix()/60-1, instant.Earlier(end, now).Unix()/60
	for minute := first; minute <= last && o.opts.AuditNoise > 0; minute++ {
		add(o.noise(minute))
	}
	slices.SortStableFunc(found, func(a, b auditRecord) int { return a.at.Compare(b.at) })
	return found
}

// noiseKept is how far back the org knows what was no edit.
const noiseKept = 30 * 24 * time.Hour

const longest = 30 * 24 * time.Hour // of an audit query's interval

// find runs an audit query over the records that are visible by now.
func (o *Org) find(body []byte) (q auditRequest, found []auditRecord, refused *reply) {
	if err := json.Unmarshal(body, &q); err != nil {
		return q, nil, fail(http.StatusBadRequest, "bad.request", "The request could not be understood by the server due to malformed syntax.")
	}
	from, to, ok := strings.Cut(q.Interval, "/")
	start, err1 := time.Parse(time.RFC3339, from)
	end, err2 := time.Parse(time.RFC3339, to)
	if !ok || err1 != nil || err2 != nil || end.Before(start) || end.Sub(start) > longest {
		return q, nil, invalid("interval", q.Interval, "two ISO-8601 times at most 30 days apart, with a slash between them")
	}
	now := o.opts.Clock()
	found = slices.DeleteFunc(o.happened(start, end), func(r auditRecord) bool {
		return r.seen.After(now) || q.ServiceName != "" && !strings.EqualFold(r.ServiceName, q.ServiceName) || !o.passes(&r, q.Filters)
	})
	if len(q.Sort) == 0 || !strings.HasPrefix(strings.ToLower(q.Sort[0].SortOrder), "asc") {
		slices.Reverse(found)
	}
	return q, found, nil
}

func (o *Org) passes(r *auditRecord, filters []auditFilter) bool {
	for _, f := range filters {
		var have string
		switch strings.ToLower(f.Property) {
		case "entityid":
			have = r.Entity.ID
		case "entitytype":
			have = r.entityType()
		case "action":
			have = r.Action
		case "userid":
			if r.User != nil {
				have = r.User.ID
			}
		case "clientid":
			have = r.Client.ID
		case "trusteeorganizationid":
			if r.UserHomeOrgID != o.ID() {
				have = r.UserHomeOrgID
			}
		}
		if !strings.EqualFold(have, f.Value) {
			return false
		}
	}
	return true
}

const realtimeDays = 14

func (o *Org) answerRealtime(c *exchange) *reply {
	q, found, refused := o.find(c.body)
	if refused != nil {
		return refused
	}
	if q.ServiceName == "" && o.opts.RealtimeNeedsService || q.ServiceName != "" && !inRealtime(q.ServiceName) {
		return invalid("serviceName", q.ServiceName, "the names of GET /api/v2/audits/query/realtime/servicemapping")
	}
	oldest := o.opts.Clock().AddDate(0, 0, -realtimeDays)
	found = slices.DeleteFunc(found, func(r auditRecord) bool { return r.at.Before(oldest) || !inRealtime(r.ServiceName) })
	size, number := q.PageSize, q.PageNumber
	if size == 0 {
		size = defaultPageSize
	}
	number = max(number, 1)
	if size < 1 || size > 500 {
		return invalid("pageSize", strconv.Itoa(size), "1-500")
	}
	total := len(found)
	start := min(number-1, total) * size
	found = found[min(start, total):min(start+size, total)]
	if slices.Contains(c.query["expand"], "user") {
		found = o.expandUsers(found)
	}
	return answerJSON(http.StatusOK, map[string]any{
		"entities": append([]auditRecord{}, found...), "pageSize": size, "pageNumber": number,
		"total": total, "pageCount": (total + size - 1) / size,
	})
}
