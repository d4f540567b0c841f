package console_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/console"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// A world is an org, an engine that keeps it, and the console of that.
type world struct {
	org     *genesystest.Org
	store   storage.Store
	engine  *environment.Engine
	env     environment.Record
	handler http.Handler
	audited int // how often audits were taken in
}

var types = []string{"routing.queues", "routing.skills", "routing.wrapupcodes", "users"}

func newWorld(t *testing.T, opts *console.Options, edit func(*environment.Options)) *world {
	t.Helper()
	w := &world{org: genesystest.New(nil), store: memory.New()}
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	o := &environment.Options{Vault: vault, Transport: w.org.Transport()}
	if edit != nil {
		edit(o)
	}
	w.engine, err = environment.Open(w.store, o)
	require.NoError(t, err)
	w.env, err = w.engine.Create(t.Context(), environment.Record{
		Name: "Contoso <img src=x>&amp;", BaseURL: w.org.BaseURL(), ClientID: genesystest.ClientID,
		ClientSecret: environment.NewSecret(genesystest.ClientSecret), RateLimitMinute: 250, Types: types,
	})
	require.NoError(t, err)
	w.handler, err = console.New(w.engine, opts)
	require.NoError(t, err)
	return w
}

func (w *world) poll(t *testing.T) {
	t.Helper()
	_, err := w.engine.Poll(t.Context(), w.env.ID)
	require.NoError(t, err)
}

// queue returns the first queue.
func (w *world) queue() string {
	for id := range w.org.Objects("routing.queues") {
		return id
	}
	return ""
}

func get(t *testing.T, h http.Handler, address string, edit func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+address, nil)
	if edit != nil {
		edit(r)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

var link = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

// shape is what pages of one kind have in common: the path without numbers, and which parameters.
func shape(u *url.URL) string {
	return regexp.MustCompile(`\d+`).ReplaceAllString(path.Dir(u.Path), "0") + fmt.Sprint(slices.Sorted(maps.Keys(u.Query())))
}

// crawl follows the links of every page that is not among pages yet, beginning at an address, and
// adds them there. Of those of one shape it follows the first few only: all lead on alike.
func crawl(t *testing.T, h http.Handler, first string, pages map[string]string) {
	t.Helper()
	const few = 8
	alike := map[string]int{}
	for todo := []string{first}; len(todo) > 0; {
		address := todo[0]
		todo = todo[1:]
		if _, known := pages[address]; known {
			continue
		}
		answer := get(t, h, address, nil)
		require.Equal(t, http.StatusOK, answer.Code, "%s: %s", address, answer.Body)
		pages[address] = answer.Body.String()
		if !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") {
			continue
		}
		base, err := url.Parse(address)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(pages[address], -1) {
			to, err := base.Parse(html.UnescapeString(m[1]))
			require.NoError(t, err, m[1])
			require.Empty(t, to.Host, "%s leads to %s", address, to)
			to.Fragment = ""
			acts := slices.Contains([]string{"accept", "poll", "pause"}, path.Base(to.Path))
			if alike[shape(to)] < few && !acts && !slices.Contains(todo, to.String()) && pages[to.String()] == "" {
				alike[shape(to)]++
				todo = append(todo, to.String())
			}
		}
	}
}

// kindsOfPages are the pages that there are, each by a part of its address.
var kindsOfPages = []string{
	"/x/", "/x/e/1/", "/x/e/1/change/", "undo=1", "/x/e/1/object?", "used=1", "uses=1", "at=20", "/x/e/1/object/body", "/x/e/1/types", "/x/e/1/type/", "/x/e/1/quota",
	"/x/e/1/withheld", "/x/e/1/undetected", "/x/e/1/undetected?before=", "kind=", "before=", "verdict=", "style.css", "live.js", "icon.svg",
}

// What the org says is text in every page, whatever it is: nothing of it becomes markup, turns
// the line, or makes a page long. Every link of every page leads to a page. No page has a secret.
func TestPages(t *testing.T) { synctest.Test(t, testPages) }

// testPages is in a bubble, where retries take no time.
func testPages(t *testing.T) {
	w := newWorld(t, &console.Options{Base: "/x/", Actions: true}, nil)
	hostile := map[string]string{
		"markup":     `"><img src=x onerror=alert(1)><script>alert(2)</script>{{.}}`,
		"direction":  "abc\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd",
		"control":    "a\x00b\x1b[31mc\r\nd\u2028e\u0085f",
		"length":     strings.Repeat("long ", 2048),
		"whitespace": "  ",
		"template":   "'; --><!-- ]]> javascript:alert(1) </textarea></title></style>",
	}
	require.NoError(t, w.org.Update("routing.queues", w.queue(), map[string]any{"description": "before"}))
	w.poll(t)
	for range 60 {
		_, err := w.org.Create("routing.skills", map[string]any{"name": "Skill"})
		require.NoError(t, err)
	}
	var named []string
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		id, err := w.org.Create("routing.skills", map[string]any{"name": hostile[name]})
		require.NoError(t, err)
		named = append(named, id)
		_, err = w.org.Create("routing.queues", map[string]any{"name": hostile[name], "description": hostile[name]})
		require.NoError(t, err)
		require.NoError(t, w.org.Update("routing.queues", w.queue(), map[string]any{"name": hostile[name], "description": strings.Repeat(hostile[name], 3)}))
		w.poll(t)
	}
	skills := slices.Collect(maps.Keys(maps.Collect(w.org.Objects("routing.skills"))))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(append(skills[:len(skills)/2], named...)))) {
		require.NoError(t, w.org.Delete("routing.skills", id))
	}
	w.poll(t)
	w.audit(t, acts(time.Now(), 120, w.queue(), hostile)...)
	w.org.Fail("users", genesystest.Garbage(), -1)
	_, err := w.engine.Poll(t.Context(), w.env.ID, "users")
	require.Error(t, err)
	w.org.Recover()
	w.org.SetPermissions("routing:*:*")

	pages := map[string]string{}
	crawl(t, w.handler, "/x/", pages)
	for _, kind := range []history.Kind{history.KindImported, history.KindUpdated, history.KindForgotten} {
		crawl(t, w.handler, "/x/e/1/?kind="+string(kind)+"&type=Queues&field=name&since=2000-01-01&until=2100-01-01", pages)
	}
	for _, part := range kindsOfPages {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(pages)), func(address string) bool { return strings.Contains(address, part) }), "no page like %s", part)
	}
	for _, part := range []string{"/x/e/1/?", "/change/", "undo=1", "/object?", "/type/routing.queues", "/withheld", "/undetected"} {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(pages)), func(address string) bool {
			return strings.Contains(address, part) && strings.Contains(pages[address], "&gt;&lt;img src=x onerror=alert(1)&gt;")
		}), "no page like %s shows the markup as text", part)
	}
	require.Contains(t, pages["/x/"], "Contoso &lt;img src=x&gt;&amp;amp;")
	for address, page := range pages {
		if strings.Contains(address, "object/body") || strings.Contains(address, "/assets/") {
			continue
		}
		require.Less(t, len(page), 200<<10, address)
		require.True(t, utf8.ValidString(page), address)
		require.NotContains(t, page, genesystest.ClientSecret, address)
		require.NotContains(t, page, "<img", address)
		require.NotContains(t, page, "<script>", address)
		require.NotContains(t, page, "ZgotmplZ", address)
		for _, r := range page {
			if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
				t.Fatalf("%s has %U", address, r)
			}
		}
	}
}

// TestDamagedRecord: what cannot be read is said, and hides no other environment.
func TestDamagedRecord(t *testing.T) {
	w := newWorld(t, nil, nil)
	second := w.env
	second.Name = "Second"
	_, err := w.engine.Create(t.Context(), second)
	require.NoError(t, err)
	var b storage.Batch
	b.Put("environments/0000000001", []byte(`{"name":7}`))
	require.NoError(t, w.store.Commit(t.Context(), &b))
	answer := get(t, w.handler, "/", nil)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), "record 1 cannot be read")
	require.Contains(t, answer.Body.String(), "Second")
}

// TestNewestReadsTheLogAlone: what each open page asks every ten seconds takes nothing of what is known of types.
func TestNewestReadsTheLogAlone(t *testing.T) {
	w := newWorld(t, nil, nil)
	w.poll(t)
	var b storage.Batch
	b.Put(storage.Key("environment", "0000000001", "type", "users"), []byte("damaged"))
	require.NoError(t, w.store.Commit(t.Context(), &b))
	require.Equal(t, http.StatusInternalServerError, get(t, w.handler, "/e/1/types", nil).Code)
	answer := get(t, w.handler, "/e/1/newest?after=0", nil)
	require.Equal(t, http.StatusOK, answer.Code)
	require.JSONEq(t, `{"changes":0}`, answer.Body.String())
}

// A request for another host, from a page of another site or into a frame of one is refused.
func TestOtherSites(t *testing.T) {
	w := newWorld(t, &console.Options{Actions: true}, nil)
	w.poll(t)
	for host, want := range map[string]int{
		"localhost": http.StatusOK, "LOCALHOST:8080": http.StatusOK, "127.0.0.1:1": http.StatusOK, "127.8.8.8": http.StatusOK, "[::1]:80": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "localhost.evil.example": http.StatusMisdirectedRequest, "127.0.0.1.nip.io": http.StatusMisdirectedRequest,
		"10.0.0.1": http.StatusMisdirectedRequest, "": http.StatusMisdirectedRequest, "0.0.0.0": http.StatusMisdirectedRequest,
	} {
		answer := get(t, w.handler, "/", func(r *http.Request) { r.Host = host })
		require.Equal(t, want, answer.Code, host)
		require.NotContains(t, answer.Body.String()[:min(3, answer.Body.Len())], "\x00")
		require.Equal(t, "DENY", answer.Header().Get("X-Frame-Options"))
		policy := answer.Header().Get("Content-Security-Policy")
		require.Contains(t, policy, "frame-ancestors 'none'")
		require.Contains(t, policy, "default-src 'none'")
		require.NotContains(t, policy, "unsafe")
	}
	named, err := console.New(w.engine, &console.Options{Hosts: []string{"cxsync.example.com", "::1"}})
	require.NoError(t, err)
	for host, want := range map[string]int{
		"cxsync.example.com:443": http.StatusOK, "[::1]": http.StatusOK, "localhost": http.StatusMisdirectedRequest, "x.cxsync.example.com": http.StatusMisdirectedRequest,
	} {
		require.Equal(t, want, get(t, named, "/", func(r *http.Request) { r.Host = host }).Code, host)
	}

	post := func(h http.Handler, header, value string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/e/1/pause", strings.NewReader(""))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if header != "" {
			r.Header.Set(header, value)
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer.Code
	}
	require.Equal(t, http.StatusForbidden, post(w.handler, "Sec-Fetch-Site", "cross-site"))
	require.Equal(t, http.StatusForbidden, post(w.handler, "Sec-Fetch-Site", "same-site"))
	require.Equal(t, http.StatusForbidden, post(w.handler, "Origin", "http://evil.example"))
	require.Equal(t, http.StatusForbidden, post(w.handler, "Origin", "null"))
	r, err := w.engine.Get(t.Context(), 1)
	require.NoError(t, err)
	require.False(t, r.Paused)
	require.Equal(t, http.StatusSeeOther, post(w.handler, "Sec-Fetch-Site", "same-origin"))
	r, err = w.engine.Get(t.Context(), 1)
	require.NoError(t, err)
	require.True(t, r.Paused)

	silent, err := console.New(w.engine, nil)
	require.NoError(t, err)
	for _, path := range []string{"pause", "resume", "poll", "accept"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/e/1/"+path, nil)
		answer := httptest.NewRecorder()
		silent.ServeHTTP(answer, r)
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, answer.Code, "actions are off by default")
	}
	require.NotContains(t, get(t, silent, "/e/1/types", nil).Body.String(), `method="post"`)
}

type callerKey struct{}

// Authorize is asked about every page and every action, as whom Identify says.
func TestWhoMayDoWhat(t *testing.T) {
	asked := map[environment.Operation]int{}
	authorize := func(ctx context.Context, op environment.Operation, _, _ environment.Record) error {
		switch ctx.Value(callerKey{}) {
		case "reader":
			if op != environment.OpRead {
				return errors.New("readers only read")
			}
		case "keeper":
			asked[op]++
		case nil: // the test itself
		default:
			return errors.New("nobody")
		}
		return nil
	}
	w := newWorld(t, &console.Options{Actions: true, Identify: func(r *http.Request) (context.Context, error) {
		user, _, ok := r.BasicAuth()
		if !ok {
			return nil, errors.New("who are you?")
		}
		return context.WithValue(r.Context(), callerKey{}, user), nil
	}}, func(o *environment.Options) { o.Authorize = authorize })
	w.poll(t)
	skills := slices.Collect(maps.Keys(maps.Collect(w.org.Objects("routing.skills"))))
	for _, id := range skills[2:] {
		require.NoError(t, w.org.Delete("routing.skills", id))
	}
	w.poll(t)
	as := func(user string) func(*http.Request) {
		return func(r *http.Request) {
			if user != "" {
				r.SetBasicAuth(user, "")
			}
		}
	}
	for _, page := range []string{"/e/1/", "/e/1/types", "/e/1/quota", "/e/1/withheld", "/e/1/change/1", "/e/1/type/routing.queues", "/e/1/newest", "/e/1/object?type=routing.skills&id=" + skills[0]} {
		require.Equal(t, http.StatusForbidden, get(t, w.handler, page, as("")).Code, page)
		require.Equal(t, http.StatusForbidden, get(t, w.handler, page, as("stranger")).Code, page)
		require.Equal(t, http.StatusOK, get(t, w.handler, page, as("reader")).Code, page)
	}
	require.NotContains(t, get(t, w.handler, "/", as("stranger")).Body.String(), "Contoso")

	post := func(user, path string, form url.Values) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/e/1/"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		as(user)(r)
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		return answer.Code
	}
	missing := url.Values{"type": {"routing.skills"}, "key": {url.QueryEscape(skills[2]), url.QueryEscape(skills[3])}}
	for path, form := range map[string]url.Values{"poll": {"type": {"Queues"}}, "pause": nil, "resume": nil, "accept": missing} {
		require.Equal(t, http.StatusForbidden, post("reader", path, form), path)
		require.Equal(t, http.StatusSeeOther, post("keeper", path, form), path)
	}
	require.NotZero(t, asked[environment.OpPoll])
	require.NotZero(t, asked[environment.OpUpdate])
	require.NotZero(t, asked[environment.OpAccept])
	h, err := w.engine.History(t.Context(), 1)
	require.NoError(t, err)
	n := 0
	for _, err := range h.Changes(t.Context(), history.Query{Kinds: []history.Kind{history.KindDeleted}}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 2, n)
	require.Equal(t, http.StatusBadRequest, post("keeper", "accept", url.Values{"type": {"routing.skills"}}))
	require.Equal(t, http.StatusBadRequest, post("keeper", "poll", nil))
	require.Equal(t, http.StatusNotFound, post("keeper", "accept", url.Values{"type": {"routing.skills"}, "key": {"unknown"}}))
}

// What is asked wrongly is answered with what would be right, and the status says whose fault it is.
func TestAskedWrongly(t *testing.T) {
	w := newWorld(t, nil, nil)
	w.poll(t)
	for address, want := range map[string]struct {
		status int
		says   string
	}{
		"/e/1/?since=yesterday":       {400, "want one such as 2026-11-26"},
		"/e/1/?kind=edited":           {400, "want one such as"},
		"/e/1/?before=x":              {400, "want a number"},
		"/e/1/?field=a..b":            {400, "the field"},
		"/e/1/?type=Quues":            {200, "did you mean"},
		"/e/2/":                       {404, "no such environment"},
		"/e/x/":                       {404, "no such page"},
		"/e/1/nowhere":                {404, "no such page"},
		"/e/1/change/99999":           {404, "no such page"},
		"/e/1/change/0":               {404, "no such page"},
		"/e/1/object":                 {400, "which object"},
		"/e/1/object?type=users&id=x": {404, "nothing is on record"},
		"/e/1/object?type=users&id=x&at=tomorrow": {400, "want one such as"},
		"/e/1/type/nothing":                       {404, "no such page"},
	} {
		answer := get(t, w.handler, address, nil)
		require.Equal(t, want.status, answer.Code, address)
		require.Contains(t, html.UnescapeString(answer.Body.String()), want.says, address)
	}
	for _, opts := range []console.Options{{Base: "x"}, {Base: "/x/../y"}, {Base: "/{id}"}, {Hosts: []string{"http://a"}}, {Hosts: []string{"a:80"}}, {Hosts: []string{""}}} {
		_, err := console.New(w.engine, &opts)
		require.Error(t, err, fmt.Sprint(opts))
	}
	_, err := console.New(nil, nil)
	require.Error(t, err)
}
