package genesys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

func TestAPIErrorKeepsWhatTheAnswerSaid(t *testing.T) {
	html := `<html><head><style>p{}</style><title>ERROR</title></head><body><h1>502 Bad&nbsp;Gateway</h1></body></html>`
	for _, test := range []struct {
		name        string
		status      int
		body        string
		headers     []string
		code, says  string
		missing     []string
		any         bool
		is          error
		isNot       error
		retryAfter  time.Duration
		correlation string
		limit       string
	}{
		{
			name: "missing permission", status: 403, body: `{"message":"Unable to perform the requested action. You are missing the following permission(s): [routing:queue:view]","code":"missing.permissions","status":403,"contextId":"ctx","details":[],"errors":[]}`,
			code: "missing.permissions", says: "You are missing", missing: []string{"routing:queue:view"}, is: ErrUnavailable, isNot: ErrNotFound, correlation: "corr-1",
		},
		{
			name: "any of several", status: 403, body: `{"code":"missing.any.permissions","message":"You must have at least one of the following permissions assigned: [b:c:d, a:b:*]"}`,
			code: "missing.any.permissions", missing: []string{"a:b:*", "b:c:d"}, any: true, is: ErrUnavailable, correlation: "corr-1",
		},
		{
			name: "division appended", status: 403, body: `{"code":"missing.division.permission","message":"missing [routing:queue:view:1b2c-aa] in at least one of the following division(s): []"}`,
			code: "missing.division.permission", missing: []string{"routing:queue:view"}, is: ErrUnavailable, correlation: "corr-1",
		},
		{
			name: "a class instead of a permission", status: 403, body: `{"code":"missing.permissions","message":"permission(s): com.inin.pubapi.iam.util.ResourcePermission"}`,
			code: "missing.permissions", is: ErrUnavailable, correlation: "corr-1",
		},
		{name: "feature off", status: 501, body: `{"code":"not.implemented","message":"Feature toggle is not enabled"}`, code: "not.implemented", is: ErrUnavailable, correlation: "corr-1"},
		{name: "object gone", status: 404, body: `{"code":"not.found"}`, code: "not.found", is: ErrNotFound, isNot: ErrUnavailable, correlation: "corr-1"},
		{name: "malformed members", status: 400, body: `{"code":{"a":1},"message":"kept","details":"a string","messageParams":7,"status":"x"}`, says: "kept", correlation: "corr-1"},
		{name: "only in the body", status: 409, body: `{"code":"general.conflict","contextId":"from-body"}`, headers: []string{"Inin-Correlation-Id", ""}, code: "general.conflict", correlation: "from-body"},
		{name: "html", status: 504, body: html, says: "502 Bad&nbsp;Gateway", correlation: "corr-1"},
		{name: "garbage", status: 500, body: "\x00\xff{{{", correlation: "corr-1"},
		{name: "nothing", status: 500, body: "", says: "Internal Server Error", correlation: "corr-1"},
		{
			name: "limit", status: 429, body: `{"code":"too.many.requests","limit":{"key":"token.rate.per.minute","namespace":"platform.api","value":300}}`,
			headers: []string{"Retry-After", "42"}, code: "too.many.requests", retryAfter: 42 * time.Second, limit: "token.rate.per.minute", correlation: "corr-1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := newTestClient(t, func(*http.Request) *http.Response { return answer(test.status, test.body, test.headers...) }, func(o *Options) { o.MaxRetries = -1 })
			var v any
			err := c.GetJSON(t.Context(), "/api/v2/x?secret=1", &v)
			e, ok := errors.AsType[*APIError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, test.status, e.Status)
			require.Equal(t, "/api/v2/x", e.Path)
			require.Equal(t, test.code, e.Code)
			require.Equal(t, test.correlation, e.CorrelationID)
			require.Equal(t, test.retryAfter, e.RetryAfter)
			require.Equal(t, test.limit, e.Limit)
			require.Equal(t, test.any, e.AnyPermission)
			require.Contains(t, e.Error(), test.says)
			if test.missing != nil {
				require.Equal(t, test.missing, e.MissingPermissions)
			} else {
				require.Empty(t, e.MissingPermissions)
			}
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			if test.isNot != nil {
				require.NotErrorIs(t, err, test.isNot)
			}
		})
	}
}

// TestErrorsKeepTheirStatus: an error answer is one, also when its body breaks off or is too large to read.
func TestErrorsKeepTheirStatus(t *testing.T) {
	cut := func() io.Reader {
		return io.MultiReader(strings.NewReader(`{"message":"You`), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	long := func() io.Reader { return strings.NewReader(`{"message":"` + strings.Repeat("You ", 1000) + `"}`) }
	for name, body := range map[string]func() io.Reader{"cut": cut, "too large": long} {
		for status, requests := range map[int]int{401: 2, 403: 1, 404: 1} { // 401: with a new token
			c, s := newTestClient(t, func(*http.Request) *http.Response {
				r := answer(status, "")
				r.Body = io.NopCloser(body())
				return r
			}, func(o *Options) { o.MaxBody = 1000 })
			_, err := collect(t.Context(), c, things(100))
			e, ok := errors.AsType[*APIError](err)
			require.True(t, ok, "%s: %v", name, err)
			require.Equal(t, status, e.Status)
			require.Equal(t, "corr-1", e.CorrelationID)
			require.Contains(t, e.Message, "You")
			require.Len(t, s.requests(), requests, "%s", name)
		}
	}
}

// TestErrorsHoldNoSecret: nothing comes back out of a service that repeats what it was sent, wherever a long text is cut.
func TestErrorsHoldNoSecret(t *testing.T) {
	const token = "t1-0123456789abcdef"
	for before := -1; before < 60; before++ { // bytes in front of the cut, or none at all
		pad := ""
		if before >= 0 {
			pad = strings.Repeat("-", maxMessage-before)
		}
		for _, form := range []struct {
			login, status int
			body          string
		}{
			{200, 400, `{"code":"bad.request","message":"%s"}`},
			{200, 403, `{"code":"%s"}`},
			{200, 500, `<html><p>%s</p></html>`},
			{200, 200, `<html><p>%s</p></html>`},
			{400, 0, `{"error":"invalid_client","description":"%s"}`},
			{503, 0, `<html><p>%s</p></html>`},
		} {
			c, s := newTestClient(t, func(r *http.Request) *http.Response {
				return answer(form.status, fmt.Sprintf(form.body, pad+r.Header.Get("Authorization")+" "+testSecret))
			}, func(o *Options) { o.MaxRetries = -1 })
			s.login = func(int) *http.Response {
				if form.login != 200 {
					return answer(form.login, fmt.Sprintf(form.body, pad+testSecret))
				}
				return answer(200, `{"access_token":"`+token+`"}`)
			}
			err := get(t.Context(), c)
			require.Error(t, err)
			require.NotContains(t, err.Error(), testSecret[:6], "after %d bytes of %s", len(pad), form.body)
			require.NotContains(t, err.Error(), token[:6], "after %d bytes of %s", len(pad), form.body)
			if pad == "" {
				require.ErrorContains(t, err, "[redacted]")
			}
		}
	}
	c, s := newTestClient(t, func(*http.Request) *http.Response { return answer(400, `{"message":"t1 was replaced by t2"}`) })
	s.revoked["t1"] = true
	require.ErrorContains(t, get(t.Context(), c), ": [redacted] was replaced by [redacted]")
}

// TestErrorsOfTheNetworkHoldNoSecret: net/http quotes what it does not understand, and that may be
// what was sent, or a signature.
func TestErrorsOfTheNetworkHoldNoSecret(t *testing.T) {
	quotes := func(r *http.Request) error {
		return fmt.Errorf("net/http: malformed MIME header line: %s%s", strings.Repeat("-", maxMessage-70), r.Header.Get("Authorization"))
	}
	for name, breaks := range map[string]func(*http.Request) bool{
		"login": func(r *http.Request) bool { return r.URL.Path == "/oauth/token" },
		"API":   func(r *http.Request) bool { return r.URL.Path != "/oauth/token" },
	} {
		c, _ := newTestClient(t, ok, func(o *Options) {
			o.MaxRetries = -1
			base := o.Transport
			o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				if breaks(r) {
					return nil, quotes(r)
				}
				return base.RoundTrip(r)
			})
		})
		c.tokens.current = "t1-0123456789abcdef"
		if name == "login" {
			c.tokens.current = ""
		}
		err := get(t.Context(), c)
		require.ErrorContains(t, err, "malformed MIME header line", name)
		require.ErrorContains(t, err, "[redacted]", name)
		require.NotContains(t, err.Error(), "0123", name)
	}

	c, _ := newTestClient(t, ok, func(o *Options) {
		o.MaxRetries = -1
		base := o.Transport
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			switch {
			case r.URL.Host == "files.invalid":
				return answer(302, "", "Location", "https://files.invalid/%zz?X-Amz-Signature=0123"), nil
			case r.URL.Path == "/oauth/token":
				return base.RoundTrip(r)
			}
			return answer(200, `{"downloadUrl":"https://files.invalid/a?X-Amz-Signature=0123"}`), nil
		})
	})
	err := get(withDownloads(t.Context()), c)
	require.ErrorIs(t, err, errNoURL)
	require.NotContains(t, err.Error(), "0123")
}

func FuzzErrorBody(f *testing.F) {
	f.Add(404, []byte(`{"code":"not.found","message":"x","contextId":"y"}`), "1")
	f.Add(503, []byte(`<html>`), "Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add(403, []byte(`{"message":"[a:b:c]"`), "99999999999999999999")
	f.Fuzz(func(t *testing.T, status int, body []byte, after string) {
		defer bounded.Start(t)()
		r := answer(status, "", "Retry-After", after)
		defer r.Body.Close()
		r.Request, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/api/v2/x", http.NoBody)
		e := newAPIError(r, body, asksObject, func(s string) string { return s })
		if e.Status != status || e.CorrelationID != "corr-1" {
			t.Fatalf("status %d, correlation id %q", e.Status, e.CorrelationID)
		}
		if e.RetryAfter < 0 || e.RetryAfter > maxRetryAfterSeconds*time.Second {
			t.Fatalf("Retry-After %q became %s", after, e.RetryAfter)
		}
		if text := e.Error(); len(text) > 5000 || !utf8.ValidString(e.Message) {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
		var plain struct{ Code, Message string }
		if json.Unmarshal(body, &plain) == nil && json.Valid(body) && utf8.Valid(body) &&
			strings.Contains(string(body), `"code"`) && strings.Count(strings.ToLower(string(body)), "code") == 1 && len(plain.Code) < maxMessage && e.Code != plain.Code {
			t.Fatalf("code %q, want %q", e.Code, plain.Code)
		}
	})
}
