package genesystest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		genesystest.New(nil)
	}
}

// BenchmarkUsersPage answers a page of 500 users.
func BenchmarkUsersPage(b *testing.B) {
	org := genesystest.New(&genesystest.Options{Size: 200_000, RateLimit: -1})
	c := newCaller(b, org)
	typ, _ := genesys.DefaultCatalogue().Lookup("users")
	b.ReportAllocs()
	for b.Loop() {
		a := c.do(http.MethodGet, typ.Path+"&pageSize=500&pageNumber=7", nil)
		require.Equal(b, 200, a.status)
		b.SetBytes(int64(len(a.body)))
	}
}
