package genesys_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// Where a list can be asked for one object, it tells of it what the whole list tells, in one request; and a service that
// does not follow the parameter is not taken at its word.
func TestListOne(t *testing.T) {
	t.Parallel()
	org := genesystest.New(&genesystest.Options{RateLimit: -1, Size: 30})
	client := newClient(t, org)
	tested := 0
	for typ := range genesys.DefaultCatalogue().All() {
		if typ.ByID == "" {
			_, _, err := client.ListOne(t.Context(), typ, "some")
			require.ErrorIs(t, err, genesys.ErrNoGet, typ.Name)
			continue
		}
		tested++
		listed := collectObjects(t, client.List(t.Context(), typ))
		require.NotEmpty(t, listed, typ.Name)
		want := listed[len(listed)/2]
		org.ClearRequests()
		got, found, err := client.ListOne(t.Context(), typ, want.ID)
		require.NoError(t, err, typ.Name)
		require.True(t, found, typ.Name)
		require.Equal(t, want, got, typ.Name)
		require.Equal(t, 1, apiRequests(org), typ.Name)

		_, found, err = client.ListOne(t.Context(), typ, "no such & id")
		require.NoError(t, err, typ.Name)
		require.False(t, found, typ.Name)

		typ.ByID = "unheardOf"
		_, _, err = client.ListOne(t.Context(), typ, want.ID)
		require.Equal(t, len(listed) > 1, errors.Is(err, genesys.ErrNoGet), typ.Name)
	}
	require.Greater(t, tested, 20)
}
