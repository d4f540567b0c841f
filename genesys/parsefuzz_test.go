package genesys

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

// FuzzAudits lists audit records from whatever the service answers: each record once, at most one error, which is the
// end, and no endless walk.
func FuzzAudits(f *testing.F) {
	record := `{"id":"a1","serviceName":"Routing","eventDate":"2026-11-20T08:15:30.123Z","action":"Update","status":"SUCCESS","entityType":"Queue",` +
		`"entity":{"id":"q1","name":"Sales"},"user":{"id":"u1"},"remoteIp":["192.0.2.1"],"propertyChanges":[{"property":"name","oldValues":["a"],"newValues":["b"]}]}`
	f.Add(`{"id":"query-1","state":"Succeeded"}`, `{"entities":[`+record+`],"pageSize":500}`, false)
	f.Add(`{"id":"query-1","state":"Queued"}`, `{"id":"query-1","state":"Succeeded","entities":[`+record+`,`+record+`],"cursor":"next"}`, false)
	f.Add(`{"entities":[`+record+`],"pageNumber":1,"total":2,"pageCount":2}`, `{"entities":[{"id":"a2","eventDate":"yesterday"}],"total":2}`, true)
	f.Add(`{"id":"","state":7}`, `[]`, false)
	f.Add(`{"id":"x","state":"failed"}`, ``, false)
	since := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, first, second string, realtime bool) {
		defer bounded.Start(t)()
		c, s := newTestClient(t, pages(first, second), func(o *Options) { o.MaxRetries = -1 })
		q := AuditQuery{Service: "Routing", Since: since, Until: since.Add(time.Hour), Realtime: realtime, Wait: 5 * time.Millisecond}
		records, failed := 0, false
		for r, err := range c.Audits(t.Context(), q) {
			if failed {
				t.Fatalf("%+v, %v after the error", r, err)
			}
			if failed = err != nil; failed {
				continue
			}
			records++
			if text, err := json.Marshal(r); err != nil {
				t.Fatalf("%s, %v", text, err)
			}
		}
		// A record takes a brace, and a page has its own.
		if most := strings.Count(first, "{") + 50*strings.Count(second, "{"); records > most || len(s.requests()) > 50 {
			t.Fatalf("%d records in %d requests", records, len(s.requests()))
		}
	})
}

// FuzzGrants reads grants, and holds what they allow against regular expressions made of them.
func FuzzGrants(f *testing.F) {
	f.Add(`{"grants":[{"division":{"id":"d1"},"role":{"policies":[{"domain":"routing","entityName":"queue","actions":["view","edit"]}]}}]}`,
		`{"entities":[{"domain":"routing","permissionMap":{"queue":[{"action":"view","divisionAware":true}]}}],"total":1,"pageCount":1}`)
	f.Add(`{"grants":[{"division":{"id":"*"},"role":{"policies":[{"domain":"*","entityName":"*","actions":["*"]}]}},{}]}`, `{"entities":[]}`)
	f.Add(`{"grants":[{"division":{},"role":{"policies":[{"domain":"Routing","entityName":"*","actions":[]},{"domain":".*","entityName":"q:ueue","actions":["VIEW"]}]}}]}`, `{}`)
	f.Add(`{"grants":7}`, `{"entities":[{"domain":{},"permissionMap":[]}]}`)
	f.Add(``, `<html>`)
	probes := []string{"routing:queue:view", "architect:flow:view", "routing::", "", "routing", "a:b:c:d"}
	f.Fuzz(func(t *testing.T, grants, catalogue string) {
		defer bounded.Start(t)()
		c, _ := newTestClient(t, func(r *http.Request) *http.Response {
			switch r.URL.Path {
			case "/api/v2/authorization/subjects/me":
				return answer(200, grants)
			case "/api/v2/authorization/permissions":
				return answer(200, catalogue)
			}
			return answer(404, `{"code":"not.found"}`)
		}, func(o *Options) { o.MaxRetries = -1 })
		p, err := c.Grants(t.Context())
		if err != nil {
			return
		}
		var s subject
		if dropped, _, err := clean([]byte(grants), nil); err == nil {
			_ = json.Unmarshal(dropped, &s)
		}
		var patterns, divisions []string
		for _, g := range s.Grants {
			for _, policy := range g.Role.Policies {
				divisions = append(divisions, g.Division.ID)
				for _, action := range policy.Actions {
					patterns = append(patterns, part(policy.Domain)+":"+part(policy.EntityName)+":"+last(action))
				}
			}
		}
		if p.Known() && len(divisions) == 0 || !p.Known() && len(p.grants) > 0 {
			t.Fatalf("known is %v with %d policies", p.Known(), len(divisions))
		}
		for _, probe := range probes {
			want := false
			for _, pattern := range patterns {
				want = want || matchesPattern(pattern, probe)
			}
			if got := p.Has(probe); p.Known() && got != want {
				t.Fatalf("%q is %v, the reference says %v of %q", probe, got, want, patterns)
			}
		}
		whole, err := c.Permissions(t.Context())
		if err != nil {
			return
		}
		queues, _ := DefaultCatalogue().Lookup("routing.queues")
		verdict, missing := whole.Allows(queues)
		require.Equal(t, verdict == VerdictMissing || verdict == VerdictNotInOrg, len(missing) > 0)
		if coverage := whole.Coverage(queues); coverage.AllDivisions {
			require.Empty(t, coverage.Divisions)
		}
	})
}

// part returns the expression for the domain or the entity of a policy.
func part(s string) string {
	if s == "*" {
		return "[^:]*"
	}
	return "(?i:" + regexp.QuoteMeta(s) + ")"
}

func last(s string) string {
	if s == "*" {
		return "(?s:.*)"
	}
	return part(s)
}

func matchesPattern(pattern, s string) bool {
	for strings.Count(s, ":") < 2 {
		s += ":"
	}
	re, err := regexp.Compile("^" + pattern + "$")
	return err == nil && re.MatchString(s)
}

// FuzzObjectType adds a type that a user may describe. It is refused when the client is made, or it lists and reads
// without leaving the API, by reading requests only, and comes to an end.
func FuzzObjectType(f *testing.F) {
	for _, t := range []ObjectType{things(2), nextURI(), list()} {
		text, err := json.Marshal(t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "a/b", `{"entities":[{"id":"x","name":"y"}],"nextUri":"/api/v2/x?after=1","total":1}`)
	}
	for _, s := range []string{
		`{"Name":"s","Label":"S","Path":"/api/v2/search","Method":"POST","Paging":"search","Token":"after=after","PageSize":10,"Items":"a.b","ID":["x","y.z"],"Body":"\"q\":1"}`,
		`{"Name":"s","Label":"S","Path":"/api/v2/{a=b}/../{c}?d={e}","Paging":"singleton","Variants":["a=b","c=d"],"Get":"/api/v2/..//{x}"}`,
		`{"Name":"c","Label":"C","Path":"/api/v2/c#{","Paging":"cursor","Token":"cursor=cursors.after","PageSize":1,"Items":".","ID":["."],"Split":["","&","a=b"],"Sets":["..","*"]}`,
		`{"Name":"n","Label":"N","Path":"/api/v2/ \n","Paging":"none","Items":"entities","ID":[""],"Parent":"users","Marker":["..","a"]}`,
	} {
		f.Add([]byte(s), "", `[{"x":1,"y":{"z":"2"}},"s",null]`)
	}
	f.Fuzz(func(t *testing.T, row []byte, id, body string) {
		defer bounded.Start(t)()
		var typ ObjectType
		if json.Unmarshal(row, &typ) != nil || len(typ.Variants) > 5 || len(typ.Split) > 5 {
			t.Skip("not a row, or one that rightly takes long")
		}
		var sent []*http.Request
		s := &service{handle: func(r *http.Request) *http.Response {
			sent = append(sent, r)
			return answer(200, body)
		}}
		catalogue, err := DefaultCatalogue().With(typ)
		if err != nil {
			require.Regexp(t, "^genesys: ", err.Error())
			return
		}
		opts := &Options{Transport: s, Catalogue: catalogue, MaxRetries: -1, RetryWaitMin: time.Microsecond, RetryWaitMax: time.Millisecond}
		c, err := NewClient(Config{BaseURL: "http://127.0.0.1", ClientID: "id-1", ClientSecret: testSecret}, opts)
		if err != nil {
			require.Regexp(t, "^genesys: ", err.Error())
			return
		}
		own, ok := catalogue.Lookup(typ.Name)
		require.True(t, ok)
		seen := map[string]bool{}
		for o, err := range c.List(t.Context(), own) {
			if err != nil {
				break
			}
			require.False(t, seen[o.ID], "%q came twice", o.ID)
			seen[o.ID] = true
			require.True(t, json.Valid(o.Body))
		}
		for _, err := range c.Children(t.Context(), own, Object{ID: id, Body: []byte(body)}) {
			if err != nil {
				break
			}
		}
		if o, err := c.Get(t.Context(), own, Object{ID: id}); err == nil {
			require.True(t, json.Valid(o.Body))
		}
		require.Less(t, len(sent), 1000)
		for _, r := range sent {
			if r.Method != http.MethodGet && r.Method != http.MethodPost || r.URL.Host != "127.0.0.1" || !strings.HasPrefix(r.URL.Path, "/api/v2/") {
				t.Fatalf("%s %s", r.Method, r.URL)
			}
		}
	})
}

// FuzzToken has the login service answer anything. The API is asked with a token that was given and with no other, and
// no error tells the secret.
func FuzzToken(f *testing.F) {
	f.Add(200, `{"access_token":"t1","token_type":"bearer","expires_in":86400}`)
	f.Add(200, `{"access_token":"t1","expires_in":"1"}`)
	f.Add(200, `{"access_token":"","expires_in":-1}`)
	f.Add(200, `{"access_token":["t1"],"error":"x"}`)
	f.Add(400, `{"error":"invalid_client","description":"no client with `+testSecret+`"}`)
	f.Add(503, `<html><title>`+testSecret+`</title>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		defer bounded.Start(t)()
		if status < 200 || status > 599 {
			t.Skip("not a final status of HTTP")
		}
		asked := 0
		c, s := newTestClient(t, func(*http.Request) *http.Response {
			asked++
			return answer(200, `{}`)
		}, func(o *Options) { o.MaxRetries = -1 })
		s.login = func(int) *http.Response { return answer(status, body) }
		err := get(t.Context(), c)
		if s.minted < 1 || s.minted > 2 {
			t.Fatalf("asked for %d tokens", s.minted)
		}
		if err == nil {
			if asked != 1 || status/100 != 2 {
				t.Fatalf("status %d: %d requests", status, asked)
			}
			return
		}
		if asked != 0 {
			t.Fatalf("the API was asked without a token: %v", err)
		}
		if strings.Contains(err.Error(), testSecret) {
			t.Fatalf("the secret is in the error: %v", err)
		}
		if refusal, ok := errors.AsType[*AuthError](err); ok && (refusal.Reason == "" || refusal.Remedy == "") {
			t.Fatalf("%#v", refusal)
		}
	})
}
