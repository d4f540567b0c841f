package genesys

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRetryTable says what is sent again, and how long after.
func TestRetryTable(t *testing.T) {
	type try func(context.Context) (*http.Response, error)
	status := func(code int, body string, headers ...string) try {
		return func(context.Context) (*http.Response, error) { return answer(code, body, headers...), nil }
	}
	fails := func(err error) try {
		return func(context.Context) (*http.Response, error) { return nil, err }
	}
	body := func(read func(context.Context) io.Reader) try {
		return func(ctx context.Context) (*http.Response, error) {
			r := answer(200, "")
			r.Body = io.NopCloser(read(ctx))
			return r, nil
		}
	}
	cut := func(code int, headers ...string) try {
		return func(context.Context) (*http.Response, error) {
			r := answer(code, "", headers...)
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"code":`), iotest.ErrReader(io.ErrUnexpectedEOF)))
			return r, nil
		}
	}
	dated := func(until, sent time.Duration) try {
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		return func(context.Context) (*http.Response, error) {
			return answer(429, `{}`, "Retry-After", at(until), "Date", at(sent)), nil
		}
	}
	const s = time.Second
	backoff := []time.Duration{s / 2, s}
	for _, test := range []struct {
		name  string
		first try
		wait  []time.Duration // least and most; nil: not sent again
	}{
		{"408", status(408, `{}`), backoff},
		{"429 with Retry-After", status(429, `{}`, "Retry-After", "42"), []time.Duration{42 * s, 43 * s}},
		{"429 with a date", dated(20*s, 0), []time.Duration{19 * s, 21 * s}},
		{"429 without", status(429, `{}`), backoff},
		{"429 with nonsense", status(429, `{}`, "Retry-After", "soon"), backoff},
		{"429 that asks for the most", status(429, `{}`, "Retry-After", "180"), []time.Duration{180 * s, 181 * s}},
		{"429 that asks too much", status(429, `{}`, "Retry-After", "181"), nil},
		{"429 that asks more than a number holds", status(429, `{}`, "Retry-After", "99999999999999999999"), nil},
		{"429 that asks for no wait", status(429, `{}`, "Retry-After", "0"), backoff},
		{"429 with a date that has passed", dated(-time.Hour, 0), backoff},
		{"429 with a date of a clock that is behind", dated(20*s-time.Hour, -time.Hour), []time.Duration{19 * s, 21 * s}},
		{"429 with a date of a clock that is ahead", dated(20*s+time.Hour, time.Hour), []time.Duration{19 * s, 21 * s}},
		{"429 with a cut body", cut(429, "Retry-After", "42"), []time.Duration{42 * s, 43 * s}},
		{"404 with a cut body", cut(404), nil},
		{"503 with a cut body", cut(503), backoff},
		{"500", status(500, `{}`), backoff},
		{"501", status(501, `{}`), nil},
		{"502 html", status(502, `<html>`), backoff},
		{"503 with Retry-After", status(503, `{}`, "Retry-After", "5"), []time.Duration{5 * s, 6 * s}},
		{"503 that asks too much", status(503, `{}`, "Retry-After", "181"), nil},
		{"504", status(504, ``), backoff},
		{"504 of a gateway that asks for a day", status(504, `<html>`, "Retry-After", "86400"), nil},
		{"500 that asks for a day", status(500, `{}`, "Retry-After", "86400"), nil},
		{"408 that asks for a day", status(408, `{}`, "Retry-After", "86400"), nil},
		{"400", status(400, `{}`), nil},
		{"403", status(403, `{}`), nil},
		{"404", status(404, `{}`), nil},
		{"409", status(409, `{}`), nil},
		{"reset", fails(&net.OpError{Op: "read", Err: errors.New("reset")}), backoff},
		{"unknown host", fails(&net.DNSError{IsNotFound: true}), nil},
		{"untrusted certificate", fails(&tls.CertificateVerificationError{Err: errors.New("expired")}), nil},
		{"cut body", body(func(context.Context) io.Reader {
			return io.MultiReader(strings.NewReader(`{"a":`), iotest.ErrReader(io.ErrUnexpectedEOF))
		}), backoff},
		{"short body", status(200, `{"a":`), backoff},
		{"html with 200", status(200, `<html>login</html>`), backoff},
		{"slow body", body(func(ctx context.Context) io.Reader { return slowReader{ctx.Done()} }), []time.Duration{120*s + s/2, 121 * s}},
		{"slow answer", func(ctx context.Context) (*http.Response, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, []time.Duration{30*s + s/2, 31 * s}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				c, _ := newTestClient(t, ok, func(o *Options) {
					o.RetryWaitMin, o.RetryWaitMax = 0, 0
					base := o.Transport
					o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
						if r.URL.Path == "/oauth/token" {
							return base.RoundTrip(r)
						}
						if tries++; tries > 1 {
							return base.RoundTrip(r)
						}
						return test.first(r.Context())
					})
				})
				start := time.Now()
				err := get(t.Context(), c)
				require.Equal(t, test.wait != nil, err == nil, "%v", err)
				if test.wait == nil {
					require.Equal(t, 1, tries)
					require.Zero(t, time.Since(start))
					return
				}
				require.EqualValues(t, 1, c.Stats().Retries)
				require.GreaterOrEqual(t, time.Since(start), test.wait[0])
				require.LessOrEqual(t, time.Since(start), test.wait[1])
			})
		})
	}
}

// A slowReader gives nothing until its request's context ends.
type slowReader struct{ done <-chan struct{} }

func (s slowReader) Read([]byte) (int, error) {
	<-s.done
	return 0, context.DeadlineExceeded
}

// TestBackoffStaysInBounds: however often and with whatever waits a caller lets requests be sent again.
func TestBackoffStaysInBounds(t *testing.T) {
	for _, least := range []time.Duration{time.Nanosecond, time.Second, 30 * time.Second, time.Hour} {
		for _, most := range []time.Duration{least, 2*least + 1, 1 << 62} {
			for retry := range 200 {
				wait := backoff(least, most, retry, nil)
				require.GreaterOrEqual(t, wait, least/2)
				require.LessOrEqual(t, wait, most)
			}
		}
	}
	asked := answer(503, "", "Retry-After", "5")
	defer asked.Body.Close()
	for _, r := range []*http.Response{nil, asked} {
		waits := map[time.Duration]bool{}
		for range 20 {
			waits[backoff(time.Second, time.Minute, 3, r)] = true
		}
		require.Greater(t, len(waits), 10, "clients that failed together do not come back together")
	}
}

// TestATryLeavesNothingBehind: the context of a try ends with it, whatever it came to.
func TestATryLeavesNothingBehind(t *testing.T) {
	var tries []context.Context
	for _, status := range []int{200, 302, 404, 500} {
		c, _ := newTestClient(t, func(*http.Request) *http.Response { return answer(status, `{}`) }, func(o *Options) {
			base := o.Transport
			o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				tries = append(tries, r.Context())
				return base.RoundTrip(r)
			})
		})
		require.Equal(t, status != 200, get(t.Context(), c) != nil)
	}
	require.Len(t, tries, 4+3+3, "logins, and the tries of a 500")
	for _, ctx := range tries {
		require.Error(t, ctx.Err())
	}
}

func TestRetriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newTestClient(t, func(*http.Request) *http.Response { return answer(503, `{"code":"service.unavailable"}`) },
			func(o *Options) { o.RetryWaitMin, o.RetryWaitMax = 0, 0 })
		start := time.Now()
		err := get(t.Context(), c)
		e, isAPI := errors.AsType[*APIError](err)
		require.True(t, isAPI, "the last answer is the error: %v", err)
		require.Equal(t, "service.unavailable", e.Code)
		require.Len(t, s.requests(), 7)
		require.Less(t, time.Since(start), 62*time.Second)

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start = time.Now()
		require.ErrorIs(t, get(ctx, c), context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start), "a wait ends with the context")
	})
}

func TestEveryTryIsPaced(t *testing.T) {
	paced := 0
	tries := 0
	full := errors.New("no quota left")
	var refuse bool
	c, s := newTestClient(t, func(*http.Request) *http.Response {
		if tries++; tries < 3 {
			return answer(500, `{}`)
		}
		return answer(200, `{}`)
	}, func(o *Options) {
		o.Pace = func(base http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if paced++; refuse {
					return nil, full
				}
				return base.RoundTrip(r)
			})
		}
	})
	s.revoked["t1"] = true
	require.NoError(t, get(t.Context(), c))
	require.Equal(t, 4, paced, "a 401, two failures and a success; not the logins")
	require.EqualValues(t, 4, c.Stats().Requests)
	require.EqualValues(t, 2, c.Stats().Tokens)

	refuse = true
	require.ErrorIs(t, get(t.Context(), c), full)
	require.Equal(t, 5, paced, "what Pace refuses is not sent again")
}

func TestTokenStaysWithTheAPI(t *testing.T) {
	var leaked string
	c, s := newTestClient(t, func(r *http.Request) *http.Response {
		switch r.URL.Path {
		case "/api/v2/here":
			return answer(302, ``, "Location", "/api/v2/x")
		case "/api/v2/x":
			return answer(200, `"arrived"`)
		case "/api/v2/loop":
			return answer(302, ``, "Location", "/api/v2/loop")
		}
		return answer(302, ``, "Location", "https://evil.example/?q=private")
	}, func(o *Options) {
		base := o.Transport
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "127.0.0.1" {
				leaked = r.Header.Get("Authorization")
			}
			return base.RoundTrip(r)
		})
	})
	var v string
	require.NoError(t, c.GetJSON(t.Context(), "/api/v2/here", &v))
	require.Equal(t, "arrived", v)
	err := c.GetJSON(t.Context(), "/api/v2/away", &v)
	require.ErrorIs(t, err, errRedirect)
	require.NotContains(t, err.Error(), "private")
	require.Empty(t, leaked)
	require.Equal(t, []string{"GET /api/v2/here", "GET /api/v2/x", "GET /api/v2/away"}, s.requests())
	require.ErrorContains(t, c.GetJSON(t.Context(), "/api/v2/loop", &v), "in circles")
	require.Len(t, s.requests(), 3+4)
}

func TestOverTheNetwork(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/login/oauth/token":
			id, secret, _ := r.BasicAuth()
			if id != "id" || secret != "secret" || r.FormValue("grant_type") != "client_credentials" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"t","expires_in":86400}`)
		case r.URL.Path != "/org/api/v2/x" || r.Header.Get("Authorization") != "Bearer t":
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			fmt.Fprintf(zip, "%q", r.RemoteAddr+" "+r.Header.Get("Accept-Encoding"))
			_ = zip.Close()
		}
	}))
	defer server.Close()
	c, err := NewClient(Config{BaseURL: server.URL + "/org/api/v2/", LoginURL: server.URL + "/login", ClientID: "id", ClientSecret: "secret"}, nil)
	require.NoError(t, err)
	var first, second string
	require.NoError(t, c.GetJSON(t.Context(), "/api/v2/x", &first))
	require.NoError(t, c.GetJSON(t.Context(), "/api/v2/x", &second))
	require.Contains(t, first, "gzip")
	require.Equal(t, first, second, "the connection is used again")
}
