package genesystest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/internal/bounded"
)

// FuzzRequests sends whatever a client may send. Each request has an answer, and a success is JSON.
func FuzzRequests(f *testing.F) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	c := newCaller(f, org)
	for _, s := range [][3]string{
		{"GET", "/api/v2/users?pageNumber=4611686018427387904&pageSize=4", ""},
		{"GET", "/api/v2/teams?pageSize=2&after=AAAAAAAAAAAAAAAA", ""},
		{"GET", "/api%2Fv2%2F", ""},
		{"GET", "/api/v2/flows/" + firstID(org, "flows") + "/versions/1.0", ""},
		{"PATCH", "/api/v2/routing/queues/" + firstID(org, "routing.queues"), `{"name":{"a":[1,{}]},"division":null}`},
		{"POST", "/api/v2/routing/queues", `{"name":7,"id":[]}`},
		{"POST", "/api/v2/users/search", `{"query":[{"type":"EXACT","fields":["name"],"value":"x"}],"pageNumber":9223372036854775807}`},
		{"POST", "/api/v2/audits/query", `{"interval":"2020-01-01T00:00:00Z/2030-01-01T00:00:00Z","serviceName":"Routing"}`},
		{"POST", "/api/v2/audits/query/realtime", `{"interval":"2020-01-01T00:00:00Z/2030-01-01T00:00:00Z","serviceName":"Routing","pageNumber":4611686018427387904,"pageSize":4}`},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, method, uri, body string) {
		defer bounded.Start(t)()
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			t.Skip("no request of HTTP")
		}
		r := &http.Request{
			Method: method, URL: u, Body: io.NopCloser(strings.NewReader(body)),
			Header: http.Header{"Authorization": {"Bearer " + c.token}},
		}
		w := httptest.NewRecorder()
		org.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code/100 == 2 && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s", w.Body)
		}
	})
}
