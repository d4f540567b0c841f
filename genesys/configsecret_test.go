package genesys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestConfigKeepsItsSecret: however a Config is printed, alone or in something
// else, its secret is not.
func TestConfigKeepsItsSecret(t *testing.T) {
	c := Config{BaseURL: "usw2", ClientID: "id", ClientSecret: "very-secret"}
	type holder struct {
		Org *Config
		All []Config
		Map map[string]Config
	}
	h := holder{&c, []Config{c}, map[string]Config{"a": c}}
	var out bytes.Buffer
	for _, v := range []any{c, &c, h.All, h.Map} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
	}
	for _, v := range []any{c, &c, h} {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(raw)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "config", v)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "config", c, "pointer", &c)
	require.NotContains(t, out.String(), "very-secret")
	require.Contains(t, out.String(), "usw2")
}

// TestTokenStaysBelowThePrefix: behind a gateway, a redirect to anything but the
// API's own part of the host does not get the token.
func TestTokenStaysBelowThePrefix(t *testing.T) {
	for location, follows := range map[string]bool{
		"/gw/api/v2/other": true, "/gw/api/v2/a%2Fb": true, "/elsewhere": false, "/gwx/api/v2/x": false, "/gw/../elsewhere": false,
		"/gw/%2e%2e/elsewhere": false, "//evil.example/gw/api/v2/x": false, "http://127.0.0.1:1/gw/api/v2/x": false,
	} {
		var leaked []string
		c, err := NewClient(Config{BaseURL: "http://127.0.0.1/gw", LoginURL: "http://127.0.0.1/login", ClientID: "id", ClientSecret: "s"}, &Options{
			MaxRetries: -1,
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/oauth/token"):
					return answer(200, `{"access_token":"tok","expires_in":86400}`), nil
				case r.URL.Path == "/gw/api/v2/x" && r.URL.Host == "127.0.0.1":
					return answer(302, "", "Location", location), nil
				}
				if r.Header.Get("Authorization") != "" {
					leaked = append(leaked, r.URL.String())
				}
				return answer(200, `{}`), nil
			}),
		})
		require.NoError(t, err)
		var v any
		err = c.GetJSON(t.Context(), "/api/v2/x", &v)
		require.Equal(t, follows, err == nil, "%s: %v", location, err)
		require.Equal(t, follows, len(leaked) > 0, "%s: %v", location, leaked)
	}
}

// TestOptionsAreChecked: what can be no bound is refused by its name, and not met by a request.
func TestOptionsAreChecked(t *testing.T) {
	for field, opts := range map[string]Options{
		"RetryWaitMin":  {RetryWaitMin: -1},
		"RetryWaitMax":  {RetryWaitMax: -1},
		"RetryAfterMax": {RetryAfterMax: -1},
		"Timeout":       {Timeout: -time.Second},
		"MaxBody":       {MaxBody: -1},
		"MaxRetries":    {MaxRetries: -2},
	} {
		_, err := NewClient(Config{BaseURL: "usw2", ClientID: "id-1", ClientSecret: testSecret}, &opts)
		require.ErrorContains(t, err, field)
	}
}
