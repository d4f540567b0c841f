package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

// pages answers with one body after the other, the last one for ever.
func pages(bodies ...string) func(*http.Request) *http.Response {
	n := 0
	return func(*http.Request) *http.Response {
		body := bodies[min(n, len(bodies)-1)]
		n++
		if status := 0; strings.HasPrefix(body, "!") && len(body) >= 4 {
			_, _ = fmt.Sscanf(body, "!%d", &status)
			return answer(status, body[4:])
		}
		return answer(200, body)
	}
}

func nextURI() ObjectType {
	t := things(2)
	t.Paging, t.Token = PagingNextURI, "after"
	return t
}

func list() ObjectType {
	t := things(0)
	t.Paging = PagingNone
	return t
}

// TestWalkQuirks has one row for each way in which a list misbehaves.
func TestWalkQuirks(t *testing.T) {
	scan := things(2)
	scan.Paging, scan.Token = PagingCursor, "cursor=cursors.after"
	search := things(2)
	search.Method, search.Paging, search.Token = http.MethodPost, PagingSearch, "after=after"
	variants := things(2)
	variants.Variants = []string{"published=true", "published=false"}
	a, b, c3 := `{"id":"a"}`, `{"id":"b"}`, `{"id":"c"}`
	for _, test := range []struct {
		name     string
		t        ObjectType
		bodies   []string
		ids      string
		requests int
		reason   string // of the IncompleteError; "" for a complete walk
	}{
		{"numbers: pageCount ends it", things(2), []string{`{"entities":[` + a + `,` + b + `],"pageCount":2,"total":3}`, `{"entities":[` + c3 + `],"pageCount":2,"total":3}`}, "a b c", 2, ""},
		{"numbers: a short page ends it", things(2), []string{`{"entities":[` + a + `,` + b + `]}`, `{"entities":[` + c3 + `]}`}, "a b c", 2, ""},
		{"numbers: an empty page ends it", things(2), []string{`{"entities":[` + a + `,` + b + `]}`, `{"entities":[]}`}, "a b", 2, ""},
		{"numbers: the last nextUri ends it", things(2), []string{`{"entities":[` + a + `,` + b + `],"nextUri":"/n?pageNumber=2"}`, `{"entities":[` + c3 + `,{"id":"d"}],"nextUri":null}`}, "a b c d", 2, ""},
		{"numbers: a total ends it", things(2), []string{`{"entities":[` + a + `,` + b + `],"total":2}`}, "a b", 1, ""},
		{"numbers: a page size cut down in silence", things(100), []string{items(0, 25), items(25, 30)}, idRange(0, 30), 2, ""},
		{"numbers: the list grows on the way", things(1), []string{`{"entities":[` + a + `],"pageCount":1}`}, "a", 1, ""},
		{"numbers: a page in the middle is short", things(2), []string{`{"entities":[` + a + `],"pageCount":2,"total":2}`, `{"entities":[` + b + `],"pageCount":2,"total":2}`}, "a b", 2, ""},
		{"numbers: no counts although there are objects", things(2), []string{`{"entities":[` + a + `],"pageCount":0,"total":0}`}, "a", 1, ""},
		{"numbers: items shift, and the second walk is whole", things(1), []string{
			`{"entities":[` + a + `],"pageCount":2,"total":2}`, `{"entities":[` + a + ` ],"pageCount":2,"total":2}`,
			`{"entities":[` + a + `],"pageCount":2,"total":2}`, `{"entities":[` + b + `],"pageCount":2,"total":2}`,
		}, "a b", 4, ""},
		{"numbers: the total never adds up", things(2), []string{`{"entities":[` + a + `],"pageCount":1,"total":2}`}, "a", 2, "1 objects of a total of 2"},
		{"numbers: the total moves", things(1), []string{`{"entities":[` + a + `],"pageCount":2,"total":2}`, `{"entities":[` + b + `],"pageCount":2,"total":3}`, `{"entities":[` + a + `],"pageCount":2,"total":3}`, `{"entities":[` + b + `],"pageCount":2,"total":3}`}, "a b", 4, "2 objects of a total of 3"},
		{"numbers: the total moves, and the second walk is whole", things(1), []string{`{"entities":[` + a + `],"pageCount":2,"total":3}`, `{"entities":[` + b + `],"pageCount":2,"total":2}`, `{"entities":[` + a + `],"pageCount":2,"total":2}`, `{"entities":[` + b + `],"pageCount":2,"total":2}`}, "a b", 4, ""},
		{"numbers: more than the total", things(2), []string{`{"entities":[` + a + `,` + b + `],"pageCount":1,"total":1}`}, "a b", 2, "2 objects of a total of 1"},
		{"numbers: no counts, and a second page", things(2), []string{`{"entities":[` + a + `,` + b + `],"pageCount":0,"total":0}`, `{"entities":[` + c3 + `],"pageCount":0,"total":0}`}, "a b c", 2, ""},
		{"numbers: an edit between the two walks", things(1), []string{
			`{"entities":[` + a + `],"pageCount":2,"total":2}`, `{"entities":[` + a + ` ],"pageCount":2,"total":2}`, `{"entities":[{"id":"a","v":2}],"pageCount":2,"total":2}`, `{"entities":[` + b + `],"pageCount":2,"total":2}`,
		}, "a b", 4, ""},
		{"numbers: the query is ignored", things(1), []string{`{"entities":[` + a + `],"pageCount":9}`}, "a", 4, "page 2 repeats objects"},
		{"numbers: twice with other content", things(2), []string{`{"entities":[{"id":"a","v":1},` + b + `],"pageCount":2}`, `{"entities":[{"id":"a","v":2},` + c3 + `],"pageCount":2}`}, "a b c", 2, "a came twice with different content"},
		{"numbers: an object without ID", things(2), []string{`{"entities":[` + a + `,{"id":null}]}`, `{"entities":[]}`}, "a", 2, `item 2 of page 1: it has no "id"`},
		{"numbers: empty for ever", things(2), []string{`{"entities":[],"pageCount":1000000000,"total":1}`}, "", 3, "three empty pages"},
		{"numbers: two lists", things(2), []string{`{"entities":[` + a + `],"entities":[]}`}, "", 1, "says something twice"},
		{"numbers: two totals", things(2), []string{`{"entities":[` + a + `],"total":2,"\u0074otal":1}`}, "a", 1, "says something twice"},
		{"numbers: no list", things(2), []string{`{"results":[` + a + `]}`}, "", 1, `no member "entities"`},
		{"numbers: a list of another kind", things(2), []string{`{"entities":{"a":1}}`}, "", 1, `no list`},
		{"numbers: null", things(2), []string{`{"entities":null,"total":0}`}, "", 1, ""},
		{"numbers: nothing, and the list left out", things(2), []string{`{"total":0,"pageCount":0}`}, "", 1, ""},
		{"numbers: garbage in the middle", things(1), []string{`{"entities":[` + a + `],"pageCount":2}`, `{"entities":[{"id":}],"pageCount":2}`}, "a", 2, "page 2 is not valid JSON"},
		{"numbers: more than 1,000 rows refused", things(500), []string{items(0, 500, `"pageCount":9,"total":4100`), items(500, 1000, `"pageCount":9,"total":4100`), `!400{"code":"bad.request"}`}, idRange(0, 1000), 3, "no more than the first 1000 rows of 4100"},
		{"nextUri: to its end", nextURI(), []string{`{"entities":[` + a + `],"nextUri":"/api/v2/things?pageSize=2&after=x%2B%3D"}`, `{"entities":[` + b + `]}`}, "a b", 2, ""},
		{"nextUri: empty", nextURI(), []string{`{"entities":[` + a + `],"nextUri":""}`}, "a", 1, ""},
		{"nextUri: an empty page is not the end", nextURI(), []string{`{"entities":[],"nextUri":"/t?after=1"}`, `{"entities":[],"nextUri":"/t?after=2"}`, `{"entities":[` + a + `]}`}, "a", 3, ""},
		{"nextUri: empty for ever", nextURI(), []string{`{"entities":[],"nextUri":"/t?after=1"}`, `{"entities":[],"nextUri":"/t?after=2"}`, `{"entities":[],"nextUri":"/t?after=3"}`}, "", 3, "three empty pages"},
		{"nextUri: two links", nextURI(), []string{`{"entities":[` + a + `],"nextUri":"/t?after=1","nextUri":null}`}, "a", 1, "says something twice"},
		{"nextUri: the same again", nextURI(), []string{`{"entities":[` + a + `],"nextUri":"/t?after=1"}`, `{"entities":[` + b + `],"nextUri":"/t?after=1"}`}, "a b", 2, "read already"},
		{"nextUri: round in circles", nextURI(), []string{`{"entities":[` + a + `],"nextUri":"/t?after=1"}`, `{"entities":[` + b + `],"nextUri":"/t?after=2"}`, `{"entities":[` + c3 + `],"nextUri":"/t?after=1"}`}, "a b c", 3, "read already"},
		{"nextUri: a page repeats under a new token", nextURI(), []string{`{"entities":[` + a + `],"nextUri":"/t?after=1"}`, `{"entities":[` + a + `],"nextUri":"/t?after=2"}`}, "a", 2, "page 2 repeats"},
		{"nextUri: without the token, its query is followed", nextURI(), []string{`{"entities":[` + a + `],"nextUri":"https://x/t?page=2"}`, `{"entities":[` + b + `]}`}, "a b", 2, ""},
		{"nextUri: a total that does not add up", nextURI(), []string{`{"entities":[` + a + `],"total":2}`}, "a", 2, "1 objects of a total of 2"},
		{"cursor: null ends it", scan, []string{`{"entities":[` + a + `],"cursors":{"after":"1"}}`, `{"entities":[` + b + `],"cursors":{"after":null}}`}, "a b", 2, ""},
		{"cursor: no cursors end it", scan, []string{`{"entities":[` + a + `],"cursors":{"after":"1"}}`, `{"entities":[` + b + `],"cursors":null}`}, "a b", 2, ""},
		{"cursor: two cursors", scan, []string{`{"entities":[` + a + `],"cursors":{"after":"1"},"cursors":null}`}, "a", 1, "says something twice"},
		{"cursor: the same again", scan, []string{`{"entities":[` + a + `],"cursors":{"after":"1"}}`, `{"entities":[` + b + `],"cursors":{"after":"1"}}`}, "a b", 2, "read already"},
		{"search: by token", search, []string{`{"entities":[` + a + `],"after":"x"}`, `{"entities":[` + b + `],"after":""}`}, "a b", 2, ""},
		{"list: a pageCount without pages is not followed", list(), []string{`{"entities":[` + a + `],"pageCount":4,"nextUri":"/n?pageNumber=2","total":1}`}, "a", 1, ""},
		{"list: less than the total", list(), []string{`{"entities":[` + a + `],"total":2}`}, "a", 2, "1 objects of a total of 2"},
		{"variants: the same object in both", variants, []string{`{"entities":[` + a + `],"total":1}`, `{"entities":[` + a + `,` + b + `],"total":2}`}, "a b", 2, ""},
		{"variants: it moved from one to the other", variants, []string{`{"entities":[{"id":"a","p":1}]}`, `{"entities":[{"id":"a","p":0}]}`}, "a", 2, "different content"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, s := newTestClient(t, pages(test.bodies...))
			objects, err := collect(t.Context(), c, test.t)
			require.Equal(t, test.ids, ids(objects))
			require.Len(t, s.requests(), test.requests, "%v", s.requests())
			if test.reason == "" {
				require.NoError(t, err)
				return
			}
			e, isIncomplete := errors.AsType[*IncompleteError](err)
			require.True(t, isIncomplete, "%v", err)
			require.Contains(t, e.Reason, test.reason)
			require.Equal(t, "things", e.Type)
		})
	}
}

// items makes a page with the objects from to to.
func items(from, to int, more ...string) string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf(`{"id":"%d"}`, i))
	}
	return `{` + strings.Join(append(more, `"entities":[`+strings.Join(list, ",")+`]`), ",") + `}`
}

func idRange(from, to int) string {
	return strings.Trim(fmt.Sprint(sequence(from, to)), "[]")
}

func sequence(from, to int) (s []int) {
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}

func TestRequestsOfAWalk(t *testing.T) {
	typ := nextURI()
	typ.Path = "/api/v2/things?expand=a,b"
	c, s := newTestClient(t, pages(`{"entities":[{"id":"1"}],"nextUri":"/t?after=x%2B%3D%26"}`, `{"entities":[]}`))
	_, err := collect(t.Context(), c, typ)
	require.NoError(t, err)
	require.Equal(t, []string{"GET /api/v2/things?expand=a,b&pageSize=2", "GET /api/v2/things?expand=a,b&pageSize=2&after=x%2B%3D%26"}, s.requests())

	var bodies []string
	search := things(2)
	search.Method, search.Paging, search.Token, search.Body = http.MethodPost, PagingSearch, "after=after", `"q":"x"`
	next := pages(`!500`, `{"entities":[{"id":"1"}],"after":"\"q\""}`, `{"entities":[]}`)
	c, _ = newTestClient(t, func(r *http.Request) *http.Response {
		var b json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&b)
		bodies = append(bodies, string(b))
		return next(r)
	})
	_, err = collect(t.Context(), c, search)
	require.NoError(t, err)
	require.Equal(t, []string{`{"q":"x","pageSize":2}`, `{"q":"x","pageSize":2}`, `{"q":"x","after":"\"q\"","pageSize":2}`}, bodies, "a query is sent again as a read")
}

func TestSmallerPages(t *testing.T) {
	big := fakeList{t: things(500), n: 1100}
	for _, test := range []struct {
		name   string
		refuse func(size, number string) *http.Response
		first  []string
	}{
		{"size refused", func(size, _ string) *http.Response {
			if size == "500" || size == "200" {
				return answer(400, `{"code":"invalid.value"}`)
			}
			return nil
		}, []string{"500:1", "200:1", "100:1"}},
		{"entity too large on the way", func(size, number string) *http.Response {
			if size == "500" && number == "2" {
				return answer(400, `{"code":"response.entity.too.large"}`)
			}
			return nil
		}, []string{"500:1", "500:2", "200:3"}},
		{"body beyond the bound", nil, []string{"500:1", "50:1", "50:2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked []string
			c, _ := newTestClient(t, func(r *http.Request) *http.Response {
				size, number := r.URL.Query().Get("pageSize"), r.URL.Query().Get("pageNumber")
				asked = append(asked, size+":"+number)
				if test.refuse != nil {
					if resp := test.refuse(size, number); resp != nil {
						return resp
					}
				}
				return big.serve(r)
			}, func(o *Options) {
				if test.refuse == nil {
					o.MaxBody = 5000
				}
			})
			objects, err := collect(t.Context(), c, big.t)
			require.NoError(t, err)
			require.Len(t, objects, 1100)
			require.Equal(t, test.first, asked[:3])
			asked = nil
			_, err = collect(t.Context(), c, big.t)
			require.NoError(t, err)
			require.Equal(t, strings.Split(test.first[2], ":")[0], strings.Split(asked[0], ":")[0], "the size is remembered")
		})
	}
	c, s := newTestClient(t, pages(`!400{"code":"bad.request","message":"libraryId is required"}`))
	_, err := collect(t.Context(), c, things(100))
	require.ErrorContains(t, err, "libraryId is required")
	require.Len(t, s.requests(), 3, "100, 50, 25: smaller is never refused")

	scan := things(200)
	scan.Paging, scan.Token = PagingCursor, "cursor=cursors.after"
	c, s = newTestClient(t, pages(`!400{"code":"response.entity.too.large"}`))
	_, err = collect(t.Context(), c, scan)
	require.ErrorContains(t, err, "response.entity.too.large")
	require.Equal(t, "GET /api/v2/things?limit=10", s.requests()[len(s.requests())-1], "a scan has no smaller page")

	for _, typ := range []ObjectType{things(100), nextURI()} {
		typ.PageSize = 100
		c, s = newTestClient(t, pages(`{"entities":[{"id":"a"}],"nextUri":"/t?after=1"}`, `!400{"code":"bad.request"}`))
		objects, err := collect(t.Context(), c, typ)
		require.ErrorContains(t, err, "bad.request")
		require.Len(t, objects, 1)
		require.Len(t, s.requests(), 2, "a later page is not refused for its size")
	}
}

// TestUsersBeyondTheCeiling: past 10,000 rows the states are walked one by one.
func TestUsersBeyondTheCeiling(t *testing.T) {
	t.Parallel()
	users, _ := DefaultCatalogue().Lookup("users")
	states := map[string]int{"active": 10_000, "inactive": 700, "deleted": 300}
	order := []string{"active", "inactive", "deleted"}
	all := map[string][]string{}
	fill := func() {
		clear(all)
		for _, state := range order {
			for i := range states[state] {
				all["any"] = append(all["any"], fmt.Sprintf(`{"id":"%s%d","name":"n","state":"%s"}`, state, i, state))
				all[state] = append(all[state], fmt.Sprintf(`{"id":"%s%d","name":"edited since","state":"%s"}`, state, i, state))
			}
		}
	}
	fill()
	serve := func(r *http.Request) *http.Response {
		q := r.URL.Query()
		rows := all[q.Get("state")]
		var number int
		_, _ = fmt.Sscan(q.Get("pageNumber"), &number)
		if number*500 > 10_000 {
			return answer(400, `{"code":"bad.request"}`)
		}
		from := min((number-1)*500, len(rows))
		return answer(200, fmt.Sprintf(`{"entities":[%s],"total":%d,"pageCount":%d}`,
			strings.Join(rows[from:min(from+500, len(rows))], ","), len(rows), (len(rows)+499)/500))
	}
	c, _ := newTestClient(t, serve)
	objects, err := collect(t.Context(), c, users)
	require.NoError(t, err)
	require.Len(t, objects, 11_000)
	require.True(t, objects[10_999].Deleted)
	require.False(t, objects[0].Deleted)

	states["active"]++
	fill()
	objects, err = collect(t.Context(), c, users)
	e, isIncomplete := errors.AsType[*IncompleteError](err)
	require.True(t, isIncomplete, "%v", err)
	require.Contains(t, e.Reason, "first 10000 rows of 10001")
	require.Len(t, objects, 10_000)
}

func TestErrorsOfAWalk(t *testing.T) {
	parented := things(2)
	parented.Parent, parented.Path = "parents", "/api/v2/parents/{parentId}/things"
	single := ObjectType{Name: "single", Label: "Single", Path: "/api/v2/single", Paging: PagingSingleton}
	optional := single
	optional.Absent = true
	for _, test := range []struct {
		name   string
		t      ObjectType
		body   string
		is     error
		isNot  error
		silent bool
	}{
		{"permission", things(2), `!403{"code":"missing.permissions"}`, ErrUnavailable, ErrNotFound, false},
		{"feature off", things(2), `!501{}`, ErrUnavailable, nil, false},
		{"no such list", things(2), `!404{}`, ErrUnavailable, ErrNotFound, false},
		{"parent gone", parented, `!404{}`, ErrNotFound, ErrUnavailable, false},
		{"parent forbidden", parented, `!403{}`, ErrUnavailable, nil, false},
		{"singleton not configured", optional, `!404{}`, nil, nil, true},
		{"singleton withdrawn", single, `!404{}`, ErrUnavailable, ErrNotFound, false},
		{"singleton forbidden", single, `!403{}`, ErrUnavailable, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := newTestClient(t, pages(test.body))
			walk := c.List(t.Context(), test.t)
			if test.t.Parent != "" {
				walk = c.Children(t.Context(), test.t, Object{ID: "p"})
			}
			var err error
			yields := 0
			for _, err = range walk {
				yields++
			}
			if test.silent {
				require.Zero(t, yields)
				return
			}
			require.Equal(t, 1, yields)
			require.ErrorIs(t, err, test.is)
			if test.isNot != nil {
				require.NotErrorIs(t, err, test.isNot)
			}
		})
	}
	c, s := newTestClient(t, ok)
	_, err := collect(t.Context(), c, parented)
	require.ErrorContains(t, err, "use Children")
	for _, err := range c.Children(t.Context(), things(2), Object{ID: "p"}) {
		require.ErrorContains(t, err, "use List")
	}
	for _, err := range c.Children(t.Context(), parented, Object{}) {
		require.ErrorContains(t, err, "ID of its parent")
	}
	require.Empty(t, s.requests())
}

func TestWalkStopsWithItsCaller(t *testing.T) {
	c, s := newTestClient(t, fakeList{t: things(2), n: 100}.serve)
	for _, err := range c.List(t.Context(), things(2)) {
		require.NoError(t, err)
		break
	}
	require.Len(t, s.requests(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.List(ctx, things(2)) {
		cancel()
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Len(t, s.requests(), 2, "one page more at most")
	walk := c.List(t.Context(), things(2))
	for range 2 {
		n := 0
		for _, err := range walk {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 100, n, "an iterator can be ranged over again")
	}
}

func TestObjects(t *testing.T) {
	typ := things(2)
	typ.Marker = []string{"v", "m.d"}
	typ.Title = "first+last"
	typ.ID = []string{"org.id", "id"}
	typ.Secrets = []string{"headers"}
	body := `{ "id" : "a/b", "org":{"id":"%"}, "first":"A","last":"Bé","secret":"x", "headers":{"h":1},"v":1e0, "m":{"d":"t"},"state":"DELETED" }`
	c, _ := newTestClient(t, pages(`{"entities":[`+body+`]}`))
	objects, err := collect(t.Context(), c, typ)
	require.NoError(t, err)
	require.Equal(t, []Object{{
		Type: "things", ID: "%25/a%2Fb", Name: "A Bé", Marker: `1e0 "t"`, Deleted: true,
		Body: json.RawMessage(`{ "id" : "a/b", "org":{"id":"%"}, "first":"A","last":"Bé","v":1e0, "m":{"d":"t"},"state":"DELETED" }`),
	}}, objects)
	require.Empty(t, markerOf(typ, []byte(`{"x":1,"v":null}`)))
	require.NotEqual(t, markerOf(typ, []byte(`{"v":1}`)), markerOf(typ, []byte(`{"m":{"d":1}}`)))
}

func TestGet(t *testing.T) {
	versions := ObjectType{
		Name: "versions", Label: "Versions", Parent: "things", Path: "/api/v2/things/{thingId}/versions/{v=latest.n,live.n}",
		Paging: PagingSingleton, Whole: true,
	}
	field := ObjectType{Name: "field", Label: "Field", Path: "/api/v2/field", Variants: []string{"type=a", "type=b"}, Paging: PagingSingleton}
	c, s := newTestClient(t, func(r *http.Request) *http.Response {
		if strings.Contains(r.URL.Path, "gone") {
			return answer(404, `{"code":"not.found"}`)
		}
		return answer(200, ` {"name":"N","state":"deleted"} `)
	})
	o, err := c.Get(t.Context(), things(2), Object{ID: "a%2Fb"})
	require.NoError(t, err)
	require.Equal(t, Object{Type: "things", ID: "a%2Fb", Name: "N", Deleted: true, Body: json.RawMessage(`{"name":"N","state":"deleted"}`)}, o)
	_, err = c.Get(t.Context(), things(2), Object{ID: "gone"})
	require.ErrorIs(t, err, ErrNotFound)
	_, err = c.Get(t.Context(), list2("x"), Object{ID: "a"})
	require.ErrorIs(t, err, ErrNoGet)

	parent := Object{ID: "p", Name: "P", Body: json.RawMessage(`{"latest":{"n":4},"live":{"n":2}}`)}
	var found []string
	for o, err := range c.Children(t.Context(), versions, parent) {
		require.NoError(t, err)
		require.Equal(t, "p", o.Parent)
		found = append(found, o.ID)
		again, err := c.Get(t.Context(), versions, Object{ID: o.ID})
		require.NoError(t, err)
		require.Equal(t, "p", again.Parent)
	}
	require.Equal(t, []string{"p/4", "p/2"}, found)
	for o, err := range c.List(t.Context(), field) {
		require.NoError(t, err)
		_, err = c.Get(t.Context(), field, Object{ID: o.ID})
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		"GET /api/v2/things/a%2Fb", "GET /api/v2/things/gone",
		"GET /api/v2/things/p/versions/4", "GET /api/v2/things/p/versions/4", "GET /api/v2/things/p/versions/2", "GET /api/v2/things/p/versions/2",
		"GET /api/v2/field?type=a", "GET /api/v2/field?type=a", "GET /api/v2/field?type=b", "GET /api/v2/field?type=b",
	}, s.requests())
	for _, err := range c.Children(t.Context(), versions, Object{ID: "p"}) {
		require.ErrorContains(t, err, "the body is needed")
	}
}

func list2(name string) ObjectType {
	t := list()
	t.Name, t.Get = name, ""
	return t
}

func FuzzPages(f *testing.F) {
	f.Add([]byte(`{"entities":[{"id":"a"}],"total":1,"pageCount":1}`), []byte(`{"entities":[],"nextUri":"/x?after=1"}`), uint8(0))
	f.Add([]byte(`[{"id":"a","secret":"x"},{"id":1}]`), []byte(`{"entities":[{"id":"a"},{"id":"a","b":2}],"cursors":{"after":"x"}}`), uint8(2))
	f.Fuzz(func(t *testing.T, first, second []byte, kind uint8) {
		defer bounded.Start(t)()
		typ := []ObjectType{things(2), nextURI(), list()}[kind%3]
		if kind&4 != 0 {
			typ.Items = "."
		}
		c, s := newTestClient(t, pages(string(first), string(second), string(first)), func(o *Options) { o.MaxRetries = -1 })
		seen := map[string]bool{}
		errs := 0
		for o, err := range c.List(t.Context(), typ) {
			if err != nil {
				errs++
				continue
			}
			if errs > 0 || seen[o.ID] || !json.Valid(o.Body) {
				t.Fatalf("%d errors before %q, seen %v, body %q", errs, o.ID, seen[o.ID], o.Body)
			}
			seen[o.ID] = true
		}
		if errs > 1 || len(s.requests()) > 20 {
			t.Fatalf("%d errors, %d requests", errs, len(s.requests()))
		}
	})
}
