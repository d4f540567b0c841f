package genesys

import (
	"encoding/json"
	"errors"
	"fmt"
)

var errNoAudit = errors.New("genesys: audit event: no audit is in it, " +
	"which would have an eventTime, an action and an entityType; is it of the topic v2.audits?")

// ParseAuditEvent reads an audit that was delivered rather than asked for: an
// event of Amazon EventBridge with the topic v2.audits, its detail alone, or a
// message of the notification service. Such an event tells of one record, about
// a second after the fact. Whoever delivers it is to be trusted as much as the
// way that it came; [AuditRecord.Entity] says what is worth reading now.
func ParseAuditEvent(event []byte) (AuditRecord, error) {
	cleaned, _, err := clean(event, nil)
	if err != nil {
		return AuditRecord{}, fmt.Errorf("genesys: audit event: %w", err)
	}
	for _, name := range []string{"detail", "eventBody"} {
		var m members
		if json.Unmarshal(cleaned, &m) != nil {
			break
		}
		if inner, ok := m[name]; ok {
			cleaned = inner
		}
	}
	var r AuditRecord
	if json.Unmarshal(cleaned, &r) != nil || r.Entity.Type == "" || r.Action == "" || r.Time.IsZero() {
		return AuditRecord{}, errNoAudit
	}
	return r, nil
}
