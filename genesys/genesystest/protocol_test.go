package genesystest_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
)

func TestLogin(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	for _, test := range []struct {
		name, id, secret string
		status           int
		code, said       string
	}{
		{"good", genesystest.ClientID, genesystest.ClientSecret, 200, "", ""},
		{"unknown client", "nobody", genesystest.ClientSecret, 400, "invalid_client", "client not found"},
		{"wrong secret", genesystest.ClientID, "guess", 401, "invalid_client", "authentication failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := c.mint(test.id, test.secret)
			require.Equal(t, test.status, a.status)
			require.Equal(t, test.code, a.field("error"))
			require.Equal(t, test.said, a.field("description"))
			require.Equal(t, test.status == 200, a.field("token_type") == "bearer")
		})
	}
	require.Equal(t, "86400", c.mint(genesystest.ClientID, genesystest.ClientSecret).field("expires_in"))

	org.Fail("POST /oauth/token", genesystest.LoginRefused(400, "unauthorized_client", "disabled"), 1)
	require.Equal(t, "unauthorized_client", c.mint(genesystest.ClientID, genesystest.ClientSecret).field("error"))
	org.Fail("users", genesystest.AddressRefused(), 1)
	require.Equal(t, "ip.not.authorized", c.get("/api/v2/users").field("code"))
	nobody := &caller{t: t, org: org}
	require.Equal(t, "bad.credentials", (&caller{t, org, "guess"}).get("/api/v2/users").field("code"))
	nobody.token = ""
	require.Equal(t, "authentication.required", nobody.get("/api/v2/users").field("code"))
	org.RevokeTokens()
	require.Equal(t, 401, c.get("/api/v2/users").status)
}

func TestTokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{TokenTTL: time.Hour, MaxTokens: 2, MintLimit: 3})
		first, second := newCaller(t, org), newCaller(t, org)
		require.Equal(t, 200, first.get("/api/v2/users").status)
		newCaller(t, org)
		require.Equal(t, "bad.credentials", first.get("/api/v2/users").field("code"), "the oldest is evicted")
		refused := first.mint(genesystest.ClientID, genesystest.ClientSecret)
		require.Equal(t, 400, refused.status)
		require.Contains(t, refused.field("error_description"), "rate limit exceeded")
		time.Sleep(time.Hour)
		require.Equal(t, "credentials.expired", second.get("/api/v2/users").field("code"))
		third := newCaller(t, org)
		require.Equal(t, 204, third.do("DELETE", "/api/v2/tokens/me", nil).status)
		require.Equal(t, 401, third.get("/api/v2/users").status)
	})
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{RateLimit: 3, SubLimits: map[string]int{"GET /api/v2/teams": 1}})
		c, other := newCaller(t, org), newCaller(t, org)
		time.Sleep(20 * time.Second) // a window begins with its first request
		for n := 1; n <= 3; n++ {
			a := c.get("/api/v2/users")
			require.Equal(t, 200, a.status)
			require.Equal(t, strconv.Itoa(n), a.header.Get("Inin-Ratelimit-Count"))
			require.Equal(t, "3", a.header.Get("Inin-Ratelimit-Allowed"))
			require.Equal(t, strconv.Itoa(61-20*(n-1)), a.header.Get("Inin-Ratelimit-Reset"))
			time.Sleep(map[bool]time.Duration{true: 20 * time.Second}[n < 3])
		}
		time.Sleep(500 * time.Millisecond)
		refused := c.get("/api/v2/users")
		require.Equal(t, 429, refused.status)
		require.Equal(t, "20", refused.header.Get("Retry-After"))
		require.Equal(t, "too.many.requests.retry.after", refused.field("code"))
		require.Equal(t, "client.credentials.token.rate.per.minute", refused.field("limit.key"))
		require.Equal(t, 200, other.get("/api/v2/teams").status, "each token has its own window")
		require.Equal(t, 429, other.get("/api/v2/teams").status, "a resource's lower limit")
		time.Sleep(20 * time.Second)
		require.Equal(t, 200, c.get("/api/v2/users").status)
		require.Equal(t, genesystest.Stats{Requests: 7, Tokens: 2, Throttled: 2, MaxPerMinute: 4}, org.Stats())
	})
}

func TestPermissions(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Permissions: []string{"routing:queue:view", "routing:skill:*"}})
	c := newCaller(t, org)
	require.Equal(t, 200, c.get("/api/v2/routing/queues").status)
	require.Equal(t, 200, c.get("/api/v2/routing/skills").status)
	one := c.get("/api/v2/routing/wrapupcodes")
	require.Equal(t, 403, one.status)
	require.Equal(t, "missing.permissions", one.field("code"))
	require.Contains(t, one.field("message"), "[routing:wrapupCode:view]")
	require.Equal(t, "missing.any.permissions", c.get("/api/v2/authorization/settings").field("code"))
	require.Equal(t, 200, c.do("POST", "/api/v2/routing/skills", map[string]any{"name": "x"}).status)
	require.Equal(t, 403, c.do("POST", "/api/v2/routing/queues", map[string]any{"name": "x"}).status)
	require.Equal(t, 403, c.do("POST", "/api/v2/audits/query/realtime", map[string]any{}).status)
	require.Equal(t, 200, c.get("/api/v2/authorization/divisions").status, "needs none")

	subject := c.get("/api/v2/authorization/subjects/me").json()
	grant := subject["grants"].([]any)[0]
	require.Equal(t, "*", at(grant, "division.id"))
	require.Contains(t, at(grant, "role.policies"), "queue")
	role := c.get("/api/v2/tokens/me").json()["OAuthClient"].(map[string]any)["roleDivisions"].([]any)[0]
	require.Equal(t, at(grant, "role.id"), at(role, "roleId"))
	org.SetPermissions()
	require.Equal(t, 200, c.get("/api/v2/routing/wrapupcodes").status)
	require.Contains(t, c.get("/api/v2/authorization/roles/"+at(grant, "role.id")).field("permissionPolicies"), "domain:*")
	require.Equal(t, 400, c.get("/api/v2/users/me").status)
}

func TestDivisions(t *testing.T) {
	for _, status := range []int{403, 404} {
		org := genesystest.New(&genesystest.Options{HiddenGet: status})
		c := newCaller(t, org)
		whole := c.get("/api/v2/routing/queues?pageSize=100").json()
		org.SetDivisions("home")
		some := c.get("/api/v2/routing/queues?pageSize=100").json()
		require.Less(t, some["total"], whole["total"])
		require.Len(t, some["entities"], int(some["total"].(float64)))
		var hidden string
		for _, q := range whole["entities"].([]any) {
			if at(q, "division.name") != "Home" {
				hidden = at(q, "id")
			}
		}
		require.Equal(t, status, c.get("/api/v2/routing/queues/"+hidden).status)
		require.Equal(t, "4", c.get("/api/v2/authorization/divisions").field("total"), "all of them")
		permitted := c.get("/api/v2/authorization/divisionspermitted/paged/me?permission=routing:queue:view")
		require.Equal(t, "false", permitted.field("allDivsPermitted"))
		require.Equal(t, "1", permitted.field("total"))
		org.SetDivisions()
		require.Equal(t, whole, c.get("/api/v2/routing/queues?pageSize=100").json())
	}
}

func TestFaults(t *testing.T) {
	const queues = "/api/v2/routing/queues?pageSize=5"
	ids := func(a answer) (ids []string) {
		list, _ := a.json()["entities"].([]any)
		for _, v := range list {
			ids = append(ids, at(v, "id"))
		}
		return ids
	}
	for _, test := range []struct {
		name  string
		fault genesystest.Fault
		uri   string
		check func(t *testing.T, hit, clean answer)
	}{
		{"throttle", genesystest.Throttle(90 * time.Second), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, 429, hit.status)
			require.Equal(t, "90", hit.header.Get("Retry-After"))
		}},
		{"503", genesystest.Status(503), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, 503, hit.status)
			require.Equal(t, "service.unavailable", hit.field("code"))
			require.NotEmpty(t, hit.header.Get("Inin-Correlation-Id"))
		}},
		{"html", genesystest.HTML(504), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, 504, hit.status)
			require.Equal(t, "text/html", hit.header.Get("Content-Type"))
			require.Empty(t, hit.header.Get("Inin-Correlation-Id"))
			require.Empty(t, hit.header.Get("Inin-Ratelimit-Count"))
		}},
		{"reset", genesystest.Reset(), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.ErrorIs(t, hit.err, syscall.ECONNRESET)
		}},
		{"cut", genesystest.CutBody(), queues, func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.ErrorIs(t, hit.err, io.ErrUnexpectedEOF)
			require.Less(t, len(hit.body), len(clean.body))
		}},
		{"garbage", genesystest.Garbage(), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, 200, hit.status)
			require.NotEqual(t, byte('{'), hit.body[0])
		}},
		{"forbidden", genesystest.Forbidden("a:b:c"), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Contains(t, hit.field("message"), "missing the following permission(s): [a:b:c]")
		}},
		{"feature off", genesystest.FeatureOff(), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, 501, hit.status)
		}},
		{"too large", genesystest.TooLarge(4), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, "response.entity.too.large", hit.field("code"))
		}},
		{"size refused", genesystest.PageSizeRefused(4), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, 400, hit.status)
			require.Equal(t, "invalid.value", hit.field("code"))
		}},
		{"size allowed", genesystest.PageSizeRefused(5), queues, func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.Equal(t, ids(clean), ids(hit))
		}},
		{"ceiling", genesystest.Ceiling(9), queues + "&pageNumber=2", func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, 400, hit.status)
		}},
		{"lost page", genesystest.LostPage(), queues, func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.Empty(t, ids(hit))
			require.Equal(t, clean.field("total"), hit.field("total"))
		}},
		{"lost cursor page", genesystest.LostPage(), "/api/v2/teams?pageSize=2", func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.NotEqual(t, ids(clean), ids(hit))
			require.NotEqual(t, clean.field("nextUri"), hit.field("nextUri"))
		}},
		{"repeated page", genesystest.RepeatedPage(), queues + "&pageNumber=2", func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.NotEqual(t, ids(clean), ids(hit))
			require.Equal(t, "2", hit.field("pageNumber"))
		}},
		{"repeated cursor", genesystest.RepeatedCursor(), "/api/v2/teams?pageSize=2", func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.Equal(t, ids(clean), ids(hit))
			require.NotEqual(t, clean.field("nextUri"), hit.field("nextUri"))
		}},
		{"endless", genesystest.Endless(), "/api/v2/teams?pageSize=100", func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.Empty(t, clean.field("nextUri"))
			require.NotEmpty(t, hit.field("nextUri"))
		}},
		{"empty page", genesystest.EmptyPage(), "/api/v2/teams?pageSize=2", func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Empty(t, ids(hit))
			require.NotEmpty(t, hit.field("nextUri"))
		}},
		{"short page", genesystest.ShortPage(), "/api/v2/teams?pageSize=4", func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.Equal(t, ids(clean)[:2], ids(hit))
		}},
		{"shift", genesystest.Shift(1), queues + "&pageNumber=2", func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.Equal(t, ids(clean)[1:], ids(hit)[:4])
		}},
		{"shift back", genesystest.Shift(-1), queues + "&pageNumber=2", func(t *testing.T, hit, clean answer) {
			t.Helper()
			require.Equal(t, ids(clean)[:4], ids(hit)[1:])
		}},
		{"wrong total", genesystest.WrongTotal(3), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Equal(t, "15", hit.field("total"))
		}},
		{"no totals", genesystest.NoTotals(), queues, func(t *testing.T, hit, _ answer) {
			t.Helper()
			require.Empty(t, hit.field("total"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			org := genesystest.New(nil)
			c := newCaller(t, org)
			org.Fail(strings.Split(test.uri, "?")[0], test.fault, 1)
			hit := c.get(test.uri)
			log := org.Requests()
			require.Equal(t, test.fault.Name, log[len(log)-1].Fault)
			clean := c.get(test.uri)
			require.Equal(t, 200, clean.status, "the fault is over")
			test.check(t, hit, clean)
		})
	}
}

// TestCutBodyOfAPackedAnswer: a body is cut as it goes over the network, not as it was before it was packed.
func TestCutBodyOfAPackedAnswer(t *testing.T) {
	org := genesystest.New(nil)
	s, err := org.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	org.Fail("users", genesystest.CutBody(), 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v2/users?pageSize=25", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+newCaller(t, org).token)
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotEmpty(t, body)
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
}

func TestTokenFaults(t *testing.T) {
	org := genesystest.New(nil)
	for _, fault := range []genesystest.Fault{genesystest.EvictedToken(), genesystest.ExpiredToken()} {
		c := newCaller(t, org)
		org.Fail("", fault, 1)
		require.Equal(t, 401, c.get("/api/v2/users").status)
		require.Equal(t, 401, c.get("/api/v2/users").status, "the token stays dead")
		c = newCaller(t, org)
		require.Equal(t, 200, c.get("/api/v2/users").status)
	}
	c := newCaller(t, org)
	org.Fail("POST /oauth/token", genesystest.Status(500), 1)
	require.Equal(t, 500, c.mint(genesystest.ClientID, genesystest.ClientSecret).status)
	require.Equal(t, 200, c.mint(genesystest.ClientID, genesystest.ClientSecret).status)
}

func TestFailMatches(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	id := firstID(org, "routing.queues")
	uris := []string{
		"/api/v2/routing/queues", "/api/v2/routing/queues?pageNumber=2", "/api/v2/routing/queues/" + id,
		"/api/v2/routing/queues/" + id + "/members", "/api/v2/organizations/me",
	}
	for match, want := range map[string]string{
		"routing.queues": "++...", "Queues": "++...", "routing.queues.members": "...+.", "organizations.me": "....+",
		"/api/v2/routing/queues": "++...", "/api/v2/routing/queues?pageNumber=2": ".+...", "GET /api/v2/routing/queues/*": "..+..",
		"POST /api/v2/routing/queues": ".....", "": "+++++",
	} {
		org.Fail(match, genesystest.Status(500), -1)
		var got strings.Builder
		for _, uri := range uris {
			got.WriteString(map[bool]string{true: "+", false: "."}[c.get(uri).status == 500])
		}
		require.Equal(t, want, got.String(), match)
		org.Recover()
	}
	require.Panics(t, func() { org.Fail("no.such.type", genesystest.Reset(), 1) })
}

func TestChaos(t *testing.T) {
	run := func(rate float64) (statuses []int) {
		org := genesystest.New(&genesystest.Options{Seed: 7, RateLimit: -1})
		c := newCaller(t, org)
		org.Chaos(rate, genesystest.Status(500), genesystest.HTML(502))
		for range 400 {
			statuses = append(statuses, c.get("/api/v2/organizations/me").status)
		}
		return statuses
	}
	require.Equal(t, run(0.3), run(0.3))
	failed := 0
	for _, status := range run(0.3) {
		if status >= 500 {
			failed++
		}
	}
	require.InDelta(t, 120, failed, 35)
}

func TestSlowBodyAndLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Latency: 2 * time.Second})
		c := newCaller(t, org)
		org.Fail("users", genesystest.SlowBody(time.Minute), -1)
		start := time.Now()
		require.Equal(t, 200, c.get("/api/v2/users").status)
		require.Equal(t, 62*time.Second, time.Since(start))

		for limit, want := range map[time.Duration]string{time.Second: "Latency", 10 * time.Second: "body"} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, org.BaseURL()+"/api/v2/users", nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+c.token)
			start := time.Now()
			res, err := org.Transport().RoundTrip(req)
			if want == "body" {
				require.NoError(t, err)
				defer res.Body.Close()
				_, err = io.ReadAll(res.Body)
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, limit, time.Since(start))
			cancel()
		}
	})
}

// TestTransportIsANetwork finds what a client does wrong with hosts and schemes.
func TestTransportIsANetwork(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Domain: "usw2.pure.cloud"})
	for _, url := range []string{
		"https://api.mypurecloud.com/api/v2/users", "http://api.usw2.pure.cloud/api/v2/users",
		"https://api.usw2.pure.cloud/oauth/token", "https://login.usw2.pure.cloud/api/v2/users",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		res, err := org.Transport().RoundTrip(req)
		if err == nil {
			res.Body.Close()
		}
		require.Error(t, err, url)
	}
	require.Empty(t, org.Requests())
}

func TestListen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	org := genesystest.New(nil)
	s, err := org.Listen(ctx, "127.0.0.1:0")
	require.NoError(t, err)
	require.Equal(t, s.URL, s.Config().LoginURL)
	call := func(path string) ([]byte, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+newCaller(t, org).token)
		req.Header.Set("Accept-Encoding", "gzip")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		return io.ReadAll(res.Body)
	}
	packed, err := call("/api/v2/users?pageSize=25")
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Contains(t, string(body), `"total":23`)
	for _, fault := range []genesystest.Fault{genesystest.CutBody(), genesystest.Reset()} {
		org.Fail("users", fault, 1)
		_, err = call("/api/v2/users")
		require.Error(t, err)
	}
	cancel()
	require.NoError(t, s.Wait())
	_, err = call("/api/v2/users")
	require.True(t, errors.Is(err, syscall.ECONNREFUSED), "%v", err)
}

func TestAudits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(24 * time.Hour)
		org := genesystest.New(&genesystest.Options{AuditDelay: 10 * time.Second, AuditNoise: -1})
		c := newCaller(t, org)
		start := time.Now()
		queue := firstID(org, "routing.queues")
		var editor string
		for id := range org.Objects("users") {
			editor = id // the last one
		}
		require.NoError(t, org.Update("routing.queues", queue, map[string]any{"description": "By the first user"}))
		require.NoError(t, org.As(editor).Update("routing.queues", queue, map[string]any{"name": "Renamed"}))
		require.Equal(t, 200, c.do("PATCH", "/api/v2/routing/queues/"+queue, map[string]any{"description": nil}).status)
		require.NoError(t, org.Delete("flows", firstID(org, "flows")))

		query := map[string]any{
			"interval": start.Format(time.RFC3339) + "/" + start.Add(time.Hour).Format(time.RFC3339), "serviceName": "ContactCenter",
			"filters": []map[string]string{{"property": "EntityId", "value": queue}, {"property": "Action", "value": "Update"}}, "pageSize": 2,
		}
		realtime := func() map[string]any { return c.do("POST", "/api/v2/audits/query/realtime?expand=user", query).json() }
		require.Empty(t, realtime()["entities"], "audits arrive late")
		time.Sleep(3 * time.Minute)
		page := realtime()
		total := int(page["total"].(float64))
		require.GreaterOrEqual(t, total, 3)
		require.Len(t, page["entities"], 2)
		query["pageSize"] = 100
		people := 0
		for _, r := range realtime()["entities"].([]any) {
			require.Empty(t, at(r, "client.id"), "is always empty")
			require.Contains(t, []any{"Queue"}, cmp.Or(at(r, "entityType"), at(r, "entity.type")))
			if at(r, "user.id") == editor {
				people++
				require.NotEmpty(t, at(r, "user.name"))
				change := r.(map[string]any)["propertyChanges"].([]any)[0]
				require.Equal(t, "name", at(change, "property"))
				require.Equal(t, "[Renamed]", at(change, "newValues"))
			}
		}
		require.Equal(t, 1, people)

		query["serviceName"], query["filters"] = "Architect", nil
		asked := c.do("POST", "/api/v2/audits/query", query)
		require.Equal(t, 202, asked.status)
		path := "/api/v2/audits/query/" + asked.field("id")
		for _, want := range []string{"Queued", "Running", "Succeeded"} {
			require.Equal(t, want, c.get(path).field("state"))
			require.Equal(t, want == "Succeeded", c.get(path+"/results").status == 200)
			time.Sleep(5 * time.Second)
		}
		require.Contains(t, string(c.get(path+"/results").body), `"action":"Delete"`)
		require.Contains(t, string(c.get("/api/v2/audits/query/realtime/servicemapping").body), `"ContactCenter"`)
		for _, interval := range []string{"yesterday", start.Add(-31*24*time.Hour).Format(time.RFC3339) + "/" + start.Format(time.RFC3339)} {
			query["interval"] = interval
			require.Equal(t, 400, c.do("POST", "/api/v2/audits/query/realtime", query).status)
		}
	})
}
