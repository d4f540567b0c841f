package environment_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// What came back after the list was read, and before it is read by its ID, has
// changed since the last pass that saw it.
func TestRecreatedDuringAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		id := slices.Min(slices.Collect(maps.Keys(maps.Collect(org.Objects("routing.wrapupcodes")))))
		gone := false
		engine := open(t, org, memory.New(), func(o *environment.Options) {
			o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
				if gone && strings.HasSuffix(r.URL.Path, id) {
					gone = false
					_, err := org.Create("routing.wrapupcodes", map[string]any{"id": id, "name": "Another"})
					require.NoError(t, err)
				}
				return org.Transport().RoundTrip(r)
			})
		})
		env := create(t, engine, recordOf(org, "routing.wrapupcodes"))
		poll := func() history.Summary {
			time.Sleep(time.Hour)
			results, err := engine.Poll(t.Context(), env.ID, "routing.wrapupcodes")
			require.NoError(t, err)
			require.True(t, results[0].Complete)
			return results[0].Summary
		}
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		seen := poll()
		require.NoError(t, org.Delete("routing.wrapupcodes", id))
		gone = true
		require.Equal(t, 1, poll().Withheld, "it was not listed, and it is not gone")
		require.False(t, gone)
		require.Equal(t, 1, poll().Updated)

		h, err := engine.History(t.Context(), env.ID)
		require.NoError(t, err)
		for c, err := range h.Changes(t.Context(), history.Query{}) {
			require.NoError(t, err)
			require.Equal(t, history.KindUpdated, c.Kind)
			require.Equal(t, seen.AsOf, c.After)
		}
	})
}

// The removal of a child is not lost when it cannot be recorded at once, though
// the marker of its parent moves no more.
func TestRemovedChildrenAreLookedForAgain(t *testing.T) {
	const flows, children = "flows", "flows.latestconfiguration"
	for name, gone := range map[string]int{"a sudden drop": 7, "a walk that is not complete": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(nil)
				engine := open(t, org, memory.New(), nil)
				env := create(t, engine, recordOf(org, flows, children))
				_, err := engine.Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
				ids := slices.Sorted(maps.Keys(maps.Collect(org.Objects(children))))
				for _, id := range ids[:gone] {
					require.NoError(t, org.Delete(children, id))
				}
				if gone == 1 {
					for _, id := range ids[len(ids)-2:] { // one is read again, the other cannot be
						require.NoError(t, org.Update(children, id, map[string]any{"description": "moves the marker"}))
					}
					org.Fail("/api/v2/flows/"+ids[len(ids)-1]+"/latestconfiguration", genesystest.Status(http.StatusServiceUnavailable), -1)
				}
				deleted := 0
				for range 3 {
					time.Sleep(time.Hour)
					results, err := engine.Poll(t.Context(), env.ID, flows, children)
					require.NoError(t, err)
					deleted += results[1].Deleted
					org.Recover()
				}
				require.Equal(t, gone, deleted)
			})
		})
	}
}
