package history

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
)

// TestOverlay: a body is changed to another canonical form, and what is not compared stays as it is.
func TestOverlay(t *testing.T) {
	t.Parallel()
	comparer, err := diff.Compile(diff.Rules{Ignore: []string{"**.self", "parts.id", "version"}, Sets: []string{"set"}})
	require.NoError(t, err)
	for name, c := range map[string]struct{ body, changed, want string }{
		"a member": {
			`{"version":3,"name":"a","self":"u"}`, `{"name":"b"}`, `{"version":3,"name":"b","self":"u"}`,
		},
		"a member that came and one that went": {
			`{"version":3,"old":1}`, `{"new":2}`, `{"version":3,"new":2}`,
		},
		"inside of an element with an id": {
			`{"l":[{"id":"x","n":1,"self":"u"},{"id":"y","n":1,"self":"v"}]}`, `{"l":[{"id":"y","n":2},{"id":"x","n":1}]}`,
			`{"l":[{"id":"y","n":2,"self":"v"},{"id":"x","n":1,"self":"u"}]}`,
		},
		"inside of an element with a number for its id": {
			`{"l":[{"id":7,"n":1,"self":"u"},{"id":8,"n":1,"self":"v"}]}`, `{"l":[{"id":8,"n":2}]}`, `{"l":[{"id":8,"n":2,"self":"v"}]}`,
		},
		"inside of an element whose id is not compared": {
			`{"parts":[{"id":"x","name":"a","n":1},{"id":"y","name":"b","n":1}]}`, `{"parts":[{"name":"b","n":2},{"name":"c","n":1}]}`,
			`{"parts":[{"id":"y","name":"b","n":2},{"n":1,"name":"c"}]}`,
		},
		"in a set": {
			`{"set":[{"id":"y","self":"v"},{"id":"x","self":"u"}]}`, `{"set":[{"id":"x","n":1}]}`, `{"set":[{"id":"x","self":"u","n":1}]}`,
		},
		"beside a member that is there twice": {
			`{"name":"a","n":1,"n":2,"self":"u","self":"v"}`, `{"name":"b","n":2}`, `{"name":"b","n":2,"self":"v"}`,
		},
		"two elements that nothing tells apart": {
			`{"l":[{"id":"x","n":1,"self":"u"},{"id":"x","n":2,"self":"v"}]}`, `{"l":[{"id":"x","n":2}]}`, `{"l":[{"id":"x","n":2}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, err := comparer.Canonical(nil, []byte(c.body))
			require.NoError(t, err)
			to, err := comparer.Canonical(nil, []byte(c.changed))
			require.NoError(t, err)
			got, err := overlay([]byte(c.body), from, to)
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
			form, err := comparer.Canonical(nil, got)
			require.NoError(t, err)
			require.Equal(t, string(to), string(form))
		})
	}
}
