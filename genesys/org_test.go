package genesys_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

func newClient(tb testing.TB, org *genesystest.Org) *genesys.Client {
	tb.Helper()
	c, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func typeNamed(tb testing.TB, name string) genesys.ObjectType {
	tb.Helper()
	typ, found := genesys.DefaultCatalogue().Lookup(name)
	if !found {
		tb.Fatal(name)
	}
	return typ
}

func drain(ctx context.Context, c *genesys.Client, typ genesys.ObjectType) (n int, err error) {
	for _, err := range c.List(ctx, typ) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// TestAnswersToFaults has one row for each way in which the local org can
// misbehave, and says how a walk over 90 objects in pages of 25 ends.
func TestAnswersToFaults(t *testing.T) {
	t.Parallel()
	const n = 90
	numbers, cursors := typeNamed(t, "routing.queues"), typeNamed(t, "teams")
	whole := func(_ int, err error) bool { return err == nil }
	is := func(target error) func(int, error) bool {
		return func(_ int, err error) bool { return errors.Is(err, target) }
	}
	status := func(code int) func(int, error) bool {
		return func(_ int, err error) bool {
			e, is := errors.AsType[*genesys.APIError](err)
			return is && e.Status == code
		}
	}
	incomplete := func(reason string) func(int, error) bool {
		return func(_ int, err error) bool {
			e, is := errors.AsType[*genesys.IncompleteError](err)
			return is && strings.Contains(e.Reason, reason)
		}
	}
	refused := func(reason genesys.AuthReason) func(int, error) bool {
		return func(_ int, err error) bool {
			e, is := errors.AsType[*genesys.AuthError](err)
			return is && e.Reason == reason
		}
	}
	const everyPage, pageThree, login = "routing.queues", "/api/v2/routing/queues?pageNumber=3", "POST /oauth/token"
	for _, test := range []struct {
		name  string
		t     genesys.ObjectType
		match string
		fault genesystest.Fault
		times int
		ends  func(yielded int, err error) bool
	}{
		{"throttled", numbers, everyPage, genesystest.Throttle(90 * time.Second), 2, whole},
		{"throttled for too long", numbers, everyPage, genesystest.Throttle(time.Hour), 1, status(429)},
		{"429 without more", numbers, everyPage, genesystest.Status(429), 2, whole},
		{"408", numbers, everyPage, genesystest.Status(408), 1, whole},
		{"500", numbers, everyPage, genesystest.Status(500), 1, whole},
		{"503 for ever", numbers, everyPage, genesystest.Status(503), -1, status(503)},
		{"404", numbers, everyPage, genesystest.Status(404), -1, is(genesys.ErrUnavailable)},
		{"html", numbers, everyPage, genesystest.HTML(502), 2, whole},
		{"html for ever", numbers, everyPage, genesystest.HTML(504), -1, status(504)},
		{"resets", numbers, everyPage, genesystest.Reset(), 2, whole},
		{"cut bodies", numbers, everyPage, genesystest.CutBody(), 2, whole},
		{"slow body", numbers, everyPage, genesystest.SlowBody(time.Minute), 2, whole},
		{"stuck body", numbers, everyPage, genesystest.SlowBody(time.Hour), 1, whole},
		{"garbage", numbers, everyPage, genesystest.Garbage(), 2, whole},
		{"evicted token", numbers, pageThree, genesystest.EvictedToken(), 1, whole},
		{"expired token", numbers, pageThree, genesystest.ExpiredToken(), 1, whole},
		{"no token is good enough", numbers, pageThree, genesystest.EvictedToken(), -1, refused(genesys.AuthTokenRejected)},
		{"address refused", numbers, pageThree, genesystest.AddressRefused(), -1, refused(genesys.AuthIPNotAllowed)},
		{"login fails once", numbers, login, genesystest.Status(500), 1, whole},
		{"login throttled once", numbers, login, genesystest.LoginRefused(400, "invalid_request", "rate limit exceeded; wait"), 1, whole},
		{"login refused", numbers, login, genesystest.LoginRefused(400, "unauthorized_client", "client is disabled"), -1, refused(genesys.AuthGrantType)},
		{"forbidden", numbers, everyPage, genesystest.Forbidden("routing:queue:view"), -1, is(genesys.ErrUnavailable)},
		{"feature off", numbers, everyPage, genesystest.FeatureOff(), -1, is(genesys.ErrUnavailable)},
		{"too large", numbers, everyPage, genesystest.TooLarge(10), -1, whole},
		{"page size refused", numbers, everyPage, genesystest.PageSizeRefused(30), -1, whole},
		{"a ceiling below a thousand is an error like others", numbers, everyPage, genesystest.Ceiling(50), -1, status(400)},
		{"lost page", numbers, pageThree, genesystest.LostPage(), -1, incomplete("65 objects of a total of 90")},
		{"page lost once", numbers, pageThree, genesystest.LostPage(), 1, whole},
		{"repeated page", numbers, pageThree, genesystest.RepeatedPage(), -1, incomplete("page 3 repeats")},
		{"shifted once", numbers, pageThree, genesystest.Shift(1), 1, whole},
		{"shifted back once", numbers, pageThree, genesystest.Shift(-1), 1, whole},
		{"shifted for ever", numbers, pageThree, genesystest.Shift(1), -1, incomplete("89 objects of a total of 90")},
		{"wrong total", numbers, everyPage, genesystest.WrongTotal(3), -1, incomplete("90 objects of a total of 93")},
		{"wrong total once", numbers, pageThree, genesystest.WrongTotal(3), 1, whole},
		{"a total of another form", numbers, everyPage, genesystest.Announce("total", `"90"`), -1, incomplete("total is")},
		{"no totals", numbers, everyPage, genesystest.NoTotals(), -1, whole},
		{"too large, by cursor", cursors, "teams", genesystest.TooLarge(10), -1, whole},
		{"short pages", cursors, "teams", genesystest.ShortPage(), 3, whole},
		{"empty pages", cursors, "teams", genesystest.EmptyPage(), 2, incomplete("read already")},
		{"repeated cursor", cursors, "teams", genesystest.RepeatedCursor(), -1, incomplete("page 2 ")},
		{"endless", cursors, "teams", genesystest.Endless(), -1, func(_ int, err error) bool { return err != nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(&genesystest.Options{Counts: map[string]int{"routing.queues": n, "teams": n}})
				org.Fail(test.match, test.fault, test.times)
				test.t.PageSize = 25
				if strings.Contains(test.name, "size refused") {
					test.t.PageSize = 50
				}
				got, err := drain(t.Context(), newClient(t, org), test.t)
				require.True(t, test.ends(got, err), "%d objects, then %v", got, err)
				require.LessOrEqual(t, got, n)
				if err == nil {
					require.Equal(t, n, got, "a walk without an error saw everything")
				}
			})
		})
	}
}

func TestRevokedTokensDoNotEndAWalk(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Counts: map[string]int{"routing.queues": 90}})
	c := newClient(t, org)
	typ := typeNamed(t, "routing.queues")
	typ.PageSize = 25
	n := 0
	for _, err := range c.List(t.Context(), typ) {
		require.NoError(t, err)
		if n++; n%25 == 0 {
			org.RevokeTokens()
		}
	}
	require.Equal(t, 90, n)
	require.EqualValues(t, 4, c.Stats().Tokens)
}

func TestRateWindowIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{RateLimit: 3, Counts: map[string]int{"routing.queues": 175}})
		typ := typeNamed(t, "routing.queues")
		typ.PageSize = 25
		start := time.Now()
		n, err := drain(t.Context(), newClient(t, org), typ)
		require.NoError(t, err)
		require.Equal(t, 175, n)
		require.Greater(t, time.Since(start), 2*time.Minute, "7 requests at 3 a minute")
		require.Less(t, time.Since(start), 3*time.Minute)
	})
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	queues, wrapups, flows, scopes := typeNamed(t, "routing.queues"), typeNamed(t, "routing.wrapupcodes"), typeNamed(t, "flows"), typeNamed(t, "authorization.divisions")
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	c := newClient(t, org)
	p, err := c.Permissions(t.Context())
	require.NoError(t, err)
	require.True(t, p.Known())
	for typ := range c.Catalogue().All() {
		v, missing := p.Allows(typ)
		require.Equal(t, genesys.VerdictAllowed, v, typ.Name)
		require.Empty(t, missing)
		if typ.Parent == "" {
			require.NoError(t, firstError(c.List(t.Context(), typ)), typ.Name)
		}
	}
	require.True(t, p.Coverage(queues).AllDivisions)

	var divisions []string
	for id := range org.Objects("authorization.divisions") {
		divisions = append(divisions, id)
	}
	org.SetPermissions("routing:queue:view", "architect:flow:*", "authorization:*:*")
	org.SetDivisions(divisions[0])
	p, err = c.Permissions(t.Context())
	require.NoError(t, err)
	for _, test := range []struct {
		t    genesys.ObjectType
		want genesys.Verdict
	}{{queues, genesys.VerdictAllowed}, {flows, genesys.VerdictAllowed}, {wrapups, genesys.VerdictMissing}, {scopes, genesys.VerdictAllowed}, {typeNamed(t, "routing.skills"), genesys.VerdictMissing}} {
		v, missing := p.Allows(test.t)
		require.Equal(t, test.want, v, test.t.Name)
		require.Equal(t, test.want == genesys.VerdictMissing, len(missing) > 0)
		require.Equal(t, test.want == genesys.VerdictMissing, errors.Is(firstError(c.List(t.Context(), test.t)), genesys.ErrUnavailable), "the service says the same of %s", test.t.Name)
	}
	coverage := p.Coverage(queues)
	require.False(t, coverage.AllDivisions)
	require.Equal(t, divisions[:1], coverage.Divisions)

	for _, closed := range []string{"/api/v2/authorization/subjects/me", "/api/v2/authorization/subjects/*"} {
		org.Fail(closed, genesystest.Status(403), -1)
		p, err = c.Permissions(t.Context())
		require.NoError(t, err)
		require.True(t, p.Known(), closed)
		require.True(t, p.Has("routing:queue:view"), closed)
		require.False(t, p.Has("routing:skill:view"), closed)
		require.Equal(t, divisions[:1], p.Coverage(queues).Divisions, closed)
	}
	org.Fail("/api/v2/authorization/*", genesystest.Status(403), -1)
	org.Fail("/api/v2/authorization/*/*", genesystest.Status(403), -1)
	p, err = c.Permissions(t.Context())
	require.NoError(t, err, "an org that does not tell is no error")
	require.False(t, p.Known())
	v, _ := p.Allows(queues)
	require.Equal(t, genesys.VerdictUnknown, v)
}

func TestAudits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{AuditDelay: 30 * time.Second})
		c := newClient(t, org)
		start := time.Now()
		id, err := org.Create("routing.queues", map[string]any{"name": "Sales"})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		for range 5 {
			require.NoError(t, org.Touch("routing.queues", id))
		}
		time.Sleep(time.Minute)
		const service = "ContactCenter"
		for _, realtime := range []bool{true, false} {
			asked := time.Now()
			var records []genesys.AuditRecord
			for r, err := range c.Audits(t.Context(), genesys.AuditQuery{
				Service: service, Since: start.Add(-13 * 24 * time.Hour), Until: time.Now(), Realtime: realtime, EntityID: id,
			}) {
				require.NoError(t, err)
				records = append(records, r)
			}
			require.NotEmpty(t, records)
			require.Equal(t, !realtime, time.Since(asked) > 20*time.Second, "the prepared answer is waited for")
			for _, r := range records {
				require.Equal(t, id, r.Entity.ID)
				require.Equal(t, "Queue", r.Entity.Type)
				require.False(t, r.Time.Before(start))
			}
		}
		for _, err := range c.Audits(t.Context(), genesys.AuditQuery{Service: service}) {
			require.ErrorContains(t, err, "Since")
		}
		org.SetPermissions("routing:queue:view")
		for _, err := range c.Audits(t.Context(), genesys.AuditQuery{Service: service, Since: start, Until: time.Now()}) {
			require.ErrorIs(t, err, genesys.ErrUnavailable)
		}
	})
}

func TestOrganizationAndAccess(t *testing.T) {
	org := genesystest.New(nil)
	c := newClient(t, org)
	o, err := c.Organization(t.Context())
	require.NoError(t, err)
	require.Equal(t, org.ID(), o.ID)
	require.NotEmpty(t, o.Name)
	a, err := c.Access(t.Context())
	require.NoError(t, err)
	require.Equal(t, genesystest.ClientID, a.Client.ID)
	require.Equal(t, "*", a.Client.Grants[0].DivisionID)
	require.Equal(t, org.ID(), a.Organization.ID)
}

// TestGetAgreesWithList reads one object of every type the way it was listed.
func TestGetAgreesWithList(t *testing.T) {
	t.Parallel()
	org := genesystest.New(&genesystest.Options{RateLimit: -1, Size: 3})
	c := newClient(t, org)
	parents := map[string]genesys.Object{}
	var visit func(typ genesys.ObjectType)
	visit = func(typ genesys.ObjectType) {
		if _, done := parents[typ.Name]; done {
			return
		}
		walk := c.List(t.Context(), typ)
		if typ.Parent != "" {
			visit(typeNamed(t, typ.Parent))
			parent := parents[typ.Parent]
			if parent.ID == "" {
				return
			}
			walk = c.Children(t.Context(), typ, parent)
		}
		for o, err := range walk {
			require.NoError(t, err, typ.Name)
			got, err := c.Get(t.Context(), typ, o)
			if errors.Is(err, genesys.ErrNoGet) {
				parents[typ.Name] = o
				break
			}
			require.NoError(t, err, "%s %s", typ.Name, o.ID)
			require.Equal(t, o.ID, got.ID)
			require.Equal(t, o.Parent, got.Parent, typ.Name)
			// Each identity provider has a model of its own; that of one credential has no dates.
			if typ.Whole && typ.Name != "identityproviders" && typ.Name != "integrations.credentials" {
				require.JSONEq(t, string(o.Body), string(got.Body), typ.Name)
			}
			parents[typ.Name] = o
			break
		}
	}
	for typ := range c.Catalogue().All() {
		visit(typ)
	}
	require.Greater(t, len(parents), 300)
}

// A type that this client may not read is no reason to give up on the others.
func ExampleAPIError() {
	org := genesystest.New(&genesystest.Options{Permissions: []string{"routing:queue:view"}})
	client, _ := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	flows, _ := client.Catalogue().Lookup("flows")
	for _, err := range client.List(context.Background(), flows) {
		if refusal, ok := errors.AsType[*genesys.APIError](err); ok && errors.Is(err, genesys.ErrUnavailable) {
			fmt.Println(refusal.Status, refusal.Code, refusal.MissingPermissions)
		}
	}
	// Output: 403 missing.permissions [architect:flow:view]
}

// A type that the catalogue has not is described, and then listed like any other.
func ExampleCatalogue_With() {
	moods := genesys.ObjectType{
		Name: "example.moods", Label: "Moods", Path: "/api/v2/example/moods",
		Paging: genesys.PagingPage, PageSize: 100, Items: "entities", ID: []string{"id"}, Title: "name", Whole: true,
	}
	answer := `{"entities":[{"id":"1","name":"calm"},{"id":"2","name":"busy"}],"pageCount":1,"total":2}`
	catalogue, err := genesys.DefaultCatalogue().With(moods)
	if err != nil {
		panic(err)
	}
	client, err := genesys.NewClient(
		genesys.Config{BaseURL: "http://localhost", ClientID: "id", ClientSecret: "secret"},
		&genesys.Options{Catalogue: catalogue, Transport: canned(answer)},
	)
	if err != nil {
		panic(err)
	}
	typ, _ := catalogue.Lookup("Moods")
	for mood, err := range client.List(context.Background(), typ) {
		fmt.Println(mood.ID, mood.Name, string(mood.Body), err)
	}
	// Output:
	// 1 calm {"id":"1","name":"calm"} <nil>
	// 2 busy {"id":"2","name":"busy"} <nil>
}

// canned answers every API request with the same body.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	body := string(c)
	if r.URL.Path == "/oauth/token" {
		body = `{"access_token":"t","expires_in":86400}`
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: readCloser{strings.NewReader(body)}, Request: r}, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// firstError is what a list begins with, if that is an error.
func firstError(list iter.Seq2[genesys.Object, error]) error {
	for _, err := range list {
		return err
	}
	return nil
}
