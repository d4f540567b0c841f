package genesys

import (
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// How a record is decoded. Records come in three shapes, written by many services, and not always as
// they are described. So each member is read for itself, as what it ought to be, and is left empty
// where it is something else: one odd member must not lose the record.

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
		UserOrgID: label(m.text("userHomeOrgId")), RemoteIP: m.texts("remoteIp", label),
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

// text returns a member that is a string, "" if it is none.
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

// list returns a member that is an array, nil if it is none.
func (m members) list(name string) (list []json.RawMessage) {
	_ = json.Unmarshal(m[name], &list)
	return list
}

// texts returns an array of strings, each as fit makes it fit to be kept. What is no string in it
// stays as JSON.
func (m members) texts(name string, fit func(string) string) []string {
	var texts []string
	for _, raw := range m.list(name) {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		texts = append(texts, fit(s))
	}
	return texts
}

// time returns the first of the members with these names that is a time, with or without a colon in
// its zone, as services write it. It is zero if none is.
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

// context returns what services add to a record of their own accord, by name.
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

// properties returns the properties that the action changed.
func (m members) properties() (changes []PropertyChange) {
	for c := range m.objects("propertyChanges") {
		property := line(c.text("property"))
		changes = append(changes, PropertyChange{property, c.values(property, "oldValues"), c.values(property, "newValues")})
	}
	return changes
}

// entities returns the other entities that the action changed.
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
	return m.texts(name, func(s string) string { return value(property, s) })
}

// maxAuditValue is how many bytes of a value of a property are kept.
const maxAuditValue = 4 << 10

// value makes the value of a property fit to be kept. A record says in text what elsewhere is a
// member of a body, so secrets are looked for by the property's name, and in the value, which may be
// JSON. They go before the value is clipped: half a JSON text cannot be searched any more.
func value(property, s string) string {
	if s != "" && isSecretName([]byte(property)) {
		return SecretMark
	}
	return clip(oneLine(withoutSecrets(s)), maxAuditValue)
}

// withoutSecrets returns a text without the secrets in it, if it is JSON. If it begins like JSON
// and is none, because somebody has cut it, nobody knows where a secret in it ends: then all of it
// is masked if it has the name of one.
func withoutSecrets(s string) string {
	doc := strings.TrimSpace(s)
	if doc == "" || strings.IndexByte(`{["`, doc[0]) < 0 {
		return s
	}
	if cleaned, _, err := clean([]byte(doc), nil); err == nil {
		inner, isText := jsonscan.String(cleaned)
		switch without := withoutSecrets(inner); {
		case isText && without != inner:
			return string(jsonString(without))
		case string(cleaned) != doc:
			return string(cleaned)
		}
		return s
	}
	for quoted := range strings.SplitSeq(doc, `"`) {
		quoted = queryText([]byte(strings.TrimRight(quoted, `\`))) // quotes may be escaped, and what is in them
		if isSecretName([]byte(quoted)) {
			return SecretMark
		}
	}
	return s
}
