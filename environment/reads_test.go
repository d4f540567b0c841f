package environment_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// A catalogue that asks for more than the one before it invents no change: what
// is new in the bodies starts there. An edit in the same pass is one all the same,
// and so is a later one of what is new.
func TestAskingForMoreIsNoChange(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	store := memory.New()
	less, _ := genesys.DefaultCatalogue().Lookup("flows.datatables")
	less.Path, _, _ = strings.Cut(less.Path, "?")
	less.Get, _, _ = strings.Cut(less.Get, "?")
	catalogue, err := genesys.DefaultCatalogue().With(less)
	require.NoError(t, err)
	before := open(t, org, store, func(o *environment.Options) { o.Catalogue = catalogue })
	env := create(t, before, recordOf(org, "flows.datatables"))
	_, err = before.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)

	id := firstID(t, org.Objects("flows.datatables"))
	require.NoError(t, org.Update("flows.datatables", id, map[string]any{"description": "edited"}))
	after := open(t, org, store, nil)
	for range 2 {
		_, err = after.Poll(t.Context(), env.ID, "flows.datatables")
		require.NoError(t, err)
	}
	h, err := after.History(t.Context(), env.ID)
	require.NoError(t, err)
	changes := func() (paths []string) {
		for c, err := range h.Changes(t.Context(), history.Query{}) {
			require.NoError(t, err)
			for _, f := range c.Fields {
				paths = append(paths, c.ID+f.Path)
			}
		}
		return paths
	}
	require.Equal(t, []string{id + "/description"}, changes())

	body, _ := org.Object("flows.datatables", id)
	require.Contains(t, string(body), `"schema"`)
	require.NoError(t, org.Update("flows.datatables", id, map[string]any{"schema": map[string]any{"title": "another"}}))
	_, err = after.Poll(t.Context(), env.ID, "flows.datatables")
	require.NoError(t, err)
	require.Greater(t, len(changes()), 1, "an edit of what is read since then")
}
