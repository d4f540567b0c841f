package genesystest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// An auditRecord is a record as queries answer it.
type auditRecord struct {
	ID                   string            `json:"id"`
	UserHomeOrgID        string            `json:"userHomeOrgId,omitempty"`
	User                 *named            `json:"user,omitempty"`
	Client               named             `json:"client"` // its ID is always empty
	RemoteIP             []string          `json:"remoteIp"`
	ServiceName          string            `json:"serviceName"`
	Level                string            `json:"level"`
	EventDate            string            `json:"eventDate"`
	Message              map[string]string `json:"message,omitempty"`
	Action               string            `json:"action"`
	Entity               auditEntity       `json:"entity"`
	EntityType           string            `json:"entityType,omitempty"`
	Status               string            `json:"status"`
	Application          string            `json:"application"`
	InitiatingAction     map[string]string `json:"initiatingAction"`
	TransactionInitiator bool              `json:"transactionInitiator"`
	PropertyChanges      []propertyDelta   `json:"propertyChanges"`
	Context              map[string]string `json:"context"`
	EntityChanges        []auditedEntity   `json:"entityChanges"`

	at, seen time.Time // when it happened, and when queries have it
}

type auditEntity struct {
	Type    string `json:"type,omitempty"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	SelfURI string `json:"selfUri,omitempty"`
}

type auditedEntity struct {
	ID        string   `json:"entityId"`
	Name      string   `json:"entityName"`
	Type      string   `json:"entityType"`
	OldValues []string `json:"oldValues"`
	NewValues []string `json:"newValues"`
}

// The number of a record says of what it is one: an edit has the numbers from
// recordsPerEdit times its own on, and noise has those below zero.
const recordsPerEdit = 4

// recordOf starts a record. Its date is that of the service that wrote it, which
// is some time after the edit; services differ in whether it has milliseconds.
func (o *Org) recordOf(n int, at time.Time, a genesys.Audit, entity named, action string) auditRecord {
	h := mix(o.opts.Seed ^ 0x6175646974 ^ uint64(n))
	at = at.Add(min(time.Duration(h%300)*time.Millisecond, o.opts.AuditDelay))
	date := stamp(at)
	if hashText(o.opts.Seed, a.Service)%4 == 0 {
		at = at.Truncate(time.Second)
		date = at.UTC().Format("2006-01-02T15:04:05Z")
	}
	r := auditRecord{
		ID: makeUUID(o.opts.Seed^0x6175646974, 0, n), RemoteIP: []string{},
		ServiceName: a.Service, Level: genesys.AuditLevelSystem, EventDate: date, Action: action,
		Entity: auditEntity{ID: entity.ID, Name: entity.Name}, EntityType: a.Entity, Status: "SUCCESS",
		InitiatingAction: map[string]string{}, Context: map[string]string{},
		PropertyChanges: []propertyDelta{}, EntityChanges: []auditedEntity{},
		at: at, seen: at.Add(o.auditDelay(h >> 32)),
	}
	if h>>16%8 == 0 { // the other shape
		r.Entity.Type, r.EntityType = r.EntityType, ""
	}
	return r
}

// auditDelay is until a record is seen: mostly about AuditDelay, sometimes far more.
func (o *Org) auditDelay(h uint64) time.Duration {
	d := o.opts.AuditDelay / 100
	switch spread := time.Duration(h / 20 % 100); h % 20 {
	case 0:
		return d * (400 + 8*spread)
	case 1, 2, 3, 4:
		return d * (100 + 3*spread)
	default:
		return d * (20 + spread)
	}
}

func (r *auditRecord) entityType() string { return r.Entity.Type + r.EntityType }

// actedBy says who: a user by ID, the client by nothing, which has no user.
func (o *Org) actedBy(r *auditRecord, by author) {
	if by.id() == System {
		return
	}
	r.Level, r.UserHomeOrgID, r.RemoteIP = genesys.AuditLevelUser, o.ID(), []string{"192.0.2.10"}
	r.Application, r.TransactionInitiator = "public-api", true
	if by.userID != "" {
		r.Application, r.User = "", &named{ID: by.userID, SelfURI: "/api/v2/users/" + by.userID}
	}
	if by.userID == o.Support() {
		r.UserHomeOrgID = makeUUID(o.opts.Seed^0x737570, 0, 1)
	}
}

// recordsOf are the records of an edit: what was done, and often what the system
// did about it. They follow from the edit and the seed alone, so that whoever asks
// again, or asks for another interval, gets the same.
func (o *Org) recordsOf(e *auditedEdit) []auditRecord {
	if !e.Audited {
		return nil
	}
	first := recordsPerEdit * e.n
	a := e.s.t.Audit
	r := o.recordOf(first, e.Time, a, e.entity, e.Action)
	o.actedBy(&r, e.by)
	switch {
	case strings.HasPrefix(e.Type, "groups.") && a.Service == "Groups":
		return o.groupRecords(e)
	case a.Entity == "Role":
		if a.How == genesys.AuditSpecial {
			r.Action = memberAction(e.Action)
		}
	case e.part != nil && a.How == genesys.AuditSpecial:
		r.Action, r.PropertyChanges = "Update", queueMemberChanges(e)
	case e.part != nil:
		r.Action = "Update"
		if strings.HasSuffix(e.Type, ".members") {
			r.Action = memberAction(e.Action)
		}
		r.EntityChanges = []auditedEntity{{
			ID: e.part.ID, Name: e.part.Name, Type: e.s.noun, OldValues: []string{}, NewValues: []string{},
		}}
		r.PropertyChanges = append(r.PropertyChanges, e.changes...)
	default:
		r.PropertyChanges = append(r.PropertyChanges, e.changes...)
	}
	if e.Type == "groups" { // as for all records of groups, the author is in the context
		hideAuthor(&r)
	}
	if e.version != nil && (a.Entity == "User" || e.noEdit) {
		r.PropertyChanges = append(r.PropertyChanges, versionChange(e.version[0], e.version[1]))
	}
	records := []auditRecord{r}
	if h := mix(o.opts.Seed ^ 0x6563686f ^ uint64(e.n)); !e.noEdit && (h%100 < 45 || a.Entity == "User") {
		records = append(records, o.echo(e, r, h))
	}
	return records
}

// echo is a record of what the system did because of an edit.
func (o *Org) echo(e *auditedEdit, of auditRecord, h uint64) auditRecord {
	at := e.Time.Add(min(time.Duration(h%5000)*time.Millisecond, o.opts.AuditDelay))
	r := o.recordOf(recordsPerEdit*e.n+3, at, e.s.t.Audit, e.entity, "Update")
	if h>>16%2 == 0 {
		r.InitiatingAction = map[string]string{"transactionId": of.ID, "actionContext": of.Action}
	}
	if e.version != nil {
		r.PropertyChanges = append(r.PropertyChanges, versionChange(e.version[0], e.version[1]))
	}
	return r
}

func versionChange(was, is string) propertyDelta {
	p := propertyDelta{"version", []string{}, []string{}}
	if was != "" {
		p.OldValues = []string{was}
	}
	if is != "" {
		p.NewValues = []string{is}
	}
	return p
}

// memberAction is what records call an edit of a member.
func memberAction(action string) string {
	switch action {
	case "Create":
		return "MemberAdd"
	case "Delete":
		return "MemberRemove"
	default:
		return "MemberUpdate"
	}
}

// queueMemberChanges: a member is a property of the queue, and texts stand for its coming and going.
func queueMemberChanges(e *auditedEdit) []propertyDelta {
	name := "QueueMember/" + e.entity.ID + ":" + e.part.ID
	switch e.Action {
	case "Create":
		return []propertyDelta{{name, []string{}, []string{"<queue member added>"}}, {name + ":joined", []string{}, []string{"true"}}}
	case "Delete":
		return []propertyDelta{{name, []string{"<queue member added>"}, []string{"<queue member removed>"}}}
	}
	changes := []propertyDelta{}
	for _, c := range e.changes {
		if c.Property == "joined" {
			c.Property = name + ":joined"
		} else {
			c.Property = name
		}
		changes = append(changes, c)
	}
	return changes
}

// groupRecords are the three records of a change of a group's members. The
// number alone says whether somebody came or went.
func (o *Org) groupRecords(e *auditedEdit) []auditRecord {
	count := 3 + int(hashText(o.opts.Seed, e.entity.ID)%12)
	then := count + map[string]int{"Create": 1, "Delete": -1}[e.Action]
	member := []string{`{"id":` + string(quote(e.part.ID)) + `}`}
	var records []auditRecord
	for i, change := range []propertyDelta{
		{"memberCount", []string{strconv.Itoa(count)}, []string{strconv.Itoa(then)}},
		{"individuals", []string{}, member},
		{"membership", []string{}, []string{"<membership changed>"}},
	} {
		at := e.Time.Add(min(time.Duration(i)*200*time.Millisecond, o.opts.AuditDelay))
		r := o.recordOf(recordsPerEdit*e.n+i, at, e.s.t.Audit, e.entity, "Update")
		o.actedBy(&r, e.by)
		hideAuthor(&r)
		r.PropertyChanges = []propertyDelta{change}
		records = append(records, r)
	}
	return records
}

// hideAuthor moves the author to the context; some such records have the level SYSTEM.
func hideAuthor(r *auditRecord) {
	if r.User == nil {
		return
	}
	r.Context["userid"] = r.User.ID
	if hashText(0, r.Entity.ID)%2 == 0 {
		r.Level = genesys.AuditLevelSystem
	}
	r.User, r.RemoteIP, r.UserHomeOrgID = nil, []string{}, ""
}

// expandUsers fills in the users' names, for expand=user. A user who is deleted has none.
func (o *Org) expandUsers(records []auditRecord) []auditRecord {
	for i, r := range records {
		if r.User == nil {
			continue
		}
		user := *r.User
		user.Name = o.userName(user.ID)
		records[i].User = &user
	}
	return records
}

func (o *Org) userName(id string) string {
	if id == o.Support() {
		return "Sam Support"
	}
	s := o.shapes["users"]
	if pos, ok := o.locate(s, "", id); ok && o.editAt(s, "", pos) == nil {
		return o.nameOf(s, "", pos) // which is far less work than the whole body
	}
	body, _ := o.current(s, id)
	return lookupText(body, "name")
}

// noise are the records of a minute that tell of no edit: users whose version
// moves, and people who look at something. They are made when they are asked for.
func (o *Org) noise(minute int64) []auditRecord {
	h := mix(o.opts.Seed ^ 0x6e6f697365 ^ uint64(minute))
	n := o.opts.AuditNoise / 60
	if h%60 < uint64(o.opts.AuditNoise%60) {
		n++
	}
	records := make([]auditRecord, 0, n)
	for i := range n {
		h = mix(h)
		at := time.Unix(minute*60, 0).Add(time.Duration(h%59) * time.Second)
		number := -1 - int(minute*256+int64(i))
		if users := o.countOf("users"); h>>8%8 != 0 && users > 0 {
			user := named{ID: o.topID("users", int(h>>16%uint64(users)))}
			version := int(minute%10_000) + 2
			r := o.recordOf(number, at, o.shapes["users"].t.Audit, user, "Update")
			r.PropertyChanges = []propertyDelta{versionChange(strconv.Itoa(version), strconv.Itoa(version+1))}
			records = append(records, r)
		} else if queues := o.countOf("routing.queues"); queues > 0 {
			queue := named{ID: o.topID("routing.queues", int(h>>16%uint64(queues)))}
			r := o.recordOf(number, at, o.shapes["routing.queues"].t.Audit, queue, "View")
			o.actedBy(&r, author{userID: o.admin()})
			records = append(records, r)
		}
	}
	return records
}

// event is a record as Amazon EventBridge delivers it.
func (o *Org) event(r auditRecord) json.RawMessage {
	body := map[string]any{
		"id": r.ID, "serviceName": r.ServiceName, "level": r.Level, "eventTime": r.EventDate, "action": r.Action,
		"entityType": r.entityType(), "entity": auditEntity{ID: r.Entity.ID, Name: r.Entity.Name},
		"propertyChanges": r.PropertyChanges, "context": r.Context,
		"remoteIp": r.RemoteIP, "userHomeOrgId": r.UserHomeOrgID, "clientId": named{},
	}
	if r.User != nil {
		body["userId"], body["username"], body["userDisplay"] = r.User.ID, named{ID: r.User.ID}, o.userName(r.User.ID)
	}
	topic := "v2.audits.entitytype." + strings.ToLower(r.entityType()) + ".entityid." + r.Entity.ID
	event, err := json.Marshal(map[string]any{
		"version": "0", "id": makeUUID(hashText(o.opts.Seed, r.ID), 0, 0),
		"detail-type": "v2.audits.entitytype.{id}.entityid.{id}", "source": "aws.partner/genesys.com/cloud/" + o.ID() + "/audits",
		"account": "000000000000", "time": r.EventDate, "region": "us-east-1", "resources": []string{},
		"detail": map[string]any{
			"topicName": topic, "version": "2", "eventBody": body, "metadata": map[string]string{"CorrelationId": r.ID},
		},
	})
	if err != nil {
		panic(err) // all values are ours
	}
	return event
}
