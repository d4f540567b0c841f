package genesys

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

func FuzzID(f *testing.F) {
	f.Add("a/b", "%2F", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		defer bounded.Start(t)()
		parts := []string{a, b, c}
		if got := SplitID(JoinID(parts...)); !slices.Equal(got, parts) {
			t.Fatalf("%q became %q", parts, got)
		}
	})
}

func TestExpand(t *testing.T) {
	body := []byte(`{"v":7,"list":[{"code":"en"},{"code":"de/x"},{"code":"en"}],"no":null}`)
	for _, test := range []struct {
		template string
		parts    []string
		want     []string
	}{
		{"/a", nil, []string{"/a"}},
		{"/a/{x}", []string{"1"}, []string{"/a/1"}},
		{"/a/{x}", []string{"1", "2"}, []string{"/a/2"}},
		{"/a/{x}/b/{y}", []string{"1", "2", "3"}, []string{"/a/1/b/3"}},
		{"/a/{x}", []string{"b/c d?%"}, []string{"/a/b%2Fc%20d%3F%25"}},
		{"/a/{x}/b", []string{".."}, []string{"/a/%2E%2E/b"}},
		{"/a?q={x}", []string{"b&c=d"}, []string{"/a?q=b%26c%3Dd"}},
		{"/a/{x}/{v=v}", []string{"1"}, []string{"/a/1/7"}},
		{"/a/{x}/{l=list.code}/z", []string{"1"}, []string{"/a/1/en/z", "/a/1/de%2Fx/z"}},
		{"/a/{x}/{l=no,missing}", []string{"1"}, nil},
	} {
		targets, err := expand(test.template, test.parts, body)
		require.NoError(t, err, test.template)
		var paths []string
		for _, target := range targets {
			paths = append(paths, target.path)
		}
		require.Equal(t, test.want, paths, test.template)
	}
	_, err := expand("/a/{x}/b/{y}", []string{"1"}, nil)
	require.ErrorContains(t, err, "2 variables")
}

func FuzzExpand(f *testing.F) {
	f.Add("../..", "a?b#c")
	f.Fuzz(func(t *testing.T, a, b string) {
		defer bounded.Start(t)()
		targets, err := expand("/api/v2/x/{a}/y?q={b}", []string{a, b}, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse("https://api.mypurecloud.com" + targets[0].path)
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "api.mypurecloud.com" || strings.Count(u.EscapedPath(), "/") != 5 || u.Query().Get("q") != b || len(u.Query()) != 1 || u.Fragment != "" {
			t.Fatalf("%q, %q became %s", a, b, u)
		}
	})
}

func TestWithQuery(t *testing.T) {
	require.Equal(t, "/a", withQuery("/a", ""))
	require.Equal(t, "/a?b=1", withQuery("/a", "b=1"))
	require.Equal(t, "/a?c=2&b=1", withQuery("/a?c=2", "b=1"))
	require.Equal(t, "/a?c=2&state=active", withQuery("/a?state=any&c=2", "state=active"))
}
