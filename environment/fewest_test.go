package environment_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// The first import and a pass in which nothing changed send hardly more requests than page sizes allow: one for each
// page of each list, and one for each object, or part of one, that no list has in whole. The rotation, which is off
// here, reads one object or more of each type that has such objects.
func TestFewestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Size: 210, RateLimit: -1})
		engine := open(t, org, memory.New(), func(o *environment.Options) { o.Rotation = -1 })
		env := create(t, engine, recordOf(org))
		result, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
		imported := map[string]int64{}
		for _, p := range result.Types {
			imported[p.Type] = p.Requests
		}
		unchanged := map[string]int64{}
		for _, p := range pollAll(t, engine, env.ID) {
			unchanged[p.Type] = p.Requests
		}
		client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
		require.NoError(t, err)
		var sent, fewest [2]int64
		for typ := range genesys.DefaultCatalogue().All() {
			if !typ.Default || typ.Parent != "" {
				continue // what is below depends on what engines skip
			}
			before, objects := org.Stats().Requests, int64(0)
			for _, err := range client.List(t.Context(), typ) {
				require.NoError(t, err)
				objects++
			}
			pages := int64(org.Stats().Requests - before)
			reads := objects * int64(len(typ.Parts))
			if !typ.Whole {
				reads += objects
			}
			fewest[0] += pages + reads
			if sent[0] += imported[typ.Name]; len(typ.Marker) > 0 {
				reads = 0
			}
			fewest[1] += pages + reads
			sent[1] += unchanged[typ.Name]
		}
		for i, what := range []string{"import", "unchanged"} {
			t.Logf("%s: %d requests, %d at least: %+.2f %%", what, sent[i], fewest[i], 100*float64(sent[i]-fewest[i])/float64(fewest[i]))
			require.LessOrEqual(t, float64(sent[i]), 1.02*float64(fewest[i]), what)
		}
	})
}
