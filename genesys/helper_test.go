package genesys

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A service answers requests in memory; it hands out the tokens t1, t2 ...
type service struct {
	handle func(r *http.Request) *http.Response // API requests that carry a valid token

	mu      sync.Mutex
	minted  int
	revoked map[string]bool
	login   func(n int) *http.Response // nil: a token
	log     []string                   // API requests: "GET /path?query"
}

const testSecret = "s3cr3t-value/+"

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/oauth/token" {
		s.minted++
		if s.login != nil {
			return s.login(s.minted), nil
		}
		return answer(200, fmt.Sprintf(`{"access_token":"t%d","token_type":"bearer","expires_in":86400}`, s.minted)), nil
	}
	s.log = append(s.log, r.Method+" "+r.URL.RequestURI())
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !strings.HasPrefix(token, "t") || s.revoked[token] {
		return answer(401, `{"code":"bad.credentials","message":"Invalid login credentials.","status":401}`), nil
	}
	return s.handle(r), nil
}

func (s *service) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

func answer(status int, body string, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}, "Inin-Correlation-Id": {"corr-1"}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

// newTestClient returns a client of a service that answers with handle.
func newTestClient(tb testing.TB, handle func(r *http.Request) *http.Response, change ...func(*Options)) (*Client, *service) {
	tb.Helper()
	s := &service{handle: handle, revoked: map[string]bool{}}
	opts := &Options{Transport: s, RetryWaitMin: time.Microsecond, RetryWaitMax: time.Millisecond}
	for _, f := range change {
		f(opts)
	}
	c, err := NewClient(Config{BaseURL: "http://127.0.0.1", ClientID: "id-1", ClientSecret: testSecret}, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return c, s
}

// collect runs a walk to its end.
func collect(ctx context.Context, c *Client, typ ObjectType) (objects []Object, err error) {
	for o, e := range c.List(ctx, typ) {
		if e != nil {
			err = e
			continue
		}
		objects = append(objects, o)
	}
	return objects, err
}

func ids(objects []Object) string {
	var all []string
	for _, o := range objects {
		all = append(all, o.ID)
	}
	return strings.Join(all, " ")
}

// things is a paged type of tests.
func things(size int) ObjectType {
	return ObjectType{
		Name: "things", Label: "Things", Path: "/api/v2/things", Paging: PagingPage, PageSize: size,
		Items: "entities", ID: []string{"id"}, Title: "name", Get: "/api/v2/things/{thingId}",
	}
}
