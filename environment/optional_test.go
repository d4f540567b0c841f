package environment_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// optionals returns all types of which there is one object below a parent, or none, with the types
// that they are below, and an org of so many of each parent.
func optionals(n int) (types, parents []string, org *genesystest.Org) {
	counts := map[string]int{}
	for typ := range genesys.DefaultCatalogue().All() {
		if typ.Parent == "" || !typ.Absent || typ.NeedsParentBody() {
			continue
		}
		types = append(types, typ.Name)
		for above := typ.Parent; above != ""; {
			t, _ := genesys.DefaultCatalogue().Lookup(above)
			parents = append(parents, above)
			if counts[above] = n; t.Parent != "" {
				counts[above] = 1
			}
			above = t.Parent
		}
	}
	slices.Sort(parents)
	return types, slices.Compact(parents), genesystest.New(&genesystest.Options{Counts: counts, RateLimit: -1})
}

// pollOptionals polls the parents and then the types, and returns the results of these.
func pollOptionals(t *testing.T, engine *environment.Engine, id int64, parents, types []string) map[string]environment.PassResult {
	t.Helper()
	if len(parents) > 0 {
		pollAll(t, engine, id, parents...)
	}
	results := map[string]environment.PassResult{}
	for _, r := range pollAll(t, engine, id, types...) {
		results[r.Type] = r
	}
	return results
}

// The one object below a parent goes while the parent stays. Whichever way the service says so, the
// second pass that hears it records one deletion, of any type.
func TestOptionalObjectsGoBelowLiveParents(t *testing.T) {
	for _, as := range []genesystest.Burial{genesystest.BuryNotFound, genesystest.BuryGone} {
		synctest.Test(t, func(t *testing.T) {
			types, parents, org := optionals(4)
			engine := open(t, org, memory.New(), nil)
			env := create(t, engine, recordOf(org, append(types, parents...)...))
			_, err := engine.Import(t.Context(), env.ID, nil)
			require.NoError(t, err)
			gone := map[string]string{}
			for _, name := range types {
				org.Bury(name, as)
				if all := slices.Sorted(maps.Keys(maps.Collect(org.Objects(name)))); len(all) > 0 {
					gone[name] = all[0]
					require.NoError(t, org.Delete(name, all[0]))
				}
			}
			require.Greater(t, len(gone), 20)
			deleted := map[string]int{}
			for range 3 { // some parents have a marker that moves with what is below them, or the rotation comes by
				for name, r := range pollOptionals(t, engine, env.ID, parents, types) {
					deleted[name] += r.Deleted
				}
			}
			h, err := engine.History(t.Context(), env.ID)
			require.NoError(t, err)
			for name, id := range gone {
				require.Equal(t, 1, deleted[name], "%s %d", name, as)
				_, err := h.Body(t.Context(), name, id)
				require.ErrorIs(t, err, history.ErrNotFound, name)
			}
		})
	}
}

// The API of such a type is withdrawn: below each parent the service says what it says of an object
// that does not exist. Nobody has deleted anything, however often it says so.
func TestOptionalTypesAreWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		types, parents, org := optionals(20)
		engine := open(t, org, memory.New(), func(o *environment.Options) { o.Rotation = 4 })
		env := create(t, engine, recordOf(org, append(types, parents...)...))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		var many []string
		for _, name := range types {
			if len(maps.Collect(org.Objects(name))) >= 20 {
				many = append(many, name)
			}
		}
		require.Greater(t, len(many), 20)
		statuses := []int{http.StatusNotFound, http.StatusGone}
		if *full {
			statuses = append(statuses, http.StatusMethodNotAllowed, http.StatusNotImplemented)
		}
		for _, status := range statuses {
			for _, name := range many {
				org.Withdraw(name, status)
			}
			for range 2 {
				for name, r := range pollOptionals(t, engine, env.ID, nil, many) {
					require.Zero(t, r.Deleted, "%d %s: %+v", status, name, r)
					require.NotEmpty(t, r.Reason+r.Unavailable, "%d %s: %+v", status, name, r)
				}
			}
			for _, name := range many {
				org.Withdraw(name, 0)
			}
			time.Sleep(24 * time.Hour)
			for name, r := range pollOptionals(t, engine, env.ID, nil, many) {
				require.Zero(t, r.Withheld, "%d %s: %+v", status, name, r)
			}
		}
		require.Empty(t, changes(t, engine, env.ID, history.Query{Types: many}))
	})
}
