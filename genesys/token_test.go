package genesys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func ok(*http.Request) *http.Response { return answer(200, `{}`) }

func get(ctx context.Context, c *Client) error {
	var v any
	return c.GetJSON(ctx, "/api/v2/x", &v)
}

func TestLoginRefusals(t *testing.T) {
	for _, test := range []struct {
		name      string
		status    int
		body      string
		reason    AuthReason
		says      string
		temporary bool
	}{
		{"unknown client", 400, `{"error":"invalid_client","description":"client not found"}`, AuthUnknownClient, "client not found", false},
		{"unknown client, standard member", 400, `{"error":"invalid_client","error_description":"client not found: x"}`, AuthUnknownClient, "region", false},
		{"wrong secret", 401, `{"error":"invalid_client","description":"authentication failed"}`, AuthWrongSecret, "authentication failed", false},
		{"grant type", 400, `{"error":"unauthorized_client","error_description":"no"}`, AuthGrantType, "Client Credentials", false},
		{"throttled", 400, `{"error":"invalid_request","error_description":"rate limit exceeded; try later"}`, AuthThrottled, "wait", true},
		{"allowlist", 401, `{"error":"ip.not.authorized"}`, AuthIPNotAllowed, "address", false},
		{"failing", 503, `<html>oh no</html>`, AuthUnavailable, "oh no", true},
		{"not a login service", 404, `<html><title>Nothing here</title></html>`, AuthUnexpected, "Nothing here", false},
		{"success without a token", 200, `{"token_type":"bearer"}`, AuthUnexpected, "access_token", false},
		{"echo of the secret", 400, `{"error":"invalid_client","description":"no client with ` + testSecret + `"}`, AuthUnknownClient, "[redacted]", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, s := newTestClient(t, ok, func(o *Options) { o.MaxRetries = 2 })
			s.login = func(int) *http.Response { return answer(test.status, test.body) }
			err := get(t.Context(), c)
			e, isAuth := errors.AsType[*AuthError](err)
			require.True(t, isAuth, "%v", err)
			require.Equal(t, test.reason, e.Reason)
			require.NotEmpty(t, e.Remedy)
			require.Equal(t, test.temporary, e.Temporary())
			require.Equal(t, !test.temporary, errors.Is(err, ErrUnauthorized))
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), testSecret)
			want := 1
			if test.temporary {
				want = 3
			}
			require.Equal(t, want, s.minted)
			require.Empty(t, s.requests(), "no API request goes out without a token")
		})
	}
}

// TestSecretStaysWithTheLogin: a redirect of the login service is not followed, wherever it leads.
func TestSecretStaysWithTheLogin(t *testing.T) {
	for _, place := range []string{"https://evil.example/oauth/token", "http://a.127.0.0.1/oauth/token", "/oauth/token"} {
		c, s := newTestClient(t, ok)
		s.login = func(int) *http.Response { return answer(307, ``, "Location", place) }
		e, isAuth := errors.AsType[*AuthError](get(t.Context(), c))
		require.True(t, isAuth)
		require.Equal(t, AuthUnexpected, e.Reason)
		require.Equal(t, 307, e.Status)
		require.Equal(t, 1, s.minted, place)
	}
}

func TestRejectedTokenIsReplacedOnce(t *testing.T) {
	c, s := newTestClient(t, func(r *http.Request) *http.Response {
		body := new(bytes.Buffer)
		if r.Body != nil {
			_, _ = body.ReadFrom(r.Body)
		}
		return answer(200, fmt.Sprintf("%q", body))
	})
	s.revoked["t1"] = true
	var echo string
	require.NoError(t, c.QueryJSON(t.Context(), "/api/v2/x", map[string]int{"a": 1}, &echo))
	require.Equal(t, `{"a":1}`, echo, "the replay carries the body")
	require.Equal(t, 2, s.minted)
	require.Len(t, s.requests(), 2)

	s.revoked["t2"], s.revoked["t3"] = true, true
	err := get(t.Context(), c)
	e, isAuth := errors.AsType[*AuthError](err)
	require.True(t, isAuth)
	require.Equal(t, AuthTokenRejected, e.Reason)
	require.Equal(t, "corr-1", e.CorrelationID)
	require.ErrorIs(t, err, ErrUnauthorized)
	require.Equal(t, 3, s.minted, "one more token, not one per try")
	require.NotContains(t, err.Error(), "t3")
}

func TestAllowlistIsNotCuredByAToken(t *testing.T) {
	for code, reason := range map[string]AuthReason{"ip.not.authorized": AuthIPNotAllowed, "unauthorized": AuthTokenRejected} {
		c, s := newTestClient(t, func(*http.Request) *http.Response { return answer(401, `{"code":"`+code+`","message":"no"}`) })
		err := get(t.Context(), c)
		e, isAuth := errors.AsType[*AuthError](err)
		require.True(t, isAuth)
		require.Equal(t, reason, e.Reason)
		require.Equal(t, 1, s.minted, code)
		_, isAPI := errors.AsType[*APIError](err)
		require.True(t, isAPI, "what the API said stays reachable")
	}
}

func TestOneTokenForManyGoroutines(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, s := newTestClient(t, ok, func(o *Options) {
				base := o.Transport
				o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					time.Sleep(time.Second)
					return base.RoundTrip(r)
				})
			})
			if refuse {
				s.login = func(int) *http.Response { return answer(401, `{"error":"invalid_client"}`) }
			}
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if err := get(t.Context(), c); (err != nil) != refuse {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, 1, s.minted)
			require.EqualValues(t, 1, c.Stats().Tokens)
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCancelledLoginCostsOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newTestClient(t, ok, func(o *Options) {
			base := o.Transport
			o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				select {
				case <-time.After(time.Second):
					return base.RoundTrip(r)
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			})
		})
		hasty, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := get(hasty, c); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait() // the hasty one is asking for the token
		wg.Go(func() {
			if err := get(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		start := time.Now()
		require.ErrorIs(t, get(impatient, c), context.DeadlineExceeded, "a wait for another one's login ends with the context")
		require.Equal(t, time.Millisecond, time.Since(start))
		cancel()
		wg.Wait()
		require.Equal(t, 1, s.minted)
		require.Zero(t, c.Stats().Retries, "that one gave up is no refusal")
	})
}

func TestTokenIsReplacedBeforeItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newTestClient(t, ok)
		require.NoError(t, get(t.Context(), c))
		time.Sleep(24*time.Hour - 61*time.Second)
		require.NoError(t, get(t.Context(), c))
		require.Equal(t, 1, s.minted)
		time.Sleep(2 * time.Second)
		require.NoError(t, get(t.Context(), c))
		require.Equal(t, 2, s.minted)

		c, s = newTestClient(t, ok)
		s.login = func(int) *http.Response { return answer(200, `{"access_token":"t","expires_in":30}`) }
		for _, minted := range []int{1, 1, 2} { // after 0, 14 and 28 seconds
			require.NoError(t, get(t.Context(), c))
			require.Equal(t, minted, s.minted, "a short life is used, too")
			time.Sleep(14 * time.Second)
		}
	})
}

func TestNothingSecretIsLoggedOrPrinted(t *testing.T) {
	var log bytes.Buffer
	c, s := newTestClient(t, func(r *http.Request) *http.Response {
		return answer(500, `{"message":"`+r.Header.Get("Authorization")+`"}`)
	}, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.MaxRetries = 1
	})
	s.revoked["t1"] = true
	var v any
	err := c.GetJSON(t.Context(), "/api/v2/x?q=private", &v)
	require.Error(t, err)
	cfg := Config{BaseURL: "usw2", ClientID: "id-1", ClientSecret: testSecret}
	all := log.String() + err.Error() + fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg) + fmt.Sprint(slog.AnyValue(cfg).Resolve())
	for _, secret := range []string{testSecret, "Bearer t", "private", "access_token"} {
		require.NotContains(t, all, secret)
	}
	require.Equal(t, 2, strings.Count(log.String(), "path=/api/v2/x"), log.String())
	require.Contains(t, log.String(), "attempt=2 status=500 correlation_id=corr-1")
}
