package environment_test

import (
	"maps"
	"sync/atomic"
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

// People are renamed and get their old names back. What borrows their names is unchanged all the time,
// and byte for byte what is stored at the end: it is called as they are.
func TestNamesThatComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		users := maps.Collect(org.Objects("users"))
		var renamed atomic.Bool
		engine := open(t, org, memory.New(), func(o *environment.Options) {
			o.Transport = renaming(t, org, &renamed, func(id string) bool { return users[id] != nil })
		})
		borrowers := []string{"routing.queues.members", "teams.members", "groups.individuals"}
		env := create(t, engine, recordOf(org, append(borrowers, "users", "routing.queues", "teams", "groups")...))
		h, err := engine.History(t.Context(), env.ID)
		require.NoError(t, err)
		poll := func() map[string]string {
			pollAll(t, engine, env.ID)
			names := map[string]string{}
			for _, typ := range borrowers {
				for hd, err := range h.Heads(t.Context(), typ) {
					require.NoError(t, err)
					names[typ+" "+hd.ID] = hd.Name
				}
			}
			return names
		}
		before := poll()
		renamed.Store(true)
		require.NotEqual(t, before, poll())
		renamed.Store(false)
		require.Equal(t, before, poll())
	})
}
