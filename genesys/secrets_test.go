package genesys

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDropSecrets(t *testing.T) {
	for _, test := range []struct{ in, out string }{
		{`{"a":1}`, `{"a":1}`},
		{`{"secret":"x"}`, `{}`},
		{`{ "secret" : "x" }`, `{ }`},
		{`{"a":1 , "secret":"x"}`, `{"a":1 }`},
		{`{"secret":"x", "a":1}`, `{ "a":1}`},
		{`{"a":1, "secret":"x" , "b":2}`, `{"a":1 , "b":2}`},
		{`{"secret":"x","password":"y"}`, `{}`},
		{`{"secret":"x","password":"y","a":1}`, `{"a":1}`},
		{`{"a":1,"secret":"x","password":"y"}`, `{"a":1}`},
		{`{"secret":"x","a":1,"password":"y"}`, `{"a":1}`},
		{`[{"d":{"ClientSecret":"x","b":[{"apiKey":"k"},2]}}, 3]`, `[{"d":{"b":[{},2]}}, 3]`},
		{`{"password":{"type":"string"},"secret":null,"apiKey":7}`, `{"password":{"type":"string"},"secret":null,"apiKey":7}`},
		{`{"\u0073ecret":"x","a\"b":1}`, `{"a\"b":1}`},
		{`{"clientSecretProvided":"yes","x":"secret"}`, `{"clientSecretProvided":"yes","x":"secret"}`},
		{`{"headers":{"Authorization":"x"},"a":{"headers":[1]}}`, `{"a":{}}`},
		{` "secret" `, ` "secret" `},
	} {
		out, err := dropSecrets([]byte(test.in), []string{"headers"})
		require.NoError(t, err, test.in)
		require.Equal(t, test.out, string(out), test.in)
	}
	for _, bad := range []string{``, `{`, `{"a"}`, `{"a":1,}`, `{"secret":"x",}`, `{"secret":}`, `[1 2]`, `{} {}`, `{"a":1}]`, strings.Repeat("[", 20_000)} {
		_, err := dropSecrets([]byte(bad), nil)
		require.Error(t, err, bad)
	}
	require.True(t, slices.IsSorted(SecretNames()))
}

// FuzzDropSecrets compares with dropping from the decoded value.
func FuzzDropSecrets(f *testing.F) {
	f.Add([]byte(`{"a":[{"secret":"x","b":1},{"c":{"password":"y"}}],"headers":1}`))
	f.Add([]byte(`{"secret":"x" , "SECRET":"y", "secret ":1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := dropSecrets(in, []string{"headers"})
		if (err == nil) != json.Valid(in) {
			t.Fatalf("%q: %v", in, err)
		}
		if err != nil {
			return
		}
		want := rewritten(t, in, func(name string, value []byte) bool {
			return name == "headers" || value[0] == '"' && slices.ContainsFunc(secretNames, func(s string) bool { return strings.EqualFold(s, name) })
		})
		got := rewritten(t, out, func(string, []byte) bool { return false })
		if !bytes.Equal(want, got) {
			t.Fatalf("%q became %q, want %q", in, got, want)
		}
	})
}

// rewritten writes a document anew, token by token, so that double members and
// the text of numbers stay, without the members that are to be dropped.
func rewritten(t *testing.T, in []byte, drop func(name string, value []byte) bool) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	var value func() json.RawMessage
	value = func() json.RawMessage {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		open, isDelim := token.(json.Delim)
		if !isDelim {
			b, _ := json.Marshal(token)
			return b
		}
		var parts []string
		for d.More() {
			if open == '[' {
				parts = append(parts, string(value()))
				continue
			}
			key, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			v := value()
			name := key.(string)
			if drop(name, v) {
				continue
			}
			k, _ := json.Marshal(name)
			parts = append(parts, string(k)+":"+string(v))
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		if open == '[' {
			return json.RawMessage("[" + strings.Join(parts, ",") + "]")
		}
		return json.RawMessage("{" + strings.Join(parts, ",") + "}")
	}
	return value()
}
