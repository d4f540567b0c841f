package genesys_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

const (
	auditStatus  = "/api/v2/audits/query/*"
	auditResults = "/api/v2/audits/query/*/results"
	auditFiles   = "/downloads/audits/*"
)

// edited makes an org in which a queue was edited n times, and returns how many audit records tell of that.
func edited(tb testing.TB, n int, opts genesystest.Options) (org *genesystest.Org, records int) {
	tb.Helper()
	opts.AuditDelay, opts.AuditNoise = -1, -1
	start := time.Now()
	org = genesystest.New(&opts)
	id, err := org.Create("routing.queues", map[string]any{"name": "Sales"})
	require.NoError(tb, err)
	for i := range n - 1 {
		require.NoError(tb, org.Update("routing.queues", id, map[string]any{"description": strconv.Itoa(i)}))
	}
	for range org.AuditEvents(start.Add(-time.Second)) {
		records++
	}
	return org, records
}

// auditIDs asks for the last hour's records of queues.
func auditIDs(ctx context.Context, c *genesys.Client, q genesys.AuditQuery) (ids map[string]bool, err error) {
	q.Service, q.Since, q.Until = "ContactCenter", time.Now().Add(-time.Hour), time.Now().Add(time.Minute)
	ids = map[string]bool{}
	for r, err := range c.Audits(ctx, q) {
		if err != nil {
			return ids, err
		}
		if ids[r.ID] {
			return ids, fmt.Errorf("%s came twice", r.ID)
		}
		ids[r.ID] = true
	}
	return ids, nil
}

func requestsTo(org *genesystest.Org, prefix string) int {
	n := 0
	for _, r := range org.Requests() {
		if strings.HasPrefix(r.Path, prefix) && (prefix != "/api/" || strings.HasSuffix(r.Path, "/results")) {
			n++
		}
	}
	return n
}

func TestAuditDownloads(t *testing.T) {
	t.Parallel()
	const n = 180 // a page of the API, or three files
	for _, test := range []struct {
		name     string
		download bool
		opts     genesystest.Options
		match    string
		fault    genesystest.Fault
		times    int
		maxBody  int64

		results, files int    // requests
		err            string // "" for all records
	}{
		{name: "not asked for", results: 1},
		{name: "not offered", download: true, opts: genesystest.Options{DownloadAbove: 300}, results: 1},
		{name: "redirect", download: true, results: 3, files: 3},
		{name: "URL", download: true, opts: genesystest.Options{DownloadLinks: true}, results: 3, files: 3},
		{name: "a file is cut", download: true, match: auditFiles, fault: genesystest.CutBody(), times: 1, results: 4, files: 4},
		{name: "a URL has ended", download: true, match: auditFiles, fault: genesystest.Status(403), times: 2, results: 5, files: 5},
		{name: "a given URL has ended", download: true, opts: genesystest.Options{DownloadLinks: true}, match: auditFiles, fault: genesystest.Status(403), times: 2, results: 5, files: 5},
		{name: "files are garbage", download: true, match: auditFiles, fault: genesystest.Garbage(), times: -1, results: 3, files: 3, err: "not JSON"},
		{name: "URLs end on the way", download: true, match: auditFiles, fault: genesystest.Status(403), times: -1, results: 7, files: 7, err: "its download is refused with status 403"},
		{name: "packed files beyond the bound", download: true, maxBody: 2 << 10, results: 1, files: 1, err: "larger than Options.MaxBody"},
		{name: "files beyond the bound", download: true, maxBody: 32 << 10, results: 1, files: 1, err: "larger than Options.MaxBody"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if test.opts.DownloadAbove == 0 {
					test.opts.DownloadAbove = 100
				}
				org, records := edited(t, n, test.opts)
				require.True(t, records > 200 && records <= 300, "%d records", records)
				time.Sleep(time.Minute) // each edit took a millisecond
				if test.match != "" {
					org.Fail(test.match, test.fault, test.times)
				}
				c, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport(), MaxBody: test.maxBody})
				require.NoError(t, err)
				ids, err := auditIDs(t.Context(), c, genesys.AuditQuery{Download: test.download})
				require.Equal(t, test.results, requestsTo(org, "/api/"))
				require.Equal(t, test.files, requestsTo(org, "/downloads/"))
				require.EqualValues(t, len(org.Requests())-1-test.files, c.Stats().Requests, "a file is no request to the API")
				if test.err == "" {
					require.NoError(t, err)
					require.Len(t, ids, records)
					return
				}
				require.ErrorContains(t, err, test.err)
				require.NotErrorIs(t, err, genesys.ErrUnavailable)
				require.NotContains(t, err.Error(), "signature")
			})
		})
	}
}

// TestAuditDownloadsOverSockets has net/http at both ends.
func TestAuditDownloadsOverSockets(t *testing.T) {
	t.Parallel()
	for _, link := range []bool{false, true} {
		t.Run(strconv.FormatBool(link), func(t *testing.T) {
			t.Parallel()
			org, records := edited(t, 3, genesystest.Options{DownloadAbove: 2, DownloadLinks: link})
			server, err := org.Listen(t.Context(), "127.0.0.1:0")
			require.NoError(t, err)
			c, err := genesys.NewClient(server.Config(), nil)
			require.NoError(t, err)
			require.Eventually(t, func() bool { // each edit took a millisecond
				ids, err := auditIDs(t.Context(), c, genesys.AuditQuery{Realtime: true})
				return err == nil && len(ids) == records
			}, time.Minute, time.Millisecond)
			ids, err := auditIDs(t.Context(), c, genesys.AuditQuery{Download: true})
			require.NoError(t, err)
			require.Len(t, ids, records)
			require.Equal(t, (records+1)/2, requestsTo(org, "/downloads/"))
			require.NoError(t, server.Close())
		})
	}
}

// TestAuditStates has one row for each end that a prepared answer can come to.
func TestAuditStates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		match string
		fault genesystest.Fault
		times int
		wait  time.Duration

		err   string // "" for all records
		is    error
		takes time.Duration // at most
	}{
		{name: "at once", match: auditStatus, takes: 2 * time.Second},
		{name: "failed", match: auditStatus, fault: genesystest.QueryState("Failed"), times: -1, err: "ended as Failed", takes: 2 * time.Second},
		{name: "cancelled", match: auditStatus, fault: genesystest.QueryState("CANCELLED"), times: -1, err: "ended as CANCELLED", takes: 2 * time.Second},
		{name: "expired", match: auditStatus, fault: genesystest.QueryState("Expired"), times: -1, err: "ended as Expired", takes: 2 * time.Second},
		{name: "runs a while", match: auditStatus, fault: genesystest.QueryState("Running"), times: 5, takes: 50 * time.Second},
		{name: "runs for ever", match: auditStatus, fault: genesystest.QueryState("Running"), times: -1, err: "not answered within 10m0s", takes: 10 * time.Minute},
		{name: "in an unknown state", match: auditStatus, fault: genesystest.QueryState("Fulfilled"), times: -1, wait: time.Minute, err: "not answered within 1m0s", takes: time.Minute},
		{name: "not visible yet", match: auditStatus, fault: genesystest.Status(404), times: 3, takes: 20 * time.Second},
		{name: "never visible", match: auditStatus, fault: genesystest.Status(404), times: -1, err: "has expired, ask again", is: genesys.ErrNotFound, takes: time.Minute},
		{name: "gone before it was read", match: auditResults, fault: genesystest.Status(404), times: -1, err: "has expired, ask again", is: genesys.ErrNotFound, takes: 2 * time.Second},
		{name: "gone for good", match: auditResults, fault: genesystest.Status(410), times: -1, err: "has expired, ask again", takes: 2 * time.Second},
		{name: "not allowed", match: auditResults, fault: genesystest.Forbidden("audits:audit:view"), times: -1, err: "403", is: genesys.ErrUnavailable, takes: 2 * time.Second},
		{name: "throttled in between", match: auditStatus, fault: genesystest.Throttle(30 * time.Second), times: 1, takes: 40 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org, records := edited(t, 10, genesystest.Options{})
				time.Sleep(time.Minute)
				if test.fault.Name != "" {
					org.Fail(test.match, test.fault, test.times)
				}
				start := time.Now()
				ids, err := auditIDs(t.Context(), newClient(t, org), genesys.AuditQuery{Wait: test.wait})
				require.LessOrEqual(t, time.Since(start), test.takes)
				if test.err == "" {
					require.NoError(t, err)
					require.Len(t, ids, records)
					return
				}
				require.ErrorContains(t, err, test.err)
				if test.is != nil {
					require.ErrorIs(t, err, test.is)
				}
				require.Equal(t, errors.Is(test.is, genesys.ErrUnavailable), errors.Is(err, genesys.ErrUnavailable))
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		org, _ := edited(t, 10, genesystest.Options{})
		org.Fail(auditStatus, genesystest.QueryState("Running"), -1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		_, err := auditIDs(ctx, newClient(t, org), genesys.AuditQuery{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 20*time.Second, time.Since(start), "the caller's patience counts, too")
	})
}

// TestAuditDownloadsAreAnonymous looks at what another host gets to see, and at
// which hosts are gone to.
func TestAuditDownloadsAreAnonymous(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		api, place string
		goes       bool
	}{
		{"https://api.mypurecloud.ie", "https://files.example/a?signature=s1", true},
		{"https://api.mypurecloud.ie", "https://api.mypurecloud.ie:444/a", true},
		{"https://api.mypurecloud.ie", "http://files.example/a?signature=s1", false},
		{"https://api.mypurecloud.ie", "http://api.mypurecloud.ie/a", false},
		{"https://api.mypurecloud.ie", "http://127.0.0.1/a", false},
		{"https://api.mypurecloud.ie", "file:///etc/passwd", false},
		{"https://api.mypurecloud.ie", "https://files.example/%zz?signature=s1", false},
		{"http://127.0.0.1:8080", "http://localhost:8080/a", true},
		{"http://127.0.0.1:8080", "http://files.example/a", false},
	} {
		for _, link := range []bool{false, true} {
			for _, allowed := range []bool{true, false} {
				var seen []http.Header
				c, err := genesys.NewClient(genesys.Config{BaseURL: test.api, ClientID: "id", ClientSecret: "secret"}, &genesys.Options{
					MaxRetries: -1,
					Transport: auditService(test.place, link, func(r *http.Request) {
						seen = append(seen, r.Header)
					}),
				})
				require.NoError(t, err)
				if allowed {
					ids, err := auditIDs(t.Context(), c, genesys.AuditQuery{Download: true})
					require.Equal(t, test.goes, err == nil, "%+v: %v", test, err)
					require.Equal(t, test.goes, len(ids) == 1)
					if err != nil {
						require.NotContains(t, err.Error(), "s1")
					}
				} else {
					var v any
					err := c.GetJSON(t.Context(), "/api/v2/audits/query/q/results", &v)
					require.Equal(t, link, err == nil, "nothing else is followed: %v", err)
				}
				if !allowed || !test.goes {
					require.Empty(t, seen, "%+v", test)
					continue
				}
				require.Len(t, seen, 1)
				for _, name := range []string{"Authorization", "Referer", "Cookie"} {
					require.Empty(t, seen[0].Values(name))
				}
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// auditService has one audit record, which it keeps at another place.
func auditService(place string, link bool, elsewhere func(*http.Request)) http.RoundTripper {
	answer := func(r *http.Request, status int, body string, headers ...string) (*http.Response, error) {
		resp, err := canned(body).RoundTrip(r)
		resp.StatusCode = status
		for i := 0; i < len(headers); i += 2 {
			resp.Header.Set(headers[i], headers[i+1])
		}
		return resp, err
	}
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Path == "/oauth/token":
			return answer(r, 200, "")
		case strings.HasSuffix(r.URL.Path, "/results") && link:
			return answer(r, 200, fmt.Sprintf(`{"id":"q","downloadUrl":%q}`, place))
		case strings.HasSuffix(r.URL.Path, "/results"):
			return answer(r, 307, "", "Location", place)
		case r.Method == http.MethodPost:
			return answer(r, 202, `{"id":"q","state":"Succeeded"}`)
		}
		elsewhere(r)
		return answer(r, 200, `{"entities":[{"id":"1","serviceName":"ContactCenter"}]}`)
	})
}
