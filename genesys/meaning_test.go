package genesys

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A heard is an answer to a question, and what it has to mean by what is known of
// the real service, whatever the table says.
type heard struct {
	asks   question
	status int
	means  Meaning
}

func allHeard() []heard {
	var all []heard
	for _, asks := range []question{asksObject, asksList, asksSingleton, asksOptional, asksBelow, asksPart, 0} {
		for _, status := range []int{400, 408, 409, 412, 413, 422, 423, 424, 429, 500, 502, 503, 504} {
			all = append(all, heard{asks, status, Unclear})
		}
	}
	for _, asks := range []question{asksObject, asksList, asksSingleton, asksOptional, asksBelow} {
		all = append(all, heard{asks, 403, Hidden}, heard{asks, 501, Unavailable})
	}
	for _, asks := range []question{asksObject, asksBelow} {
		all = append(all, heard{asks, 404, Deleted}, heard{asks, 410, Deleted}, heard{asks, 405, Unclear})
	}
	for _, asks := range []question{asksList, asksSingleton} {
		all = append(all, heard{asks, 404, Unavailable}, heard{asks, 405, Unavailable}, heard{asks, 410, Unavailable})
	}
	return append(all, heard{asksOptional, 404, Deleted}, heard{asksOptional, 405, Unavailable}, heard{asksOptional, 410, Unavailable}, heard{0, 404, Unclear}, heard{0, 403, Unclear},
		heard{asksPart, 404, Deleted}, heard{asksPart, 403, Unclear}, heard{asksPart, 410, Unclear}, heard{asksPart, 501, Unclear})
}

// misheard returns the first answer that the table gets wrong.
func (t meaningTable) misheard() string {
	for _, h := range allHeard() {
		if got := t.of(h.asks, h.status, true); got != h.means {
			return fmt.Sprintf("%d to question %b means %s, want %s", h.status, h.asks, got, h.means)
		}
		if got := t.of(h.asks, h.status, false); got != Unclear {
			return fmt.Sprintf("%d of something on the way means %s", h.status, got)
		}
	}
	return ""
}

func TestMeanings(t *testing.T) {
	require.Empty(t, meanings.misheard())
	for i, row := range meanings {
		require.NotEmpty(t, row.source)
		less := slices.Delete(slices.Clone(meanings), i, i+1)
		require.NotEmpty(t, less.misheard(), "the table without its row %d says the same", i)
		for bit := question(1); bit <= asksAny; bit <<= 1 {
			if row.asks&bit == 0 || row.asks == bit {
				continue
			}
			less := slices.Clone(meanings)
			less[i].asks &^= bit
			require.NotEmpty(t, less.misheard(), "the table without question %b in its row %d says the same", bit, i)
		}
	}
}

// TestMeaningsPage: the page for people has every row.
func TestMeaningsPage(t *testing.T) {
	raw, err := os.ReadFile("../docs/meanings.md")
	require.NoError(t, err)
	page := string(raw)
	for _, row := range meanings {
		require.Regexp(t, fmt.Sprintf(`\| %d \| %s[^|]*\| %s \|`, row.status, row.meaning, regexp.QuoteMeta(row.source)), page)
	}
	for _, s := range tombstones {
		require.Contains(t, page, "| "+s.source+" |")
	}
}

// TestMeaningsOfEveryType asks for every type of the catalogue in every way that
// it can be asked for, and answers with every status.
func TestMeaningsOfEveryType(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405, 409, 410, 422, 501} {
		c, _ := newTestClient(t, func(*http.Request) *http.Response { return answer(status, `{"code":"x"}`) })
		for typ := range DefaultCatalogue().All() {
			want := meanings.of(typ.asksAll(), status, true)
			var listed error
			switch {
			case typ.Parent == "":
				for _, listed = range c.List(t.Context(), typ) {
				}
			case !typ.NeedsParentBody():
				for _, listed = range c.Children(t.Context(), typ, Object{ID: strings.TrimSuffix(strings.Repeat("p/", strings.Count(typ.Path, "{")), "/")}) {
				}
			default:
				continue
			}
			if want == Deleted && typ.Absent {
				require.NoError(t, listed, typ.Name)
			} else {
				require.Equal(t, want, MeaningOf(listed), "%s: %d: %v", typ.Name, status, listed)
			}
			if typ.Get == "" {
				continue
			}
			_, err := c.Get(t.Context(), typ, Object{ID: strings.Repeat("p/", strings.Count(typ.Get, "{")) + "x"})
			if errors.As(err, new(*APIError)) {
				require.Equal(t, meanings.of(asksObject, status, true), MeaningOf(err), "%s: %d", typ.Name, status)
			}
		}
	}
}

// TestTombstones has one row for each form of a tombstone, and for what only looks like one.
func TestTombstones(t *testing.T) {
	for body, dead := range map[string]bool{
		`{"id":"a","state":"deleted"}`:           true,
		`{"id":"a","state":"DELETED"}`:           true,
		`{"id":"a","deleted":true}`:              true,
		`{"id":"a","deleted":"true"}`:            true,
		`{"id":"a","\u0064eleted":true}`:         true,
		`{"id":"a","deleted":false}`:             false,
		`{"id":"a","deleted":null}`:              false,
		`{"id":"a","state":"active"}`:            false,
		`{"id":"a","state":"inactive"}`:          false,
		`{"id":"a","state":" deleted"}`:          false,
		`{"id":"a","deleted":"True"}`:            true,
		`{"id":"a","deleted":"no"}`:              false,
		`{"id":"a","deleted":1}`:                 false,
		`{"id":"a","deleted":[true]}`:            false,
		`{"id":"a","state":{"deleted":true}}`:    false,
		`{"id":"a","owner":{"state":"deleted"}}`: false,
		`{"id":"a"}`:                             false,
	} {
		c, _ := newTestClient(t, func(r *http.Request) *http.Response {
			if strings.HasSuffix(r.URL.Path, "/a") {
				return answer(200, body)
			}
			return answer(200, `{"entities":[`+body+`]}`)
		})
		objects, err := collect(t.Context(), c, list())
		require.NoError(t, err)
		require.Equal(t, dead, objects[0].Deleted, "in a list: %s", body)
		o, err := c.Get(t.Context(), things(2), Object{ID: "a"})
		require.NoError(t, err)
		require.Equal(t, dead, o.Deleted, "by a GET: %s", body)
	}
	for i, s := range tombstones {
		require.NotEmpty(t, s.source)
		require.True(t, s.says([]byte(`"`+s.value+`"`)), "%d", i)
	}
}

// TestNoObject: an answer that is no object says nothing, wherever it comes.
func TestNoObject(t *testing.T) {
	single := ObjectType{Name: "single", Label: "Single", Path: "/api/v2/single", Paging: PagingSingleton}
	for _, body := range []string{``, ` `, `null`, `true`, `"gone"`, `404`} {
		for _, status := range []int{200, 202, 204} {
			c, _ := newTestClient(t, pages(fmt.Sprintf("!%d%s", status, body)), func(o *Options) { o.MaxRetries = -1 })
			_, err := c.Get(t.Context(), things(2), Object{ID: "a"})
			require.Error(t, err, "%d %q", status, body)
			require.Equal(t, Unclear, MeaningOf(err))
			objects, err := collect(t.Context(), c, single)
			require.Empty(t, objects)
			require.Error(t, err, "%d %q", status, body)
			require.Equal(t, Unclear, MeaningOf(err))
		}
	}
}

// TestAnnouncements puts every odd form of every announcement into the page of
// every family of lists: none of them may pass for the whole list.
func TestAnnouncements(t *testing.T) {
	cursor, search, numbers := things(100), things(100), things(100)
	cursor.Paging, cursor.Token = PagingCursor, "cursor=cursors.after"
	search.Method, search.Paging, search.Token = http.MethodPost, PagingSearch, "after=after"
	numbers.Method, numbers.Paging, numbers.Token = http.MethodPost, PagingSearch, "pageNumber"
	byLink := things(100)
	byLink.Paging, byLink.Token = PagingNextURI, "after"
	odd := map[string][]string{
		"nextUri":   {`{"href":"/more"}`, `["/more"]`, `true`, `false`, `5`, `"/more"`, `"more"`, `"/api/v2/things?pageNumber=1"`, `"/api/v2/things?pageNumber=9&after=x"`, `"/api/v2/things?pageNumber=x"`, `"/api/v2/things?x=y"`},
		"pageCount": {`"9"`, `900.0`, `900`, `-1`, `1e3`, `{}`, `[9]`, `true`},
		"total":     {`"3"`, `900.0`, `900`, `2`, `-3`, `3e0`, `{"value":3}`, `[3]`, `true`, `""`},
	}
	for family, typ := range map[string]ObjectType{"page": things(100), "nextUri": byLink, "cursor": cursor, "search": search, "search by number": numbers, "none": list()} {
		for member, forms := range odd {
			for _, form := range forms {
				if family == "none" && form == `2` {
					continue // more than was announced is not less
				}
				c, s := newTestClient(t, pages(fmt.Sprintf(`{"entities":[{"id":"a"},{"id":"b"},{"id":"c"}],%q:%s}`, member, form)))
				objects, err := collect(t.Context(), c, typ)
				require.Len(t, objects, 3)
				_, incomplete := errors.AsType[*IncompleteError](err)
				require.True(t, incomplete, "%s: %q: %s passes for the whole list: %v", family, member, form, err)
				require.LessOrEqual(t, len(s.requests()), 6, "%s: %q: %s", family, member, form)
			}
			for _, nothing := range []string{`null`, `""`} {
				if nothing == `""` && member != "nextUri" {
					continue
				}
				c, _ := newTestClient(t, pages(fmt.Sprintf(`{"entities":[{"id":"a"}],%q:%s}`, member, nothing)))
				_, err := collect(t.Context(), c, typ)
				require.NoError(t, err, "%s: %q: %s", family, member, nothing)
			}
		}
	}
	for _, form := range []string{`{"after":{"x":1}}`, `{"after":["x"]}`, `{"after":true}`, `"x"`, `[1]`} {
		c, _ := newTestClient(t, pages(`{"entities":[{"id":"a"}],"cursors":`+form+`}`))
		_, err := collect(t.Context(), c, cursor)
		require.Error(t, err, form)
	}
	// So does what another family of lists announces by.
	for name, typ := range map[string]ObjectType{"page": things(100), "nextUri": byLink, "cursor": cursor, "search by number": numbers, "none": list()} {
		for _, member := range []string{`"nextURI":"/x?pageNumber=2"`, `"next":{"href":"/x"}`, `"nextPage":2`, `"nextPageToken":"x"`, `"hasMore":true`, `"cursors":{"after":"x"}`, `"after":"x"`, `"lastUri":"/x?pageNumber=2"`} {
			if name == "cursor" && strings.Contains(member, "cursors") || name == "none" && strings.Contains(member, "lastUri") {
				continue // that is its own way; a list without pages has no last one
			}
			c, _ := newTestClient(t, pages(`{"entities":[{"id":"a"}],`+member+`}`))
			objects, err := collect(t.Context(), c, typ)
			_, incomplete := errors.AsType[*IncompleteError](err)
			require.True(t, incomplete, "%s: %s passes for the whole list: %v", name, member, err)
			require.Len(t, objects, 1)
			c, _ = newTestClient(t, pages(`{"entities":[{"id":"a"}],"total":1,`+member+`}`, `{"entities":[],"total":1}`))
			_, err = collect(t.Context(), c, typ)
			require.NoError(t, err, "%s: %s, but the total came", name, member)
		}
		for _, member := range []string{`"nextURI":null`, `"next":""`, `"hasMore":false`, `"cursors":{"after":null,"before":"x"}`, `"cursors":null`, `"lastUri":"/x?pageNumber=1"`, `"lastUri":"/x"`, `"lastUri":{}`, `"previousUri":"/x?pageNumber=0"`} {
			c, _ := newTestClient(t, pages(`{"entities":[{"id":"a"}],`+member+`}`))
			_, err := collect(t.Context(), c, typ)
			require.NoError(t, err, "%s: %s", name, member)
		}
	}
	// A link beside a smaller count is followed.
	c, s := newTestClient(t, pages(`{"entities":[{"id":"a"}],"pageCount":1,"nextUri":"/x?pageNumber=2"}`, `{"entities":[{"id":"b"}],"pageCount":1}`))
	objects, err := collect(t.Context(), c, things(1))
	require.NoError(t, err)
	require.Len(t, objects, 2)
	require.Len(t, s.requests(), 2)
}

// TestIgnoredPaging: a service that answers every page with the same objects,
// changed or not, is asked a few times, and not believed.
func TestIgnoredPaging(t *testing.T) {
	for _, typ := range []ObjectType{things(100), nextURI()} {
		typ.PageSize = 100
		n := 0
		c, s := newTestClient(t, func(*http.Request) *http.Response {
			n++
			return answer(200, items(0, 100, `"pageSize":100`, fmt.Sprintf(`"moving":%d,"nextUri":"/x?pageNumber=%d&after=%d"`, n, n+1, n)))
		})
		_, err := collect(t.Context(), c, typ)
		_, incomplete := errors.AsType[*IncompleteError](err)
		require.True(t, incomplete, "%v", err)
		require.LessOrEqual(t, len(s.requests()), 4)
	}
}

// TestForeignText: what the server says is clipped and printable wherever it
// enters, and a page takes time in proportion to its size.
func TestForeignText(t *testing.T) {
	nasty := "ok\x1b[2J permissions\r\n\u202eall \u0007granted" + strings.Repeat("x", 1<<20)
	for _, body := range []string{
		fmt.Sprintf(`{"code":%q,"message":%q,"contextId":%q,"limit":{"key":%q}}`, "c", "m", "i", "k"),
		nasty,
		`{"message":` + string(jsonString(nasty)) + `,"code":` + string(jsonString(nasty)) + `,"contextId":` + string(jsonString(nasty)) + `,"limit":{"key":` + string(jsonString(nasty)) + `}}`,
	} {
		r := answer(400, body, "Inin-Correlation-Id", nasty)
		defer r.Body.Close()
		r.Request, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/api/v2/x%1b%0ay", http.NoBody)
		e := newAPIError(r, []byte(body), asksObject, func(s string) string { return s })
		text := e.Error() + e.Limit
		require.Less(t, len(text), 3000)
		require.Equal(t, text, oneLine(text), "it prints in one line")
	}
	for _, page := range []string{"<script>", "<script>a</script", "<", "<style><b>", "</", "<x>"} {
		start := time.Now()
		plainText([]byte(strings.Repeat(page, 64<<10/len(page))), func(s string) string { return s })
		require.Less(t, time.Since(start), time.Second, "64 KiB of %q", page)
	}
	require.Equal(t, "a b c", plainText([]byte("<p>a<script>if (x</b>) {}</script><STYLE>q</style>b\n<br/>c"), func(s string) string { return s }))
}
