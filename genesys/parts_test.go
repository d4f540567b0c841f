package genesys

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A part is a member of its object: text as it came, JSON as JSON, each read once. What does not
// exist is left out, what passes no border is cut, and a part that cannot be read makes the
// object one that cannot be read.
func TestParts(t *testing.T) {
	typ := things(100)
	typ.Whole = false
	typ.Parts = []Part{
		{Member: "template", Path: "/api/v2/things/{thingId}/templates/request.vm", Text: true},
		{Member: "function", Path: "/api/v2/things/{thingId}/function"},
		{Member: "config", Path: "/api/v2/things/{thingId}/config", Field: "settings.inner"},
	}
	for name, test := range map[string]struct {
		answers  map[string]func() *http.Response
		want     string
		wantErr  string
		requests int
		masked   int
	}{
		"all": {
			map[string]func() *http.Response{
				"/templates/request.vm": func() *http.Response { return answer(200, "${input.rawRequest}\n#if", "Content-Type", "text/plain") },
				"/function": func() *http.Response {
					return answer(200, `{"handler":"index","zip":"https://x.invalid/a?X-Amz-Signature=abc","password":"p"}`)
				},
				"/config": func() *http.Response { return answer(200, `{"settings":{"inner":[1,2]}}`) },
			},
			`{"id":"a","template":"${input.rawRequest}\n#if","function":{"handler":"index","zip":"https://x.invalid/a"},"config":[1,2]}`, "", 4, 0,
		},
		"signed text": {
			map[string]func() *http.Response{
				"/templates/request.vm": func() *http.Response { return answer(200, "see https://x.invalid/a?X-Amz-Signature=abc") },
			},
			`{"id":"a","template":"see https://x.invalid/a"}`, "", 4, 0,
		},
		"none of them": {nil, `{"id":"a"}`, "", 4, 0},
		"text that looks like JSON": {
			map[string]func() *http.Response{"/templates/request.vm": func() *http.Response { return answer(200, `{"a":`) }},
			`{"id":"a","template":"{\"a\":"}`, "", 4, 0,
		},
		"text behind a gateway that wants a login": {
			map[string]func() *http.Response{
				"/templates/request.vm": func() *http.Response {
					return answer(200, "<html><body>Sign in</body></html>", "Content-Type", "text/html", "Inin-Correlation-Id", "")
				},
			},
			"", "its part template", 4, 0,
		},
		"text that is HTML": {
			map[string]func() *http.Response{
				"/templates/request.vm": func() *http.Response { return answer(200, "<p>${input.rawRequest}</p>") },
			},
			`{"id":"a","template":"<p>${input.rawRequest}</p>"}`, "", 4, 0,
		},
		"secrets that customers named": {
			map[string]func() *http.Response{
				"/function": func() *http.Response {
					return answer(200, `{"settings":[{"name":"apiKey","value":"k"}],"url":"https://x.invalid/a?apiKey=k"}`)
				},
				"/config": func() *http.Response {
					return answer(200, `{"settings":{"inner":[1],"outer":[{"name":"apiKey","value":"k"}]}}`)
				},
			},
			`{"id":"a","function":{"settings":[{"name":"apiKey","value":"[secret]"}],"url":"https://x.invalid/a?apiKey=[secret]"},"config":[1]}`, "", 4, 2,
		},
		"hidden": {
			map[string]func() *http.Response{"/function": func() *http.Response { return answer(403, `{"code":"missing.permissions"}`) }},
			"", "its part function", 3, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newTestClient(t, func(r *http.Request) *http.Response {
				const object = "/api/v2/things/a"
				if r.URL.Path == object {
					return answer(200, `{"id":"a"}`)
				}
				if f := test.answers[r.URL.Path[len(object):]]; f != nil {
					return f()
				}
				return answer(404, `{"code":"not.found"}`)
			})
			o, err := c.Read(t.Context(), typ, Object{Type: "things", ID: "a", Body: []byte(`{"id":"a"}`)})
			require.Len(t, s.requests(), test.requests)
			if test.wantErr != "" {
				require.ErrorContains(t, err, test.wantErr)
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(o.Body))
			require.Equal(t, test.masked, o.Masked)
		})
	}
}
