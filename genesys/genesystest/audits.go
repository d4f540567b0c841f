package genesystest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// keptAudits is how many audit records an org keeps, the latest ones.
const keptAudits = 100_000

type auditLog struct {
	records []auditRecord
	queries []auditQuery
}

// An auditRecord is the service's record of one edit.
type auditRecord struct {
	ID                   string          `json:"id"`
	UserHomeOrgID        string          `json:"userHomeOrgId"`
	User                 *named          `json:"user,omitempty"`
	Client               *named          `json:"client,omitempty"`
	RemoteIP             []string        `json:"remoteIp"`
	ServiceName          string          `json:"serviceName"`
	Level                string          `json:"level"`
	EventDate            string          `json:"eventDate"`
	Action               string          `json:"action"`
	Entity               named           `json:"entity"`
	EntityType           string          `json:"entityType"`
	Status               string          `json:"status"`
	Application          string          `json:"application"`
	TransactionInitiator bool            `json:"transactionInitiator"`
	PropertyChanges      []propertyDelta `json:"propertyChanges"`

	at time.Time
}

type propertyDelta struct {
	Property  string   `json:"property"`
	OldValues []string `json:"oldValues"`
	NewValues []string `json:"newValues"`
}

type auditFilter struct {
	Property string `json:"property"`
	Value    string `json:"value"`
}

// auditNames are services and entity types where they do not follow from the object type's name.
var auditNames = map[string][2]string{
	"users": {"Directory", "User"}, "groups": {"Groups", "Group"}, "teams": {"Groups", "Team"}, "locations": {"Directory", "Location"},
	"routing.queues": {"ContactCenter", "Queue"}, "routing.skills": {"ContactCenter", "Skill"},
	"routing.wrapupcodes": {"ContactCenter", "WrapupCode"}, "routing.languages": {"ContactCenter", "Language"},
	"routing.skillgroups": {"ContactCenter", "SkillsGroup"},
	"flows":               {"Architect", "Flow"}, "architect.ivrs": {"Architect", "IVR"}, "architect.prompts": {"Architect", "Prompt"},
	"architect.schedules": {"Architect", "Schedule"}, "architect.schedulegroups": {"Architect", "ScheduleGroup"},
	"architect.emergencygroups": {"Architect", "EmergencyGroup"},
	"flows.datatables":          {"Datatables", "Schema"}, "flows.datatables.rows": {"Datatables", "Row"},
	"authorization.roles": {"PeoplePermissions", "Role"}, "oauth.clients": {"PeoplePermissions", "OAuthClient"},
	"integrations": {"Integrations", "Integration"}, "integrations.actions": {"Integrations", "Action"},
	"outbound.campaigns": {"Outbound", "Campaign"}, "outbound.contactlists": {"Outbound", "ContactList"},
	"outbound.rulesets":                {"Outbound", "RuleSet"},
	"recording.mediaretentionpolicies": {"Quality", "Policy"}, "quality.forms.evaluations": {"Quality", "EvaluationForm"},
	"processautomation.triggers": {"ProcessAutomation", "Trigger"},
}

// auditServices are the services of the groups of the catalogue.
var auditServices = map[string]string{
	"People & Permissions": "PeoplePermissions", "Organization": "Directory", "Routing": "Routing", "Architect": "Architect",
	"Telephony": "Telephony", "Outbound": "Outbound", "Messaging": "Messaging", "Quality": "Quality", "WFM": "WorkforceManagement",
	"Integrations": "Integrations", "AI": "Knowledge", "Task Management": "TaskManagement", "Journey": "PredictiveEngagement",
	"Knowledge": "Knowledge", "External Contacts": "ExternalContacts", "Performance": "Gamification", "Content": "ContentManagement",
}

func auditNamesOf(s *shape) (service, entityType string) {
	if names, ok := auditNames[s.t.Name]; ok {
		return names[0], names[1]
	}
	service = auditServices[s.t.Group]
	if service == "" {
		service = "Directory"
	}
	return service, strings.ReplaceAll(s.noun, " ", "")
}

// record writes the audit record of an edit.
func (o *Org) record(s *shape, id, action string, before, after json.RawMessage, by author) {
	body := after
	if body == nil {
		body = before
	}
	title, _, _ := strings.Cut(s.t.Title, "+")
	r := auditRecord{
		ID: makeUUID(o.opts.Seed^0x6175646974, 0, o.revision), UserHomeOrgID: o.ID(), RemoteIP: []string{"192.0.2.10"},
		Level: "USER", EventDate: stamp(by.at), Action: action, Entity: named{ID: lastPart(id)}, Status: "SUCCESS",
		Application: "public-api", TransactionInitiator: true, PropertyChanges: propertyDeltas(s, before, after), at: by.at,
	}
	if title != "" {
		r.Entity.Name = lookupText(body, title)
	}
	r.ServiceName, r.EntityType = auditNamesOf(s)
	if by.userID != "" {
		r.User = &named{ID: by.userID, SelfURI: "/api/v2/users/" + by.userID}
	}
	if by.clientID != "" {
		r.Client = &named{ID: by.clientID, SelfURI: "/api/v2/oauth/clients/" + by.clientID}
	}
	if len(o.audit.records) >= 2*keptAudits {
		o.audit.records = slices.Clone(o.audit.records[keptAudits:])
	}
	o.audit.records = append(o.audit.records, r)
}

// propertyDeltas compares the members of two bodies, those that move by themselves left out.
func propertyDeltas(s *shape, before, after json.RawMessage) []propertyDelta {
	deltas := []propertyDelta{}
	if before == nil || after == nil {
		return deltas
	}
	old, _ := parseFields(before) // both are ours
	now, _ := parseFields(after)
	names := map[string]bool{}
	for _, m := range append(slices.Clone(old), now...) {
		if names[m.key] || slices.ContainsFunc(s.t.Volatile, func(v string) bool { key, _, _ := strings.Cut(v, "."); return key == m.key }) {
			continue
		}
		names[m.key] = true
		was, _ := old.get(m.key)
		is, _ := now.get(m.key)
		if string(was) != string(is) {
			deltas = append(deltas, propertyDelta{m.key, auditValues(was), auditValues(is)})
		}
	}
	return deltas
}

func auditValues(raw json.RawMessage) []string {
	if raw == nil {
		return []string{}
	}
	if s, ok := jsonscan.String(raw); ok {
		return []string{s}
	}
	return []string{string(raw)}
}

// answerAudits serves the audit API.
func (o *Org) answerAudits(c *exchange) *reply {
	if refused := o.need("audits:audit:view"); refused != nil {
		return refused
	}
	parts := c.parts[3:]
	switch {
	case c.r.Method == http.MethodGet && slices.Equal(parts, []string{"query", "servicemapping"}),
		c.r.Method == http.MethodGet && slices.Equal(parts, []string{"query", "realtime", "servicemapping"}):
		return o.answerServiceMapping()
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

func (o *Org) answerServiceMapping() *reply {
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
	for _, t := range o.types {
		name, entityType := auditNamesOf(o.shapes[t.Name])
		i, ok := byName[name]
		if !ok {
			i = len(services)
			byName[name] = i
			services = append(services, service{Name: name})
		}
		if !slices.ContainsFunc(services[i].Entities, func(e entity) bool { return e.Name == entityType }) {
			services[i].Entities = append(services[i].Entities, entity{entityType, []string{"Create", "Update", "Delete", "View"}})
		}
	}
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

// find runs an audit query over the records that are visible by now.
func (o *Org) find(body []byte) (q auditRequest, found []auditRecord, refused *reply) {
	if err := json.Unmarshal(body, &q); err != nil {
		return q, nil, fail(http.StatusBadRequest, "bad.request", "The request could not be understood by the server due to malformed syntax.")
	}
	from, to, ok := strings.Cut(q.Interval, "/")
	start, err1 := time.Parse(time.RFC3339, from)
	end, err2 := time.Parse(time.RFC3339, to)
	if !ok || err1 != nil || err2 != nil || end.Before(start) {
		return q, nil, invalid("interval", q.Interval, "two ISO-8601 times, with a slash between them")
	}
	visible := o.opts.Clock().Add(-o.opts.AuditDelay)
	for _, r := range o.audit.records {
		if r.at.Before(start) || !r.at.Before(end) || r.at.After(visible) ||
			q.ServiceName != "" && !strings.EqualFold(r.ServiceName, q.ServiceName) || !r.passes(q.Filters) {
			continue
		}
		found = append(found, r)
	}
	if len(q.Sort) == 0 || !strings.HasPrefix(strings.ToLower(q.Sort[0].SortOrder), "asc") {
		slices.Reverse(found)
	}
	return q, found, nil
}

func (r auditRecord) passes(filters []auditFilter) bool {
	for _, f := range filters {
		var have string
		switch strings.ToLower(f.Property) {
		case "entityid":
			have = r.Entity.ID
		case "entitytype":
			have = r.EntityType
		case "action":
			have = r.Action
		case "userid":
			if r.User != nil {
				have = r.User.ID
			}
		case "clientid":
			if r.Client != nil {
				have = r.Client.ID
			}
		}
		if !strings.EqualFold(have, f.Value) {
			return false
		}
	}
	return true
}

// expandUsers fills in the users' names, for expand=user.
func (o *Org) expandUsers(records []auditRecord) []auditRecord {
	out := slices.Clone(records)
	for i, r := range out {
		if r.User == nil {
			continue
		}
		if body, ok := o.current(o.shapes["users"], r.User.ID); ok {
			user := *r.User
			user.Name = lookupText(body, "name")
			out[i].User = &user
		}
	}
	return out
}

const realtimeDays = 14

func (o *Org) answerRealtime(c *exchange) *reply {
	q, found, refused := o.find(c.body)
	if refused != nil {
		return refused
	}
	if q.ServiceName == "" {
		return invalid("serviceName", "", "the names of GET /api/v2/audits/query/realtime/servicemapping")
	}
	oldest := o.opts.Clock().AddDate(0, 0, -realtimeDays)
	found = slices.DeleteFunc(found, func(r auditRecord) bool { return r.at.Before(oldest) })
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
		"entities": append([]auditRecord{}, found...), "pageSize": size, "pageNumber": number, "total": total, "pageCount": (total + size - 1) / size,
	})
}
