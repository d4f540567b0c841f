package genesystest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/internal/official"
)

// A caller speaks the protocol by hand, so that the org is tested against the
// catalogue's words and not against our client.
type caller struct {
	t     testing.TB
	org   *genesystest.Org
	token string
}

func newCaller(tb testing.TB, org *genesystest.Org) *caller {
	tb.Helper()
	c := &caller{t: tb, org: org}
	c.token = c.mint(genesystest.ClientID, genesystest.ClientSecret).field("access_token")
	return c
}

type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
	err    error
}

func (c *caller) mint(id, secret string) answer {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, strings.Replace(c.org.BaseURL(), "api.", "login.", 1)+"/oauth/token",
		strings.NewReader("grant_type=client_credentials"))
	require.NoError(c.t, err)
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(req)
}

func (c *caller) do(method, uri string, body any) answer {
	c.t.Helper()
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(c.t, err)
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.org.BaseURL()+uri, r)
	require.NoError(c.t, err)
	req.Header.Set("Authorization", "Bearer "+c.token)
	return c.send(req)
}

func (c *caller) get(uri string) answer { c.t.Helper(); return c.do(http.MethodGet, uri, nil) }

func (c *caller) send(req *http.Request) answer {
	c.t.Helper()
	res, err := c.org.Transport().RoundTrip(req)
	if err != nil {
		return answer{t: c.t, err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{c.t, res.StatusCode, res.Header, body, err}
}

func (a answer) json() map[string]any {
	a.t.Helper()
	require.NoError(a.t, a.err)
	var v map[string]any
	require.NoError(a.t, json.Unmarshal(unsigned(a.body), &v), "%s", a.body)
	return v
}

var signature = regexp.MustCompile(`\?expires=\d+&nonce=\d+&signature=[-0-9a-f]+`)

// unsigned is a body without the signatures of its files, which no two answers share.
func unsigned(body []byte) []byte { return signature.ReplaceAll(body, nil) }

func (a answer) field(path string) string { a.t.Helper(); return at(a.json(), path) }

// at reads a dotted path of decoded JSON as text.
func at(v any, path string) string {
	if path != "." {
		for name := range strings.SplitSeq(path, ".") {
			m, _ := v.(map[string]any)
			v = m[name]
		}
	}
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// walk lists a type as its row of the catalogue says, page by page.
func (c *caller) walk(t genesys.ObjectType, path string, size int) (items []any, requests int) {
	c.t.Helper()
	variants := t.Variants
	if len(variants) == 0 {
		variants = []string{""}
	}
	for _, v := range variants {
		u, err := url.Parse(path)
		require.NoError(c.t, err)
		q := u.Query()
		if name, value, ok := strings.Cut(v, "="); ok {
			q.Set(name, value)
		}
		u.RawQuery = q.Encode()
		more, n := c.walkOne(t, u, size)
		items, requests = append(items, more...), requests+n
	}
	return items, requests
}

func (c *caller) walkOne(t genesys.ObjectType, u *url.URL, size int) (items []any, requests int) {
	c.t.Helper()
	param, field, _ := strings.Cut(t.Token, "=")
	token, number := "", 1
	for {
		q := u.Query()
		body := map[string]any{}
		set := func(name string, value any) {
			if t.Method == http.MethodPost {
				body[name] = value
			} else {
				q.Set(name, fmt.Sprint(value))
			}
		}
		sizeName := "pageSize"
		if param == "cursor" {
			sizeName = "limit"
		}
		counts := t.Paging == genesys.PagingPage || t.Token == "pageNumber"
		if counts {
			set("pageNumber", number)
		}
		if t.Paging != genesys.PagingNone && t.Paging != genesys.PagingSingleton && size > 0 {
			set(sizeName, size)
		}
		if token != "" && !counts {
			set(param, token)
		}
		uri := u.EscapedPath() + "?" + q.Encode()
		var send any
		if t.Method == http.MethodPost {
			send = body
		}
		a := c.do(t.Method, uri, send)
		require.NoError(c.t, a.err)
		require.Equal(c.t, 200, a.status, "%s %s: %s", t.Method, uri, a.body)
		requests++
		if t.Items == "." {
			if t.Paging == genesys.PagingSingleton {
				return []any{a.json()}, requests
			}
			var all []any
			require.NoError(c.t, json.Unmarshal(unsigned(a.body), &all))
			return all, requests
		}
		page := a.json()
		list, ok := page[t.Items].([]any)
		require.True(c.t, ok, "%s: %s", uri, a.body)
		items = append(items, list...)
		next := ""
		switch {
		case counts && page["pageCount"] == nil:
			if at(page, "nextUri") != "" {
				next = strconv.Itoa(number + 1)
			}
		case counts:
			if pages, _ := page["pageCount"].(float64); number < int(pages) {
				next = strconv.Itoa(number + 1)
			}
		case t.Paging == genesys.PagingNextURI:
			if link := at(page, "nextUri"); link != "" {
				parsed, err := url.Parse(link)
				require.NoError(c.t, err)
				next = parsed.Query().Get(param)
				require.NotEmpty(c.t, next)
			}
		case t.Paging == genesys.PagingCursor, t.Paging == genesys.PagingSearch:
			next = at(page, field)
		}
		if next == "" {
			return items, requests
		}
		require.NotEqual(c.t, token, next)
		require.Less(c.t, requests, 500, "endless walk of %s", t.Name)
		token = next
		number++
	}
}

// paths returns the list paths of a type below one parent, made from its template.
func paths(t *testing.T, typ genesys.ObjectType, parentID string, parent []byte) []string {
	t.Helper()
	out := []string{""}
	parts := strings.Split(parentID, "/")
	template := typ.Path
	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		for i := range out {
			out[i] += before
		}
		if !found {
			break
		}
		variable, after, _ := strings.Cut(rest, "}")
		template = after
		name, source, sourced := strings.Cut(variable, "=")
		if !sourced {
			require.NotEmpty(t, parts, name)
			part, err := url.PathUnescape(parts[0])
			require.NoError(t, err)
			parts = parts[1:]
			for i := range out {
				out[i] += url.PathEscape(part)
			}
			continue
		}
		var doc any
		require.NoError(t, json.Unmarshal(parent, &doc))
		var values []string
		for path := range strings.SplitSeq(source, ",") {
			values = append(values, all(doc, strings.Split(path, "."))...)
		}
		slices.Sort(values)
		values = slices.Compact(values)
		require.NotEmpty(t, values, "%s: the parent has no %s", typ.Name, source)
		var grown []string
		for _, o := range out {
			for _, v := range values {
				grown = append(grown, o+url.PathEscape(v))
			}
		}
		out = grown
	}
	return out
}

func all(v any, path []string) []string {
	switch v := v.(type) {
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, all(e, path)...)
		}
		return out
	case map[string]any:
		if len(path) > 0 {
			return all(v[path[0]], path[1:])
		}
	case nil:
		return nil
	}
	return []string{at(v, ".")}
}

// TestEveryType walks every row of the catalogue in its paging family, with
// small pages and with the largest ones, and expects what Objects says.
func TestEveryType(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1, Counts: map[string]int{ // pages of 10 are their smallest
		"externalcontacts.contacts": 45, "externalcontacts.organizations": 45, "externalcontacts.externalsources": 45,
	}})
	c := newCaller(t, org)
	for _, typ := range org.Types() {
		t.Run(typ.Name, func(t *testing.T) {
			c := &caller{t, org, c.token}
			var want []string
			parents := map[string][]string{}
			for id := range org.Objects(typ.Name) {
				want = append(want, id)
				if typ.Parent != "" {
					n := len(strings.Split(id, "/")) - len(typ.ID)
					if typ.Paging == genesys.PagingSingleton {
						continue
					}
					p := strings.Join(strings.Split(id, "/")[:n], "/")
					parents[p] = append(parents[p], id)
				}
			}
			require.Equal(t, len(want), len(slices.Compact(slices.Sorted(slices.Values(want)))), "IDs differ")
			if typ.Parent == "" {
				c.checkList(typ, typ.Path, want)
				return
			}
			tried := 0
			for parentID, body := range org.Objects(typ.Parent) {
				if tried++; tried > 3 {
					break
				}
				for _, path := range paths(t, typ, parentID, body) {
					if typ.Paging == genesys.PagingSingleton {
						a := c.get(path)
						require.Contains(t, []int{200, 404}, a.status, "%s %s", path, a.body)
						continue
					}
					c.checkList(typ, path, parents[parentID])
				}
			}
		})
	}
}

func (c *caller) checkList(typ genesys.ObjectType, path string, want []string) {
	c.t.Helper()
	if typ.Paging == genesys.PagingSingleton {
		for _, v := range append(typ.Variants, "")[:max(1, len(typ.Variants))] {
			a := c.get(path + map[bool]string{true: "?" + v}[v != ""])
			if len(want) == 0 {
				require.Equal(c.t, 404, a.status)
			} else {
				require.Equal(c.t, 200, a.status, "%s", a.body)
			}
		}
		return
	}
	if typ.Divisions != "" {
		var divisions []string
		for division := range c.org.Objects("authorization.divisions") {
			divisions = append(divisions, typ.Divisions+"="+division)
		}
		path += "?" + strings.Join(divisions, "&")
	}
	for _, size := range []int{max(1, len(want)/4), typ.PageSize} {
		items, requests := c.walk(typ, path, size)
		if len(want) != len(items) {
			c.t.Fatalf("%s in pages of %d: %d objects, not %d", path, size, len(items), len(want))
		}
		if typ.PageSize > 0 && len(typ.Variants) == 0 {
			require.Equal(c.t, max(1, (len(items)+size-1)/size), requests, "requests for %s", path)
		}
		for i, item := range items {
			parts := []string{}
			for _, field := range typ.ID {
				parts = append(parts, at(item, field))
			}
			if len(typ.Variants) == 0 {
				id := splitID(c.t, want[i])
				require.Equal(c.t, id[len(id)-len(typ.ID):], parts)
				if i < 3 {
					c.checkGet(typ, id, item)
				}
			}
		}
	}
}

func splitID(tb testing.TB, id string) []string {
	tb.Helper()
	parts := strings.Split(id, "/")
	for i := range parts {
		var err error
		parts[i], err = url.PathUnescape(parts[i])
		require.NoError(tb, err)
	}
	return parts
}

// checkGet reads an object that was listed: the same body where the catalogue
// calls the list whole, more of it where not.
func (c *caller) checkGet(typ genesys.ObjectType, id []string, item any) {
	c.t.Helper()
	if typ.Get == "" {
		return
	}
	path := typ.Get
	vars := strings.Count(path, "{")
	for i := range vars {
		before, rest, _ := strings.Cut(path, "{")
		variable, after, _ := strings.Cut(rest, "}")
		part := id[len(id)-1]
		if _, source, sourced := strings.Cut(variable, "="); sourced {
			part = at(item, source)
		} else if i < vars-1 {
			part = id[i]
		}
		path = before + url.PathEscape(part) + after
	}
	if _, query, ok := strings.Cut(typ.Path, "expand="); ok && !strings.Contains(path, "?") {
		path += "?expand=" + query
	}
	a := c.get(path)
	require.Equal(c.t, 200, a.status, "%s: %s", path, a.body)
	switch typ.Name {
	case "organizations.limits.namespaces", "identityproviders", // lists of names, in the service too
		"integrations.credentials": // whose GET has the secret, and no dates
		return
	}
	got, want := a.json(), item.(map[string]any)
	if typ.Whole {
		require.Equal(c.t, want, got)
		return
	}
	more := slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(name string) bool { return want[name] == nil })
	require.True(c.t, more, "%s: the list should leave something out", typ.Name)
	tm := official.TypeModels()[typ.Name]
	for name := range want {
		inGet := slices.ContainsFunc(official.Models()[tm.ByID], func(f official.Field) bool { return f.Name == name })
		if inGet || len(official.Models()[tm.ByID]) == 0 {
			require.Equal(c.t, want[name], got[name])
		} else {
			require.NotContains(c.t, got, name, "only lists have it")
		}
	}
}

func typeOf(org *genesystest.Org, name string) (genesys.ObjectType, bool) {
	for _, t := range org.Types() {
		if t.Name == name {
			return t, true
		}
	}
	return genesys.ObjectType{}, false
}
