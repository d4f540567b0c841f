package genesys

import (
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"
)

// The levels of an audit record say who acted.
const (
	AuditLevelUser     = "USER"             // a person, or an OAuth client
	AuditLevelSystem   = "SYSTEM"           // a service of the platform, often as the echo of a person's act
	AuditLevelInternal = "GENESYS_INTERNAL" // an employee of Genesys
)

// An AuditRecord says who did what to what, and when. Its texts are printable
// and clipped, and values of secrets are [SecretMark]. Decoding accepts every
// shape in which audits come: that of the queries, that of the notification
// topic (see ParseAuditEvent), and the one that encoding makes. What has an
// unexpected form is left empty, since one odd member says nothing about the others.
type AuditRecord struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"eventDate"`   // by the clock of the org; zero if it cannot be read
	Service string    `json:"serviceName"` // "ContactCenter"
	Action  string    `json:"action"`      // "Update"
	Level   string    `json:"level"`       // AuditLevelUser, AuditLevelSystem or AuditLevelInternal
	Status  string    `json:"status"`      // SUCCESS, FAILURE or WARNING; empty in events

	Entity AuditEntity `json:"entity"` // what was acted on

	// User is empty where a service or a client acted for nobody; see Actor. The
	// user may belong to another org, that of a partner or of Genesys.
	User      Named    `json:"user"`
	UserOrgID string   `json:"userHomeOrgId"`
	Client    Named    `json:"client"` // the OAuth client; orgs leave it empty
	RemoteIP  []string `json:"remoteIp,omitempty"`

	Application          string            `json:"application,omitempty"`
	InitiatedBy          string            `json:"initiatedBy,omitempty"` // ID of the record of the act that this one follows from
	TransactionInitiator bool              `json:"transactionInitiator,omitempty"`
	Message              string            `json:"message,omitempty"`
	Context              map[string]string `json:"context,omitempty"`

	Properties []PropertyChange `json:"propertyChanges,omitempty"`
	Entities   []EntityChange   `json:"entityChanges,omitempty"`
}

// An AuditEntity is what a record tells of. Service and Type together name a
// kind of thing as audits do; see Catalogue.Audited.
type AuditEntity struct {
	Type string `json:"type"` // "Queue"
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A PropertyChange is one property that an action changed. Values may be JSON.
type PropertyChange struct {
	Property  string   `json:"property"`
	OldValues []string `json:"oldValues,omitempty"`
	NewValues []string `json:"newValues,omitempty"`
}

// An EntityChange is one other entity that an action added, removed or changed.
type EntityChange struct {
	ID        string   `json:"entityId"`
	Name      string   `json:"entityName"`
	Type      string   `json:"entityType"`
	OldValues []string `json:"oldValues,omitempty"`
	NewValues []string `json:"newValues,omitempty"`
}

// Writes reports whether the record tells of an edit that was made: its action
// is one that changes something, and it did not fail.
func (r AuditRecord) Writes() bool {
	return !strings.EqualFold(r.Status, "FAILURE") && actionWrites(r.Action)
}

// Actor returns the user who acted, with an empty ID where the record names
// none. Records of groups name their author in Context only.
func (r AuditRecord) Actor() Named {
	if r.User.ID != "" || r.Service != "Groups" {
		return r.User
	}
	for key, value := range r.Context {
		if strings.EqualFold(key, "userId") && value != "" {
			return Named{ID: value, Name: r.User.Name}
		}
	}
	return r.User
}

// UnmarshalJSON decodes a record in any of its shapes. It fails only where the
// JSON is not an object.
func (r *AuditRecord) UnmarshalJSON(data []byte) error {
	var m members
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		return cmp.Or(err, errors.New("genesys: an audit record is a JSON object"))
	}
	*r = AuditRecord{
		ID: label(m.text("id")), Time: m.time("eventDate", "eventTime"), Service: label(m.text("serviceName")),
		Action: label(m.text("action")), Level: label(m.text("level")), Status: label(m.text("status")),
		UserOrgID: label(m.text("userHomeOrgId")), RemoteIP: m.texts("remoteIp", maxLabel),
		Application: label(m.text("application")), InitiatedBy: label(m.text("initiatedBy")),
		Message: line(m.text("message")),
		Context: m.context(), Properties: m.properties(), Entities: m.entities(),
	}
	_ = json.Unmarshal(m["transactionInitiator"], &r.TransactionInitiator)
	entity := m.object("entity")
	r.Entity = AuditEntity{
		Type: label(cmp.Or(m.text("entityType"), entity.text("type"))),
		ID:   label(cmp.Or(entity.text("id"), m.text("entityId"))), Name: line(cmp.Or(entity.text("name"), m.text("entityName"))),
	}
	user, username := m.object("user"), m.object("username")
	r.User = Named{
		ID:   label(cmp.Or(user.text("id"), m.text("userId"), m.text("user"), username.text("id"))),
		Name: line(cmp.Or(user.text("name"), m.text("userDisplay"), username.text("name"), m.text("username"))),
	}
	client := m.object("client", "clientId", "clientInfo")
	r.Client = Named{ID: label(cmp.Or(client.text("id"), m.text("clientId"))), Name: line(client.text("name"))}
	if initiating := m.object("initiatingAction"); initiating != nil {
		r.InitiatedBy = label(initiating.text("transactionId"))
	}
	if message := m.object("message"); message != nil {
		r.Message = line(cmp.Or(message.text("message"), message.text("messageWithParams")))
	}
	return nil
}

// Members are those of a JSON object. Each is read as what it ought to be, and
// is empty where it is something else.
type members map[string]json.RawMessage

func (m members) text(name string) (s string) {
	_ = json.Unmarshal(m[name], &s)
	return s
}

// object returns the first of the members with these names that is an object.
func (m members) object(names ...string) members {
	for _, name := range names {
		var o members
		if json.Unmarshal(m[name], &o) == nil && o != nil {
			return o
		}
	}
	return nil
}

func (m members) list(name string) (list []json.RawMessage) {
	_ = json.Unmarshal(m[name], &list)
	return list
}

// texts returns an array of strings, each clipped. What is no string in it
// stays as JSON.
func (m members) texts(name string, most int) []string {
	var texts []string
	for _, raw := range m.list(name) {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		texts = append(texts, clip(oneLine(s), most))
	}
	return texts
}

func (m members) time(names ...string) time.Time {
	for _, name := range names {
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
			if t, err := time.Parse(layout, m.text(name)); err == nil && t.Year() > 0 && t.Year() < 10000 {
				return t.UTC()
			}
		}
	}
	return time.Time{}
}

func (m members) context() map[string]string {
	var context map[string]string
	for key, raw := range m.object("context") {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		if context == nil {
			context = map[string]string{}
		}
		key = label(key)
		context[key] = value(key, s)
	}
	return context
}

func (m members) properties() (changes []PropertyChange) {
	for c := range m.objects("propertyChanges") {
		property := line(c.text("property"))
		changes = append(changes, PropertyChange{property, c.values(property, "oldValues"), c.values(property, "newValues")})
	}
	return changes
}

func (m members) entities() (changes []EntityChange) {
	for c := range m.objects("entityChanges") {
		changes = append(changes, EntityChange{
			label(c.text("entityId")), line(c.text("entityName")), label(c.text("entityType")), c.values("", "oldValues"), c.values("", "newValues"),
		})
	}
	return changes
}

// objects iterates over the elements of a list that are objects.
func (m members) objects(list string) iter.Seq[members] {
	return func(yield func(members) bool) {
		for _, raw := range m.list(list) {
			var c members
			if json.Unmarshal(raw, &c) == nil && c != nil && !yield(c) {
				return
			}
		}
	}
}

// values returns the values that a property had or got.
func (m members) values(property, name string) []string {
	values := m.texts(name, maxAuditValue)
	for i, v := range values {
		values[i] = value(property, v)
	}
	return values
}

// maxAuditValue is how many bytes of a value of a property are kept.
const maxAuditValue = 4 << 10

// value makes the value of a property fit to be kept. A record says in text what
// elsewhere is a member of a body, so secrets are looked for by the property's name,
// and in the value, which may be JSON.
func value(property, s string) string {
	if isSecretName([]byte(property)) {
		if s != "" {
			return SecretMark
		}
		return s
	}
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		if cleaned, _, err := clean([]byte(s), nil); err == nil {
			s = string(cleaned)
		}
	}
	return clip(oneLine(s), maxAuditValue)
}

// line makes a text of the server fit to be shown.
func line(s string) string { return clip(oneLine(s), maxMessage) }
