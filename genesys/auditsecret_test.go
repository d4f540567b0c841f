package genesys

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A value of an audit record is text that may hold JSON with secrets, of any length, whole or cut by
// whoever wrote it, and wherever in the record it stands.
func TestNoSecretInValuesOfAudits(t *testing.T) {
	long := strings.Repeat("long ", 2*maxAuditValue/5)
	for name, value := range map[string]string{
		"short":              `{"user":"a","password":"s3cr3t"}`,
		"beyond what stays":  `{"password":"s3cr3t","text":"` + long + `"}`,
		"in a list":          `[{"password":"s3cr3t","text":"` + long + `"}]`,
		"behind a space":     "\n {\"password\":\"s3cr3t\"}",
		"cut":                `{"user":"a","password":"s3cr3t","text":"` + long,
		"cut in the secret":  `{"user":"a","password":"s3cr3t`,
		"a name in escapes":  `{"pass\u0077ord":"s3cr3t","text":"` + long + `"}`,
		"cut, with escapes":  `{"pass\u0077ord":"s3cr3t","text":"` + long,
		"JSON in a string":   `"{\"password\":\"s3cr3t\"}"`,
		"that one cut":       `"{\"user\":\"a\",\"password\":\"s3cr3t\",\"text\":\"` + long,
		"with what it names": `{"key":"password","value":"s3cr3t","text":"` + long + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, record := range []any{
				map[string]any{"propertyChanges": []any{map[string]any{"property": "config", "newValues": []string{value}}}},
				map[string]any{"propertyChanges": []any{map[string]any{"property": "config", "oldValues": []string{value}}}},
				map[string]any{"entityChanges": []any{map[string]any{"entityId": "x", "newValues": []string{value}}}},
				map[string]any{"context": map[string]string{"config": value}},
			} {
				raw, err := json.Marshal(record)
				require.NoError(t, err)
				var r AuditRecord
				require.NoError(t, json.Unmarshal(raw, &r))
				got, err := json.Marshal(r)
				require.NoError(t, err)
				require.NotContains(t, string(got), "s3cr3t")
			}
		})
	}
}
