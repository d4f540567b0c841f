package genesystest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// HostileText is what Options.HostileTexts puts behind texts: colors and a title for a terminal, a line that claims to be
// ours, marks that turn the direction of writing, a control character of eight bits, and half a surrogate pair.
const HostileText = "\x1b[31m\x1b]0;forged\a\r\nforged ok permissions\u2028forged\u202e\u0085\u009b2J\x00"

// hostileMembers hold what people have written, or what the service writes for people.
var hostileMembers = map[string]bool{
	"name": true, "displayName": true, "title": true, "description": true, "label": true, "notes": true, "comments": true,
	"message": true, "messageWithParams": true, "errorCode": true, "code": true, "contextId": true, "fieldName": true, "error_description": true,
}

// makeHostile puts the text behind those of an answer, and makes its correlation id long. A header with control characters
// is none that net/http would take.
func (r *reply) makeHostile() {
	if id := r.header.Get("ININ-Correlation-Id"); id != "" {
		r.header["Inin-Correlation-Id"] = []string{id + " forged " + strings.Repeat("x", 50_000)}
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		r.body = append(r.body, HostileText...)
		return
	}
	if body, err := json.Marshal(hostile(v, r.status >= 400)); err == nil {
		r.body = bytes.ReplaceAll(body, []byte(`\u0000`), []byte(`\ud83d`))
	}
}

func hostile(v any, failed bool) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = hostile(v[i], failed)
		}
	case map[string]any:
		for name, member := range v {
			if text, ok := member.(string); ok && hostileMembers[name] {
				member = text + HostileText
				if failed {
					member = text + HostileText + strings.Repeat("x", 20_000)
				}
			}
			v[name] = hostile(member, failed)
		}
	}
	return v
}
