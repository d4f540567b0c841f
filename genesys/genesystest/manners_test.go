package genesystest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// TestManners: what the service does differently from type to type means to the
// client what it means.
func TestManners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
		require.NoError(t, err)
		queues, _ := client.Catalogue().Lookup("routing.queues")
		var id string
		for _, as := range []genesystest.Burial{genesystest.BuryNotFound, genesystest.BuryGone, genesystest.BuryTombstone, genesystest.BuryState} {
			org.Bury("Queues", as)
			for id = range org.Objects("routing.queues") {
				break
			}
			require.NoError(t, org.Delete("routing.queues", id))
			o, err := client.Get(t.Context(), queues, genesys.Object{ID: id})
			require.True(t, o.Deleted || genesys.MeaningOf(err) == genesys.Deleted, "%d: %v", as, err)
		}

		org.Lag("Queues", time.Minute)
		id, err = org.Create("routing.queues", map[string]any{"name": "One"})
		require.NoError(t, err)
		_, err = client.Get(t.Context(), queues, genesys.Object{ID: id})
		require.ErrorIs(t, err, genesys.ErrNotFound)
		time.Sleep(time.Minute)
		require.NoError(t, org.Update("routing.queues", id, map[string]any{"name": "Two"}))
		for _, want := range []string{"One", "Two"} {
			o, err := client.Get(t.Context(), queues, genesys.Object{ID: id})
			require.NoError(t, err)
			require.Equal(t, want, o.Name)
			time.Sleep(time.Minute)
		}

		org.Withdraw("Queues", 410)
		for _, err := range client.List(t.Context(), queues) {
			require.Equal(t, genesys.Unavailable, genesys.MeaningOf(err))
		}
		org.Withdraw("Queues", 0)
		org.Fail("Queues", genesystest.Announce("nextUri", `{"href":"/more"}`), 1)
		var last error
		for _, last = range client.List(t.Context(), queues) {
		}
		require.ErrorContains(t, last, "href")
	})
}
