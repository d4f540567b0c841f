package genesystest_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// objects walks a list to its end, whichever way it is paged.
func (c *caller) objects(uri string) (all []map[string]any) {
	c.t.Helper()
	for number := 1; uri != ""; number++ {
		a := c.get(uri)
		require.Equal(c.t, 200, a.status, "%s: %s", uri, a.body)
		for _, o := range a.json()["entities"].([]any) {
			all = append(all, o.(map[string]any))
		}
		uri = a.field("nextUri")
		if uri == "" && a.field("total") != "" {
			require.Len(c.t, all, int(a.json()["total"].(float64)))
		}
	}
	return all
}

// TestListFilters narrows and orders the lists that integrations ask most for,
// and compares with what the whole list says.
func TestListFilters(t *testing.T) {
	c := newCaller(t, genesystest.New(&genesystest.Options{Size: 30, RateLimit: -1}))
	names := func(o map[string]any) string { return strings.ToLower(at(o, "name")) }
	for _, test := range []struct {
		typ    string
		offers string // "name" is compared as a whole, "name^" as a beginning, "name~" anywhere
	}{
		{"users", "id sortOrder"},
		{"routing.queues", "id name divisionId sortOrder"},
		{"flows", "id name type divisionId sortBy sortOrder"},
		{"routing.skills", "id name^"},
		{"routing.wrapupcodes", "id name divisionId sortBy sortOrder"},
		{"groups", "id sortOrder"},
		{"authorization.roles", "id name sortBy"},
		{"authorization.divisions", "id name~ sortBy"},
		{"flows.datatables", "name divisionId sortBy sortOrder"},
		{"outbound.campaigns", "id name^ divisionId sortBy sortOrder"},
		{"teams", "name^"},
		{"webdeployments.configurations", ""},
		{"webdeployments.deployments", ""},
	} {
		t.Run(test.typ, func(t *testing.T) {
			c := &caller{t, c.org, c.token}
			typ, _ := genesys.DefaultCatalogue().Lookup(test.typ)
			path, query, _ := strings.Cut(typ.Path, "?")
			list := func(parameters ...string) []map[string]any {
				return c.objects(path + "?" + strings.Join(append(parameters, query, "pageSize=20"), "&"))
			}
			ids := func(objects []map[string]any) (ids []string) {
				for _, o := range objects {
					ids = append(ids, at(o, "id"))
				}
				return ids
			}
			whole := list()
			require.NotEmpty(t, whole)
			// check asks with parameters, which have to be obeyed or, if the list does not offer them, ignored.
			check := func(offer, parameter string, keep func(map[string]any) bool) {
				t.Helper()
				want := whole
				if slices.Contains(strings.Fields(test.offers), offer) {
					want = slices.Collect(func(yield func(map[string]any) bool) {
						for _, o := range whole {
							if keep(o) && !yield(o) {
								return
							}
						}
					})
					require.NotEmpty(t, want, parameter)
				}
				require.Equal(t, ids(want), ids(list(parameter)), parameter)
			}
			first, last := whole[0], whole[len(whole)-1]
			oneOf := func(o map[string]any) bool { return o["id"] == first["id"] || o["id"] == last["id"] }
			check("id", "id="+at(first, "id")+","+at(last, "id"), oneOf)
			check("id", "id="+at(first, "id")+"&id="+at(last, "id"), oneOf)
			name := []rune(names(last))
			begin, middle, end := string(name[:2]), string(name[1:len(name)-1]), string(name[2:])
			for value, found := range map[string]func(string) bool{
				string(name):       func(s string) bool { return s == string(name) },
				begin + "*":        func(s string) bool { return strings.HasPrefix(s, begin) },
				"*" + end:          func(s string) bool { return strings.HasSuffix(s, end) },
				"*" + middle + "*": func(s string) bool { return strings.Contains(s, middle) },
			} {
				if !strings.ContainsAny(test.offers, "^~") {
					check("name", "name="+url.QueryEscape(strings.ToUpper(value)), func(o map[string]any) bool { return found(names(o)) })
				}
			}
			if !slices.Contains(strings.Fields(test.offers), "name") {
				if !strings.Contains(test.offers, "~") {
					check("name^", "name="+url.QueryEscape(begin), func(o map[string]any) bool { return strings.HasPrefix(names(o), begin) })
				} else {
					check("name~", "name="+url.QueryEscape(middle), func(o map[string]any) bool { return strings.Contains(names(o), middle) })
				}
			}
			division := at(last, "division.id")
			check("divisionId", "divisionId="+division, func(o map[string]any) bool { return at(o, "division.id") == division })
			check("type", "type="+at(last, "type"), func(o map[string]any) bool { return at(o, "type") == at(last, "type") })
			check("nothing", "colour=blue&q=x&state=any", nil)

			for order, sign := range map[string]int{"asc": 1, "descending": -1} {
				sorted := slices.Clone(whole)
				if strings.Contains(test.offers, "sortOrder") {
					slices.SortStableFunc(sorted, func(a, b map[string]any) int { return sign * strings.Compare(names(a), names(b)) })
				}
				require.Equal(t, ids(sorted), ids(list("sortOrder="+order)))
			}
			sorted := slices.Clone(whole)
			if strings.Contains(test.offers, "sortBy") {
				slices.SortStableFunc(sorted, func(a, b map[string]any) int { return strings.Compare(at(a, "id"), at(b, "id")) })
			}
			require.Equal(t, ids(sorted), ids(list("sortBy=id")))
		})
	}
}

func TestUserSearch(t *testing.T) {
	c := newCaller(t, genesystest.New(&genesystest.Options{Size: 250}))
	search := func(body map[string]any) answer { return c.do("POST", "/api/v2/users/search?expand=skills", body) }
	criteria := func(how, field string, values ...string) map[string]any {
		return map[string]any{"type": how, "fields": []string{field}, "values": values}
	}
	whole := search(map[string]any{"pageSize": 100, "pageNumber": 3})
	require.Equal(t, "250", whole.field("total"))
	require.Equal(t, "[users]", whole.field("types"))
	require.Len(t, whole.json()["results"], 50)
	require.Empty(t, whole.field("nextPage"))
	for _, test := range []struct {
		name string
		body map[string]any
		ok   func(name string) bool
	}{
		{"prefix", map[string]any{"query": []any{criteria("STARTS_WITH", "name", "ada", "ben")}, "sortBy": "name", "sortOrder": "DESC"}, func(name string) bool { return strings.HasPrefix(name, "Ada") || strings.HasPrefix(name, "Ben") }},
		{"part of either field", map[string]any{"query": []any{map[string]any{"type": "CONTAINS", "fields": []string{"name", "state"}, "value": "kumar"}}}, func(name string) bool { return strings.Contains(name, "Kumar") }},
		{"both", map[string]any{"query": []any{criteria("STARTS_WITH", "name", "ada"), criteria("EXACT", "state", "active")}}, func(name string) bool { return strings.HasPrefix(name, "Ada") }},
	} {
		results := search(test.body).json()["results"].([]any)
		require.NotEmpty(t, results, test.name)
		last := "\U0010ffff"
		for _, user := range results {
			require.True(t, test.ok(at(user, "name")), "%s: %s", test.name, at(user, "name"))
			if test.body["sortBy"] != nil {
				require.GreaterOrEqual(t, last, at(user, "name"))
				last = at(user, "name")
			}
		}
	}
	require.Equal(t, 400, search(map[string]any{"query": []any{criteria("FUZZY", "name", "x")}}).status)
	require.Equal(t, 400, search(map[string]any{"pageSize": 101}).status)
	c.org.SetPermissions("routing:queue:view")
	require.Equal(t, 403, search(map[string]any{}).status)
}
