package genesys

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const usersPerPage = 500

// userPage makes one page of n users of about a kilobyte each, in the memory of another one.
func userPage(memory []byte, number, n int) []byte {
	from := (number - 1) * usersPerPage
	page := append(slices.Grow(memory[:0], usersPerPage*1300), `{"entities":[`...)
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
	users, _ := DefaultCatalogue().Lookup("users")
	pages := make([][]byte, n/usersPerPage)
	for i := range pages {
		pages[i] = userPage(nil, i+1, n)
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

// BenchmarkMemory measures what a walk holds: heap-MB is the most that the heap
// had in use, garbage included; B/object what is still needed at the end of the
// walk, but not at its beginning.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				peak, first, last := walkMemory(b, n)
				b.ReportMetric(float64(peak)/(1<<20), "heap-MB")
				b.ReportMetric((float64(last)-float64(first))/float64(n), "B/object")
			}
		})
	}
}

// walkMemory lists n users. It returns the most heap that was in use at any
// page, and what was needed at the first object and at the last one.
func walkMemory(tb testing.TB, n int) (peak, first, last uint64) {
	tb.Helper()
	users, _ := DefaultCatalogue().Lookup("users")
	users.Split = nil
	var m runtime.MemStats
	var page []byte // the service takes the memory of one page for all of them
	c, _ := newTestClient(tb, servePages(func(number int) []byte {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
		page = userPage(page, number, n)
		return page
	}))
	needed := func() uint64 {
		runtime.GC()
		runtime.GC() // also frees what a pool keeps from one cycle to the next
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	i := 0
	for _, err := range c.List(tb.Context(), users) {
		require.NoError(tb, err)
		if i++; i == 1 {
			first = needed()
		}
		if i == n {
			last = needed()
		}
	}
	require.Equal(tb, n, i)
	return peak, first, last
}

// TestMemoryOfALongWalk: what a walk holds grows by less than 20 bytes per
// object, and not with the bodies.
func TestMemoryOfALongWalk(t *testing.T) {
	const n = 10_000
	_, first, last := walkMemory(t, n)
	perObject := (float64(last) - float64(first)) / n
	t.Logf("%d bytes at the first user, %d at the last of %d: %.1f more per user, of %d in its body", first, last, n, perObject, len(userRest))
	require.Less(t, perObject, 20.0)
}

// TestAWalkLetsGoOfItsPages: while a page is asked for, the one before is not held.
func TestAWalkLetsGoOfItsPages(t *testing.T) {
	const size = 8 << 20
	filler := strings.Repeat("x", size)
	var heap []uint64
	typ := things(1)
	c, _ := newTestClient(t, servePages(func(number int) []byte {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // also frees what a pool keeps from one cycle to the next
		runtime.ReadMemStats(&m)
		heap = append(heap, m.HeapAlloc)
		return fmt.Appendf(nil, `{"entities":[{"id":"%d","filler":"%s"}],"pageCount":3}`, number, filler)
	}))
	for _, err := range c.List(t.Context(), typ) {
		require.NoError(t, err)
	}
	require.Len(t, heap, 3)
	require.Less(t, heap[2], heap[0]+size/2)
}

// BenchmarkClean takes the usual body, in which there is nothing to change, over the border.
func BenchmarkClean(b *testing.B) {
	users, _ := DefaultCatalogue().Lookup("users")
	body := []byte(`{"id":"u","name":"User",` + userRest)
	for name, border := range map[string]*border{"users": users.border(), "unknown": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if out, _, err := clean(body, border); err != nil || len(out) != len(body) {
					b.Fatal(err, string(out))
				}
			}
		})
	}
}
