package genesystest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a rewriting does not change stays as it stands, and the commas fit.
func TestRewrite(t *testing.T) {
	drop := func(json.RawMessage) json.RawMessage { return nil }
	put := func(json.RawMessage) json.RawMessage { return json.RawMessage("[0]") }
	add := func(old json.RawMessage) json.RawMessage {
		if old != nil {
			return old
		}
		return json.RawMessage("0")
	}
	tests := []struct {
		body, path      string
		drop, put, fill string
	}{
		{`{}`, "a", `{}`, `{"a":[0]}`, `{"a":0}`},
		{`{"a":1}`, "a", `{}`, `{"a":[0]}`, `{"a":1}`},
		{`{"a":1,"b":2}`, "a", `{"b":2}`, `{"a":[0],"b":2}`, `{"a":1,"b":2}`},
		{`{"b":2,"a":1}`, "a", `{"b":2}`, `{"b":2,"a":[0]}`, `{"b":2,"a":1}`},
		{`{"b":2,"a":1,"c":3}`, "a", `{"b":2,"c":3}`, `{"b":2,"a":[0],"c":3}`, `{"b":2,"a":1,"c":3}`},
		{`{ "a" : 1 , "b":2 }`, "a", `{ "b":2 }`, `{ "a" : [0] , "b":2 }`, `{ "a" : 1 , "b":2 }`},
		{`{"b":2}`, "a", `{"b":2}`, `{"b":2,"a":[0]}`, `{"b":2,"a":0}`},
		{`{"o":{"a":1}}`, "o.a", `{"o":{}}`, `{"o":{"a":[0]}}`, `{"o":{"a":1}}`},
		{`{"o":[{"a":1},{},7]}`, "o.a", `{"o":[{},{},7]}`, `{"o":[{"a":[0]},{"a":[0]},7]}`, `{"o":[{"a":1},{"a":0},7]}`},
		{`{"o":3}`, "o.a", `{"o":3}`, `{"o":3}`, `{"o":3}`},
		{`{"b":{"a":1}}`, "o.a", `{"b":{"a":1}}`, `{"b":{"a":1}}`, `{"b":{"a":1}}`},
		{`"text"`, "a", `"text"`, `"text"`, `"text"`},
		{`{"b":2,`, "a", `{"b":2,`, `{"b":2,`, `{"b":2,`},
	}
	for _, tt := range tests {
		path := strings.Split(tt.path, ".")
		require.Equal(t, tt.drop, string(rewrite([]byte(tt.body), path, drop)), tt.body)
		require.Equal(t, tt.put, string(rewrite([]byte(tt.body), path, put)), tt.body)
		require.Equal(t, tt.fill, string(rewrite([]byte(tt.body), path, add)), tt.body)
	}
}
