package genesys_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// Whoever has the bodies of an earlier walk gets the same objects from the next one, of every type.
// Those that are listed by an ID of their own are recognized, all but the one that was edited and
// those with secrets, which must not pass unseen.
func TestListAgain(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	client := newClient(t, org)
	types := 0
	for ot := range genesys.DefaultCatalogue().All() {
		parent := genesys.Object{}
		if ot.Parent != "" {
			for id, body := range org.Objects(ot.Parent) {
				parent = genesys.Object{Type: ot.Parent, ID: id, Body: body}
				break
			}
			if parent.ID == "" {
				continue
			}
		}
		var known []genesys.Object
		bodies := map[string][]byte{}
		for o, err := range below(t, client, ot, parent) {
			require.NoError(t, err)
			known = append(known, o)
			if bodies[o.ID] = o.Body; len(known) == 1 {
				bodies[o.ID] = bytes.Replace(o.Body, []byte(`}`), []byte(` }`), 1) // what it was before its edit
			}
		}
		n, recognized := 0, 0
		for o, err := range client.ListAgain(t.Context(), ot, parent, func(id string, text []byte) int {
			if body, ok := bodies[id]; ok && bytes.HasPrefix(text, body) {
				return len(body)
			}
			return 0
		}) {
			require.NoError(t, err)
			want := known[n]
			if n++; o.Recognized {
				recognized++
				require.Zero(t, want.Masked, "%s %s", ot.Name, o.ID)
				want = genesys.Object{Type: want.Type, ID: want.ID, Parent: want.Parent, Body: want.Body, Recognized: true}
			}
			require.Equal(t, want, o, ot.Name)
		}
		require.Len(t, known, n, ot.Name)
		if recognized > 0 {
			types++
		}
		require.LessOrEqual(t, recognized, max(0, n-1), ot.Name)
	}
	require.Greater(t, types, 120)
}
