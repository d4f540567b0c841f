package genesys

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

// recordOfQuery is as a query of audits answers, and recordOfTopic the same as an event.
const (
	recordOfQuery = `{"id":"a1","userHomeOrgId":"o1","user":{"id":"u1","name":"Ada","selfUri":"/api/v2/users/u1"},"client":{"id":""},
		"remoteIp":["192.0.2.1","192.0.2.2"],"serviceName":"ContactCenter","level":"USER","eventDate":"2026-11-20T08:15:30.123Z",
		"message":{"message":"Ada changed Sales","messageWithParams":"{user} changed {entity}"},"action":"Update",
		"entity":{"id":"q1","name":"Sales","selfUri":"/api/v2/routing/queues/q1"},"entityType":"Queue","status":"SUCCESS","application":"admin",
		"initiatingAction":{"transactionId":"a0","actionContext":"Create"},"transactionInitiator":true,"context":{"n":7,"s":"t"},
		"propertyChanges":[{"property":"name","oldValues":["a"],"newValues":["b"]},7],
		"entityChanges":[{"entityId":"u2","entityName":"Bob","entityType":"User","oldValues":["x"],"newValues":["y"]}]}`
	recordOfTopic = `{"id":"a1","userId":"u1","userHomeOrgId":"o1","username":{"id":"u1","name":"ada@example.com"},"userDisplay":"Ada","clientId":{"id":"c1"},
		"remoteIp":["192.0.2.1","192.0.2.2"],"serviceName":"ContactCenter","level":"USER","eventTime":"2026-11-20T08:15:30.123Z",
		"message":{"messageWithParams":"Ada changed Sales"},"action":"Update","entity":{"id":"q1","name":"Sales"},"entityType":"Queue",
		"propertyChanges":[{"property":"name","oldValues":["a"],"newValues":["b"]}],"context":{"n":"7","s":"t"}}`
)

func wantRecord() AuditRecord {
	return AuditRecord{
		ID: "a1", Time: time.Date(2026, 11, 20, 8, 15, 30, 123e6, time.UTC), Service: "ContactCenter", Action: "Update", Level: AuditLevelUser, Status: "SUCCESS",
		Entity: AuditEntity{"Queue", "q1", "Sales"}, User: Named{"u1", "Ada"}, UserOrgID: "o1", RemoteIP: []string{"192.0.2.1", "192.0.2.2"},
		Application: "admin", InitiatedBy: "a0", TransactionInitiator: true, Message: "Ada changed Sales", Context: map[string]string{"n": "7", "s": "t"},
		Properties: []PropertyChange{{"name", []string{"a"}, []string{"b"}}},
		Entities:   []EntityChange{{"u2", "Bob", "User", []string{"x"}, []string{"y"}}},
	}
}

func TestAuditRecordShapes(t *testing.T) {
	t.Parallel()
	want, topic := wantRecord(), wantRecord()
	topic.Status, topic.Application, topic.InitiatedBy, topic.TransactionInitiator, topic.Entities = "", "", "", false, nil
	topic.Client = Named{ID: "c1"}
	encoded, err := json.Marshal(want)
	require.NoError(t, err)
	entity := strings.NewReplacer(`"entity":{`, `"entity":{"type":"Queue",`, `"entityType":"Queue","status"`, `"status"`)
	for name, test := range map[string]struct {
		json string
		want AuditRecord
	}{
		"of a query":                   {recordOfQuery, want},
		"with its type in its entity":  {entity.Replace(recordOfQuery), want},
		"of the topic":                 {recordOfTopic, topic},
		"as it is encoded":             {string(encoded), want},
		"nothing":                      {`{}`, AuditRecord{}},
		"nothing but odd members":      {`{"id":7,"user":[],"entity":"q1","eventDate":{},"propertyChanges":{},"context":[],"remoteIp":"x","message":[],"client":null}`, AuditRecord{}},
		"IDs beside":                   {`{"user":"u1","entityId":"q1","clientId":"c1","entityName":"Sales"}`, AuditRecord{User: Named{ID: "u1"}, Client: Named{ID: "c1"}, Entity: AuditEntity{ID: "q1", Name: "Sales"}}},
		"a zone without a colon":       {`{"eventDate":"2026-11-20T09:15:30.123+0100"}`, AuditRecord{Time: want.Time}},
		"values that are no strings":   {`{"propertyChanges":[{"property":"size","oldValues":[1,null,{"a":true}],"newValues":"x"}]}`, AuditRecord{Properties: []PropertyChange{{Property: "size", OldValues: []string{"1", "", `{"a":true}`}}}}},
		"a line break":                 {`{"entity":{"name":"a\nb\u202e"},"userDisplay":"x\u0000y"}`, AuditRecord{Entity: AuditEntity{Name: "a b"}, User: Named{Name: "x y"}}},
		"a secret property":            {`{"propertyChanges":[{"property":"clientSecret","oldValues":[""],"newValues":["s3cr3t"]}]}`, AuditRecord{Properties: []PropertyChange{{"clientSecret", []string{""}, []string{SecretMark}}}}},
		"a secret in JSON in a string": {`{"propertyChanges":[{"property":"config","newValues":["{\"password\":\"s3cr3t\",\"host\":\"h\"}"]}]}`, AuditRecord{Properties: []PropertyChange{{Property: "config", NewValues: []string{`{"host":"h"}`}}}}},
		"a secret in the context":      {`{"context":{"accessToken":"s3cr3t"}}`, AuditRecord{Context: map[string]string{"accessToken": SecretMark}}},
		"a signed URL":                 {`{"propertyChanges":[{"property":"logo","newValues":["https://h/a?X-Amz-Signature=s3cr3t"]}]}`, AuditRecord{Properties: []PropertyChange{{Property: "logo", NewValues: []string{"https://h/a"}}}}},
	} {
		var got AuditRecord
		require.NoError(t, json.Unmarshal([]byte(test.json), &got), name)
		require.Equal(t, test.want, got, name)
	}
	for _, text := range []string{`null`, `[]`, `7`} {
		require.Error(t, new(AuditRecord).UnmarshalJSON([]byte(text)), text)
	}
}

func TestAuditActor(t *testing.T) {
	t.Parallel()
	author := map[string]string{"userid": "u2"}
	for _, test := range []struct {
		r    AuditRecord
		want string
	}{
		{AuditRecord{User: Named{ID: "u1"}, Service: "Groups", Context: author}, "u1"},
		{AuditRecord{Service: "Groups", Context: author}, "u2"},
		{AuditRecord{Service: "Groups"}, ""},
		{AuditRecord{Service: "Directory", Context: author}, ""}, // there it is who was acted on
	} {
		require.Equal(t, test.want, test.r.Actor().ID)
	}
}

func TestParseAuditEvent(t *testing.T) {
	t.Parallel()
	message := `{"topicName":"v2.audits.entitytype.queue.entityid.q1","version":"2","eventBody":` + recordOfTopic + `,"metadata":{"CorrelationId":"x"}}`
	event := `{"version":"0","id":"e1","detail-type":"v2.audits.entitytype.{id}.entityid.{id}","source":"aws.partner/genesys.com/cloud/o1/x","time":"2026-11-20T08:15:31Z","detail":` + message + `}`
	for name, text := range map[string]string{"event": event, "message": message, "record": recordOfTopic, "record of a query": recordOfQuery} {
		r, err := ParseAuditEvent([]byte(text))
		require.NoError(t, err, name)
		require.Equal(t, wantRecord().Entity, r.Entity, name)
		require.Equal(t, Named{"u1", "Ada"}, r.Actor(), name)
		require.Equal(t, wantRecord().Time, r.Time, name)
		require.True(t, r.Writes(), name)
	}
	for name, test := range map[string]struct{ text, err string }{
		"nothing":             {``, "audit event: "},
		"no JSON":             {`{"detail":`, "audit event: "},
		"a list":              {`[` + recordOfTopic + `]`, "is it of the topic v2.audits?"},
		"of another topic":    {`{"detail":{"eventBody":{"id":"x","routingStatus":{}}}}`, "is it of the topic v2.audits?"},
		"a heartbeat":         {`{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}`, "is it of the topic v2.audits?"},
		"at an unknown time":  {strings.Replace(recordOfTopic, `"eventTime":"2026`, `"eventTime":"soon`, 1), "is it of the topic v2.audits?"},
		"its detail is empty": {`{"detail":null}`, "is it of the topic v2.audits?"},
	} {
		_, err := ParseAuditEvent([]byte(test.text))
		require.ErrorContains(t, err, test.err, name)
	}
}

// FuzzParseAuditEvent holds what is read of an event to be printable, bounded, and the same when it was encoded on the way.
func FuzzParseAuditEvent(f *testing.F) {
	for _, seed := range []string{
		recordOfQuery, recordOfTopic, `{"detail":{"eventBody":` + recordOfTopic + `}}`, `{"detail":7}`,
		`{"eventTime":"2026-11-20T08:15:30Z","action":"Update","entityType":"Queue\u0000","context":{"\u202e":"` + strings.Repeat("x", 5000) + `"},
			"propertyChanges":[{"property":"QueueMember/q:u:joined","newValues":["<queue member added>","{\"a\":\"\\u0007\"}","[1,"]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		defer bounded.Start(t)()
		r, err := ParseAuditEvent(event)
		if err != nil {
			if r.ID != "" || len(err.Error()) > 2000 {
				t.Fatalf("%+v: %v", r, err)
			}
			return
		}
		texts := []string{r.ID, r.Service, r.Action, r.Level, r.Status, r.Entity.Type, r.Entity.ID, r.Entity.Name, r.User.ID, r.User.Name, r.UserOrgID, r.Client.ID, r.Client.Name, r.Application, r.InitiatedBy, r.Message}
		texts = append(texts, r.RemoteIP...)
		for key, value := range r.Context {
			texts = append(texts, key, value)
		}
		for _, c := range r.Properties {
			texts = append(append(append(texts, c.Property), c.OldValues...), c.NewValues...)
		}
		for _, c := range r.Entities {
			texts = append(append(append(texts, c.ID, c.Name, c.Type), c.OldValues...), c.NewValues...)
		}
		for _, s := range texts {
			if len(s) > maxAuditValue+len("…") || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%q", s)
			}
		}
		encoded, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseAuditEvent(encoded)
		if err != nil || again.Entity != r.Entity || again.User != r.User || !again.Time.Equal(r.Time) || len(again.Properties) != len(r.Properties) {
			t.Fatalf("%+v\n%+v: %v", r, again, err)
		}
		DefaultCatalogue().Audited(r)
	})
}
