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

const usersPerPage = 500

// userPage makes one page of n users of about a kilobyte each.
func userPage(number, n int) []byte {
	from := (number - 1) * usersPerPage
	page := make([]byte, 0, usersPerPage*1300)
	page = append(page, `{"entities":[`...)
	for i := from; i < min(from+usersPerPage, n); i++ {
		if i > from {
			page = append(page, ',')
		}
		page = fmt.Appendf(page, `{"id":"7f3c0000-0000-4000-8000-%012d","name":"User %d",`, i, i)
		page = append(page, userRest...)
	}
	return fmt.Appendf(page, `],"pageSize":%d,"pageNumber":%d,"total":%d,"pageCount":%d}`, usersPerPage, number, n, (n+usersPerPage-1)/usersPerPage)
}

// servePages answers with page(number).
func servePages(page func(number int) []byte) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		number, _ := strconv.Atoi(r.URL.Query().Get("pageNumber"))
		body := page(number)
		resp := answer(200, "")
		resp.Body, resp.ContentLength = readCloser{bytes.NewReader(body)}, int64(len(body))
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
	pages := make([][]byte, n/usersPerPage)
	for i := range pages {
		pages[i] = userPage(i+1, n)
	}
	c, _ := newTestClient(b, servePages(func(number int) []byte { return pages[number-1] }))
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
		c, _ := newTestClient(t, servePages(func(number int) []byte { return userPage(number, n) }))
		var m runtime.MemStats
		i := 0
		for _, err := range c.List(t.Context(), users) {
			if err != nil {
				t.Fatal(err)
			}
			if i++; i == n {
				runtime.GC()
				runtime.ReadMemStats(&m)
			}
		}
		require.Equal(t, n, i)
		return m.HeapAlloc
	}
	small, large := held(1000), held(10_000)
	perObject := (float64(large) - float64(small)) / 9_000
	t.Logf("%d bytes at 1,000 users, %d at 10,000: %.0f more per user, of %d in its body", small, large, perObject, len(userRest))
	require.Less(t, perObject, 120.0)
}
