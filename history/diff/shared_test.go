package diff

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShared(t *testing.T) {
	c := compile(t, Rules{Sets: []string{"set"}})
	for _, test := range []struct{ old, new, a, b string }{
		{`{"x":1}`, `{"x":1,"charts":[1]}`, `{"x":1}`, `{"x":1}`},
		{`{"x":1,"gone":{"y":1}}`, `{"x":2}`, `{"x":1}`, `{"x":2}`},
		{`{"x":{"a":1}}`, `{"x":{"a":2,"b":1},"y":1}`, `{"x":{"a":1}}`, `{"x":{"a":2}}`},
		{`{"l":[{"id":"a"},{"id":"b","x":1}]}`, `{"l":[{"id":"b","x":2,"new":1},{"id":"c","new":1}]}`, `{"l":[{"id":"a"},{"id":"b","x":1}]}`, `{"l":[{"id":"b","x":2},{"id":"c","new":1}]}`},
		{`{"l":[{"x":1},{"x":2}]}`, `{"l":[{"x":1,"n":1},{"x":3,"n":2}]}`, `{"l":[{"x":1},{"x":2}]}`, `{"l":[{"x":1},{"x":3}]}`},
		{`{"set":[{"id":"b"},{"id":"a"}]}`, `{"set":[{"id":"a","n":1},{"id":"b","n":1}]}`, `{"set":[{"id":"a"},{"id":"b"}]}`, `{"set":[{"id":"a"},{"id":"b"}]}`},
		{`{"x":[]}`, `{"x":{}}`, `{"x":[]}`, `{"x":{}}`},
		{`null`, `{"x":1}`, `null`, `{"x":1}`},
	} {
		a, b, err := c.Shared(canonical(t, c, []byte(test.old)), canonical(t, c, []byte(test.new)))
		require.NoError(t, err)
		require.Equal(t, []string{test.a, test.b}, []string{string(a), string(b)})
	}
}

// What two random bodies share is canonical, no member of an object of it comes or goes, and a body shares all with itself.
func TestSharedOfRandomPairs(t *testing.T) {
	for n := range 500 {
		g := newGenerator(uint64(n))
		c := compile(t, ruleSets[n%len(ruleSets)])
		v := g.body()
		old, new := canonical(t, c, g.text(v)), canonical(t, c, g.text(g.mutate(g.mutate(v))))
		a, b, err := c.Shared(old, new)
		require.NoError(t, err)
		again, _, err := c.Shared(old, old)
		require.NoError(t, err)
		require.Equal(t, string(old), string(again))
		require.True(t, bytes.Equal(old, new) || len(a) <= len(old) && len(b) <= len(new))
		for _, change := range checkDiff(t, c, a, b) {
			last := change.Path[strings.LastIndex(change.Path, "/")+1:]
			if change.Op == OpAdd || change.Op == OpRemove {
				require.True(t, isIndex(last), "%s of\n%s\n%s", change, a, b)
			}
		}
	}
}
