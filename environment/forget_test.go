package environment_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// Nothing in the store names a parent that is forgotten, but what was said of it
// by its children.
func TestForgetErasesEveryTrace(t *testing.T) {
	for _, failing := range []bool{false, true} {
		org := genesystest.New(nil)
		store := memory.New()
		engine := open(t, org, store, nil)
		env := create(t, engine, recordOf(org, "flows.versions"))
		flow := firstID(t, org.Objects("flows"))
		if failing { // in the order of the flows, so that the last one is named
			org.Fail("flows.versions", genesystest.FeatureOff(), -1)
			flow = slices.Max(slices.Collect(maps.Keys(maps.Collect(org.Objects("flows")))))
		}
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		traces := func() (keys []string) {
			for key, value := range contents(t, store) {
				isHistory := strings.HasPrefix(key, "history/") && !strings.HasPrefix(key, "history/1/parent/")
				if !isHistory && strings.Contains(key+value, flow) {
					keys = append(keys, key)
				}
			}
			return keys
		}
		require.Equal(t, failing, slices.ContainsFunc(traces(), func(key string) bool { return strings.Contains(key, "/type/") }))
		require.NotEmpty(t, traces())
		require.ErrorIs(t, engine.Forget(t.Context(), env.ID, "Flows", "", ""), history.ErrNotFound)
		require.NotEmpty(t, traces(), "of another object")
		require.NoError(t, engine.Forget(t.Context(), env.ID, "Flows", flow, ""))
		require.Empty(t, traces())
	}
}

// What is listed below a parent is named in an error by its own id, and by the path that was asked: both go.
func TestForgetErasesIDsInErrors(t *testing.T) {
	org := genesystest.New(nil)
	store := memory.New()
	engine := open(t, org, store, nil)
	env := create(t, engine, recordOf(org, "routing.queues.members"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	member := firstID(t, org.Objects("routing.queues.members"))
	_, user, _ := strings.Cut(member, "/")
	var b storage.Batch
	key := storage.Key("environment", "0000000001", "type", "routing.queues.members")
	require.NoError(t, b.PutJSON(key, environment.TypeState{Type: "routing.queues.members", Failed: "genesys: GET /api/v2/x/members/" + user + ": 500"}))
	require.NoError(t, store.Commit(t.Context(), &b))
	require.NoError(t, engine.Forget(t.Context(), env.ID, "routing.queues.members", member, ""))
	require.NotContains(t, contents(t, store)[key], user)
}

// Forget and AcceptRemovals take labels as Poll does, and refuse as it does.
func TestTypesAreGivenByLabelToo(t *testing.T) {
	org := genesystest.New(nil)
	store := memory.New()
	engine := open(t, org, store, nil)
	env := create(t, engine, recordOf(org, "Queues"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	queue := firstID(t, org.Objects("routing.queues"))
	_, want := engine.Poll(t.Context(), env.ID, "queue")
	require.ErrorContains(t, want, "did you mean routing.queues (Queues)?")
	require.EqualError(t, engine.Forget(t.Context(), env.ID, "queue", queue, ""), want.Error())
	require.EqualError(t, engine.AcceptRemovals(t.Context(), env.ID, "queue", queue), want.Error())
	require.ErrorIs(t, engine.AcceptRemovals(t.Context(), env.ID, " queues", queue), history.ErrNotFound, "it is not withheld")
	require.NoError(t, engine.Forget(t.Context(), env.ID, "Queues", queue, ""))
}

// What was recorded can be erased when the catalogue has the type no longer.
func TestForgetOfATypeThatIsGone(t *testing.T) {
	own, ok := genesys.DefaultCatalogue().Lookup("routing.skills")
	require.True(t, ok)
	own.Name, own.Label = "own.skills", "Own skills"
	catalogue, err := genesys.DefaultCatalogue().With(own)
	require.NoError(t, err)
	org := genesystest.New(&genesystest.Options{Catalogue: catalogue})
	store := memory.New()
	engine := open(t, org, store, func(o *environment.Options) { o.Catalogue = catalogue })
	env := create(t, engine, recordOf(org, "Own skills"))
	_, err = engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	h, err := engine.History(t.Context(), env.ID)
	require.NoError(t, err)
	for head, err := range h.Heads(t.Context(), "own.skills") {
		require.NoError(t, err)
		require.NoError(t, open(t, org, store, nil).Forget(t.Context(), env.ID, "own.skills", head.ID, ""))
		return
	}
	t.Fatal("nothing was recorded")
}
