package genesys

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// userPages serves n users of about a kilobyte each from pages made beforehand;
// only the IDs are written for each request.
func userPages(n int) func(*http.Request) *http.Response {
	const size = 500
	return func(r *http.Request) *http.Response {
		number, _ := strconv.Atoi(r.URL.Query().Get("pageNumber"))
		from := (number - 1) * size
		var page bytes.Buffer
		page.Grow(size * 1100)
		page.WriteString(`{"entities":[`)
		for i := from; i < min(from+size, n); i++ {
			if i > from {
				page.WriteByte(',')
			}
			fmt.Fprintf(&page, `{"id":"7f3c0000-0000-4000-8000-%012d","name":"User %d",`, i, i)
			page.WriteString(userRest)
		}
		fmt.Fprintf(&page, `],"pageSize":%d,"pageNumber":%d,"total":%d,"pageCount":%d}`, size, number, n, (n+size-1)/size)
		resp := answer(200, "")
		resp.Body, resp.ContentLength = &wholeBody{data: page.Bytes()}, int64(page.Len())
		return resp
	}
}

const userRest = `"division":{"id":"d1","name":"Home","selfUri":"/api/v2/authorization/divisions/d1"},"chat":{"jabberId":"5f0c@contoso.orgspan.com"},
"department":"Sales","email":"user@contoso.example","primaryContactInfo":[{"address":"user@contoso.example","mediaType":"EMAIL","type":"PRIMARY"}],
"addresses":[{"address":"+31201234567","display":"+31 20 123 4567","mediaType":"PHONE","type":"WORK","countryCode":"NL"}],"state":"active","title":"Agent",
"username":"user@contoso.example","manager":{"id":"m1","selfUri":"/api/v2/users/m1"},"images":[{"resolution":"x96","imageUri":"https://example.com/1.png"}],
"version":17,"skills":[{"id":"s1","name":"Billing","proficiency":4.0,"state":"active","skillUri":"/api/v2/routing/skills/s1","selfUri":"/api/v2/users/u/routingskills/s1"},
{"id":"s2","name":"Sales","proficiency":3.0,"state":"active","skillUri":"/api/v2/routing/skills/s2","selfUri":"/api/v2/users/u/routingskills/s2"}],
"languages":[{"id":"l1","name":"Dutch","proficiency":5.0,"state":"active"}],"acdAutoAnswer":false,"selfUri":"/api/v2/users/u"}`

func BenchmarkList(b *testing.B) {
	const n = 100_000
	users, _ := Lookup("users")
	serve := userPages(n)
	var pages []*wholeBody
	for i := range n / 500 {
		r, _ := http.NewRequest(http.MethodGet, "http://x/?pageNumber="+strconv.Itoa(i+1), http.NoBody)
		pages = append(pages, serve(r).Body.(*wholeBody))
	}
	c, _ := newTestClient(b, func(r *http.Request) *http.Response {
		number, _ := strconv.Atoi(r.URL.Query().Get("pageNumber"))
		resp := answer(200, "")
		page := pages[number-1].data
		resp.Body, resp.ContentLength = readCloser{bytes.NewReader(page)}, int64(len(page))
		return resp
	})
	b.ReportAllocs()
	total := 0
	for b.Loop() {
		for o, err := range c.List(b.Context(), users) {
			if err != nil {
				b.Fatal(err)
			}
			total += len(o.Body)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
	b.SetBytes(int64(total / b.N))
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// TestMemoryOfALongWalk: what a walk holds grows by a few words per ID, and
// not with the bodies.
func TestMemoryOfALongWalk(t *testing.T) {
	users, _ := Lookup("users")
	users.Split = nil
	held := func(n int) uint64 {
		c, _ := newTestClient(t, userPages(n))
		var peak uint64
		i := 0
		for _, err := range c.List(t.Context(), users) {
			require.NoError(t, err)
			if i++; i%(n/4) == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
		require.Equal(t, n, i)
		return peak
	}
	small, large := held(1000), held(20_000)
	perObject := (float64(large) - float64(small)) / 19_000
	t.Logf("%d bytes at 1,000 users, %d at 20,000: %.0f more per user, of 1,100 in its body", small, large, perObject)
	require.Less(t, perObject, 120.0)
}
