package environment_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// A process whose catalogue calls objects by another member goes over each of them, although none of
// their bytes has changed since the last one: what is left out of an object that is recognized must
// have been read in the same way before.
func TestANewProcessReadsEveryObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Counts: map[string]int{"routing.queues": 5}})
		store := memory.New()
		engine := open(t, org, store, nil)
		env := create(t, engine, recordOf(org, "routing.queues"))
		namesOf := func(engine *environment.Engine) (names []string) {
			for range 2 {
				time.Sleep(time.Hour)
				results, err := engine.Poll(t.Context(), env.ID)
				require.NoError(t, err)
				require.True(t, results[0].Complete)
			}
			h, err := engine.History(t.Context(), env.ID)
			require.NoError(t, err)
			for hd, err := range h.Heads(t.Context(), "routing.queues") {
				require.NoError(t, err)
				names = append(names, hd.Name)
			}
			return names
		}
		before := namesOf(engine)
		require.NoError(t, engine.Close(t.Context()))
		queues, _ := genesys.DefaultCatalogue().Lookup("routing.queues")
		queues.Title = "id"
		catalogue, err := genesys.DefaultCatalogue().With(queues)
		require.NoError(t, err)
		after := namesOf(open(t, org, store, func(o *environment.Options) { o.Catalogue = catalogue }))
		require.Len(t, after, 5)
		for i := range after {
			require.NotEqual(t, before[i], after[i])
		}
	})
}
