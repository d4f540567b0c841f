package environment_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// An org that goes down, falls silent or refuses the login in mid-pass ends the
// pass, and an import, with that error: soon, after few requests and logins, and
// never as the error of one object.
func TestOutages(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	const typ = "integrations.actions"
	disabled := genesystest.LoginRefused(400, "unauthorized_client", "client is disabled")
	for name, test := range map[string]struct {
		happen func(*genesystest.Org) func(*http.Request) (*http.Response, error) // what answers instead, if something does
		is     error
		within time.Duration
	}{
		"down": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("", genesystest.Status(503), -1)
			return nil
		}, genesys.ErrOutage, 90 * time.Second},
		"a gateway's page": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("", genesystest.HTML(502), -1)
			return nil
		}, genesys.ErrOutage, 90 * time.Second},
		"no network": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("", genesystest.Reset(), -1)
			return nil
		}, genesys.ErrOutage, 90 * time.Second},
		"silent": {func(*genesystest.Org) func(*http.Request) (*http.Response, error) { return silent }, genesys.ErrOutage, 100 * time.Second},
		"login refused": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("POST /oauth/token", disabled, -1)
			o.RevokeTokens()
			return nil
		}, genesys.ErrUnauthorized, time.Second},
		"login down": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("POST /oauth/token", genesystest.Status(503), -1)
			o.RevokeTokens()
			return nil
		}, genesys.ErrOutage, 90 * time.Second},
		"address refused": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("", genesystest.AddressRefused(), -1)
			return nil
		}, genesys.ErrUnauthorized, time.Second},
		"one call is down": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("GET /api/v2/integrations/actions/*", genesystest.Status(503), -1)
			return nil
		}, genesys.ErrOutage, 90 * time.Second},
		"no token is taken": {func(o *genesystest.Org) func(*http.Request) (*http.Response, error) {
			o.Fail("", genesystest.EvictedToken(), -1)
			return nil
		}, genesys.ErrUnauthorized, time.Second},
	} {
		for _, first := range []bool{false, true} { // the list is answered before it happens
			t.Run(name+map[bool]string{false: "", true: " at once"}[first], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					counts := few(3)
					counts[typ] = 50
					org := genesystest.New(&genesystest.Options{Counts: counts, RateLimit: -1, MintLimit: -1})
					var instead func(*http.Request) (*http.Response, error)
					armed, requests, logins := false, 0, 0
					var mu sync.Mutex // guards what requests change
					engine := open(t, org, memory.New(), func(o *environment.Options) {
						o.Concurrency = 4
						o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
							mu.Lock()
							if armed && (first || strings.HasPrefix(r.URL.Path, "/api/v2/integrations/actions/")) {
								armed, requests, logins = false, 0, 0
								instead = test.happen(org)
							}
							if requests++; strings.HasPrefix(r.URL.Path, "/oauth/") {
								logins++
							}
							reply := instead
							mu.Unlock()
							if reply != nil {
								return reply(r)
							}
							return org.Transport().RoundTrip(r)
						})
					})
					env := create(t, engine, recordOf(org, typ, "routing.skills", "routing.queues", "groups", "teams", "users", "scripts", "routing.languages"))
					result, err := engine.Import(t.Context(), env.ID, nil)
					require.NoError(t, err)
					require.Empty(t, result.Failed)
					for id := range org.Objects(typ) { // so that each is to be read
						require.NoError(t, org.Update(typ, id, map[string]any{"name": "moved " + id}))
					}
					time.Sleep(time.Hour)

					armed = true
					start := time.Now()
					_, err = engine.Poll(t.Context(), env.ID, typ)
					require.False(t, armed)
					require.ErrorIs(t, err, test.is)
					require.LessOrEqual(t, time.Since(start), test.within)
					require.LessOrEqual(t, requests, 12)
					require.LessOrEqual(t, logins, 5)
					if name == "one call is down" {
						return
					}
					requests, logins = 0, 0
					start = time.Now()
					_, err = engine.Import(t.Context(), env.ID, nil)
					require.ErrorIs(t, err, test.is)
					require.LessOrEqual(t, time.Since(start), 2*test.within)
					require.LessOrEqual(t, requests, 40)
					require.LessOrEqual(t, logins, 20)

					org.Recover()
					instead = nil
					time.Sleep(time.Hour)
					_, err = engine.Import(t.Context(), env.ID, nil)
					require.NoError(t, err)
					require.Len(t, changes(t, engine, env.ID, history.Query{Types: []string{typ}}), 50)
				})
			})
		}
	}
}

// A call of the org whose limit is used up, or whose service is down, costs the other types nothing:
// an import reads them, and soon. That type fails until the call is answered again; it does not
// count as one that the client cannot read, which would be asked for daily.
func TestOneCallThatFailsStopsNobody(t *testing.T) {
	const typ = "routing.queues.members"
	limit := `{"status":429,"code":"too.many.requests","limit":{"key":"queue.members.rate.per.minute","namespace":"routing","value":30}}`
	for name, test := range map[string]struct {
		status      int
		after, body string
		within      time.Duration
	}{
		"limited":              {429, "30", limit, 5 * time.Minute},
		"limited for long":     {429, "600", limit, 20 * time.Minute},
		"limited, no word":     {429, "", "", 2 * time.Minute},
		"timeout":              {408, "", `{}`, 2 * time.Minute},
		"down":                 {503, "30", "", 5 * time.Minute},
		"a gateway in trouble": {502, "", "<html>", 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(&genesystest.Options{Size: 3, Counts: map[string]int{"routing.queues": 25}, RateLimit: -1, LogSize: 1})
				var asked atomic.Int64
				var recovered atomic.Bool
				engine := open(t, org, memory.New(), func(o *environment.Options) {
					o.Concurrency = 1 + len(name)%2
					o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
						if !strings.HasSuffix(r.URL.Path, "/members") || recovered.Load() {
							return org.Transport().RoundTrip(r)
						}
						asked.Add(1)
						w := httptest.NewRecorder()
						w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
						if test.after != "" {
							w.Header().Set("Retry-After", test.after)
						}
						w.WriteHeader(test.status)
						_, _ = w.WriteString(test.body)
						answer := w.Result()
						answer.Request = r
						return answer, nil
					})
				})
				env := create(t, engine, recordOf(org, typ, "routing.skills", "users.queues"))
				began := time.Now()
				result, err := engine.Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
				require.Less(t, time.Since(began), test.within)
				require.LessOrEqual(t, asked.Load(), int64(10))
				require.Len(t, result.Failed, 1)
				require.Equal(t, typ, result.Failed[0].Type)
				require.ErrorContains(t, result.Failed[0].Err, strconv.Itoa(test.status))
				for _, pass := range result.Types {
					require.True(t, pass.Complete, pass.Type)
				}
				recovered.Store(true)
				time.Sleep(10 * time.Minute)
				passes, err := engine.Poll(t.Context(), env.ID, typ)
				require.NoError(t, err)
				require.True(t, passes[0].Complete, passes[0].Unavailable)
				require.Positive(t, passes[0].Objects)
			})
		})
	}
}
