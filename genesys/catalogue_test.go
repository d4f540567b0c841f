package genesys

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCatalogueIsSound(t *testing.T) {
	types := slices.Collect(DefaultCatalogue().All())
	byName := map[string]ObjectType{}
	labels := map[string]string{}
	for _, typ := range types {
		require.NoError(t, typ.check())
		require.NotContains(t, byName, typ.Name)
		require.NotContains(t, labels, strings.ToLower(typ.Label), "label of %s", typ.Name)
		byName[typ.Name], labels[strings.ToLower(typ.Label)] = typ, typ.Name
	}
	require.True(t, slices.IsSortedFunc(types, func(a, b ObjectType) int { return strings.Compare(a.Name, b.Name) }))
	require.GreaterOrEqual(t, len(types), 306)
	permission := regexp.MustCompile(`^[A-Za-z]+:[A-Za-z]+:[A-Za-z]+$`)
	field := regexp.MustCompile(`^(\*\*\.)?([A-Za-z$][A-Za-z0-9_]*)(\.([A-Za-z$][A-Za-z0-9_]*|\*\*?))*$`)
	for _, typ := range types {
		for _, p := range typ.Permissions {
			require.Regexp(t, permission, p, typ.Name)
		}
		for _, f := range slices.Concat(typ.Volatile, typ.Sets, typ.Marker, typ.Secrets) {
			require.Regexp(t, field, f, typ.Name)
		}
		for _, name := range typ.Secrets {
			require.NotContains(t, typ.Volatile, name, typ.Name)
		}
		require.True(t, typ.Whole || typ.Get != "", "%s: the rest of an object has to be read somewhere", typ.Name)
		if typ.Parent == "" {
			require.NotContains(t, typ.Path, "{", typ.Name)
			continue
		}
		parent, found := byName[typ.Parent]
		require.True(t, found, "%s: parent %s", typ.Name, typ.Parent)
		require.Contains(t, typ.Path, "{", typ.Name)
		require.True(t, parent.Default || !typ.Default, "%s is on, its parent is off", typ.Name)
		if len(typ.Marker) > 0 {
			require.Equal(t, parent.Marker, typ.Marker, "%s: the marker of a child is its parent's", typ.Name)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{"routing.queues", "Routing.Queues", "queues", "Queues"} {
		typ, found := DefaultCatalogue().Lookup(name)
		require.True(t, found)
		require.Equal(t, "routing.queues", typ.Name)
	}
	_, found := DefaultCatalogue().Lookup("nothing")
	require.False(t, found)
	own := things(100)
	own.Name = "Routing.Queues"
	own.Label = "Own queues"
	more := things(50)
	more.Name, more.Label = "more.things", "More things"
	with, err := DefaultCatalogue().With(own, more)
	require.NoError(t, err)
	require.Equal(t, DefaultCatalogue().Len()+1, with.Len())
	typ, _ := with.Lookup("routing.queues")
	require.Equal(t, "Own queues", typ.Label)
	for _, bad := range []ObjectType{
		{},
		{Name: "x", Label: "x", Path: "/x", Paging: PagingNone},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: "pages", Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: PagingPage, Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: PagingCursor, Token: "after", PageSize: 1, Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: PagingCursor, Token: "=after", PageSize: 1, Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Method: "POST", Path: "/api/v2/x", Paging: PagingSearch, Token: "after=", PageSize: 1, Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Method: "POST", Path: "/api/v2/x", Paging: PagingSearch, Token: "=after", PageSize: 1, Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: PagingNone, Items: "entities"},
		{Name: "x", Label: "x", Parent: "nobody", Path: "/api/v2/x/{id}", Paging: PagingNone, Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Parent: "x", Path: "/api/v2/x/{id}", Paging: PagingNone, Items: ".", ID: []string{"id"}},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: PagingSingleton, Audit: Audit{How: "mine", Service: "Routing", Entity: "Queue"}},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: PagingSingleton, Audit: Audit{How: AuditOwn, Service: "Routing"}},
		{Name: "x", Label: "x", Path: "/api/v2/x", Paging: PagingSingleton, Audit: Audit{Service: "Routing", Entity: "Queue"}},
		{Name: "x", Label: "x", Method: "DELETE", Path: "/api/v2/x", Paging: PagingSingleton},
		{Name: "x", Label: "x", Method: "POST", Path: "/api/v2/x", Paging: PagingSearch, Token: "pageNumber", Body: `"a"`, PageSize: 1, Items: ".", ID: []string{"id"}},
	} {
		_, err := DefaultCatalogue().With(bad)
		require.ErrorContains(t, err, "genesys: type", "%+v", bad)
	}
}

func TestSuggest(t *testing.T) {
	for text, want := range map[string]string{
		"queue": "routing.queues", "Queus": "routing.queues", "routing.qeues": "routing.queues",
		"Architect flow": "flows", "": "", "  ": "", "xyz": "", "nothing like it": "",
	} {
		typ, ok := DefaultCatalogue().Suggest(text)
		require.Equal(t, want != "", ok, text)
		require.Equal(t, want, typ.Name, text)
	}
}

// A selection holds the types that were asked for and their parents, parents first.
func TestSelect(t *testing.T) {
	names := func(want ...string) (names []string) {
		for _, typ := range DefaultCatalogue().Select(func(t ObjectType) bool { return slices.Contains(want, t.Name) }) {
			names = append(names, typ.Name)
		}
		return names
	}
	require.Equal(t, []string{"routing.queues"}, names("routing.queues"))
	require.Empty(t, names())
	require.Equal(t, []string{"flows", "routing.skills", "flows.versions", "flows.versions.configuration"},
		names("flows.versions.configuration", "routing.skills"))
}

// A name or a label stands for one type.
func TestTypesThatGoByTheSame(t *testing.T) {
	_, err := DefaultCatalogue().With(slices.Collect(DefaultCatalogue().All())...)
	require.NoError(t, err)
	own := func(name, label string) ObjectType {
		return ObjectType{Name: name, Label: label, Path: "/api/v2/x", Paging: PagingNone, Items: ".", ID: []string{"id"}}
	}
	for _, test := range []struct {
		types []ObjectType
		want  string // in the error; "" for none
	}{
		{[]ObjectType{own("x", "X"), own("Routing.Queues", "Queues")}, ""},
		{[]ObjectType{own("routing.queues", "My queues"), own("x", "Queues")}, ""}, // the label became free
		{[]ObjectType{own("x", "A"), own("X", "B")}, "given twice"},
		{[]ObjectType{own("x", "A"), own("y", "a")}, "y (a) goes by that already"},
		{[]ObjectType{own("x", "queues")}, "routing.queues (Queues) goes by that already"},
		{[]ObjectType{own("queues", "X")}, "routing.queues (Queues) goes by that already"},
		{[]ObjectType{own("x", "routing.queues")}, "routing.queues (Queues) goes by that already"},
	} {
		_, err := DefaultCatalogue().With(test.types...)
		if test.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, test.want)
	}
}

// TestEveryTypeIsWalked drives each row of the catalogue through the client:
// every object, in the fewest requests that the page size allows, complete.
func TestEveryTypeIsWalked(t *testing.T) {
	t.Parallel()
	body := []byte(`{"latest":"7","caseplan":{"version":"3"},"languages":[{"language":"en"},{"language":"de"},{"language":"en"}],
		"latestSavedVersion":{"version":"4"},"latestProductionReadyVersion":{"version":"2"},"language":"en","id":"i"}`)
	for typ := range DefaultCatalogue().All() {
		typ.PageSize = min(typ.PageSize, 10) // what is asked for does not depend on it
		for _, n := range []int{0, typ.PageSize, 2*typ.PageSize + 1} {
			f := fakeList{t: typ, n: n, bare: typ.Name == "routing.queues.members"}
			lists := max(len(typ.Variants), 1)
			parts := []string{"p 1/%", "p2", "p3"}
			if typ.Parent != "" {
				targets, err := expand(typ.Path, parts, body)
				require.NoError(t, err, typ.Name)
				lists *= len(targets)
			}
			c, s := newTestClient(t, f.serve)
			walk := c.List(t.Context(), typ)
			if typ.Parent != "" {
				walk = c.Children(t.Context(), typ, Object{ID: JoinID(parts...), Name: "Parent", Body: body})
			}
			seen := map[string]bool{}
			for o, err := range walk {
				require.NoError(t, err, "%s of %d", typ.Name, n)
				require.False(t, seen[o.ID], "%s twice", o.ID)
				require.NotEmpty(t, o.Body)
				seen[o.ID] = true
				checkGetPath(t, typ, o)
			}
			perList := 1
			if typ.PageSize > 0 {
				perList = max((n+typ.PageSize-1)/typ.PageSize, 1)
			}
			if f.bare && n == typ.PageSize {
				perList++ // nothing tells that a single full page is the last
			}
			extra := 0
			if typ.Divisions != "" {
				extra = 1 // the divisions
			}
			require.Len(t, s.requests(), lists*perList+extra, typ.Name)
			objects := lists * n
			if typ.Paging == PagingSingleton {
				objects = lists
			} else if typ.Parent != "" && len(typ.Variants) == 0 {
				objects = n // the lists of several targets hold the same objects here
			}
			require.Len(t, seen, objects, "%s of %d", typ.Name, n)
		}
	}
}

func checkGetPath(t *testing.T, typ ObjectType, o Object) {
	t.Helper()
	path, _, err := typ.getPath(o)
	if typ.Get == "" && typ.Paging != PagingSingleton {
		require.ErrorIs(t, err, ErrNoGet)
		return
	}
	require.NoError(t, err, typ.Name)
	require.NotContains(t, path, "{", typ.Name)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody)
	require.NoError(t, err)
	template, _, _ := strings.Cut(typ.Get+typ.Path, "?")
	if typ.Get != "" {
		template, _, _ = strings.Cut(typ.Get, "?")
	}
	require.Equal(t, strings.Count(template, "/"), strings.Count(r.URL.EscapedPath(), "/"), "%s: an ID may not add to the path %s", typ.Name, path)
}

func ExampleCatalogue_Lookup() {
	queues, _ := DefaultCatalogue().Lookup("Queues")
	fmt.Println(queues.Name, queues.Path, queues.PageSize, queues.Permissions)
	// Output: routing.queues /api/v2/routing/queues?expand=identityresolution 500 [routing:queue:view]
}
