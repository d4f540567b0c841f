package genesys_test

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// Every row of the catalogue lists all that a local org has, completely, with
// the fewest requests that its page size allows.
func TestEveryTypeOfALocalOrg(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1, Size: 120})
	config := org.Config()
	client, err := genesys.NewClient(config, &genesys.Options{Transport: org.Transport()})
	require.NoError(t, err)
	for _, ot := range genesys.Catalogue() {
		t.Run(ot.Name, func(t *testing.T) {
			var want []string
			for id := range org.Objects(ot.Name) {
				want = append(want, id)
			}
			parents := []genesys.Object{{}}
			if ot.Parent != "" {
				parents = nil
				for id, body := range org.Objects(ot.Parent) {
					parents = append(parents, genesys.Object{Type: ot.Parent, ID: id, Body: body})
				}
			}
			var got []string
			for _, parent := range parents {
				org.ClearRequests()
				list := client.List(t.Context(), ot)
				if ot.Parent != "" {
					list = client.Children(t.Context(), ot, parent)
				}
				ids := collectIDs(t, list)
				if !ot.NeedsParentBody() { // else it is one request for each value of the parent's field
					require.LessOrEqual(t, apiRequests(org), fewest(ot, len(ids)), "%s under %q: %d objects", ot.Path, parent.ID, len(ids))
				}
				got = append(got, ids...)
			}
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got)
		})
	}
}

func collectIDs(t *testing.T, list iter.Seq2[genesys.Object, error]) []string {
	t.Helper()
	var ids []string
	for o, err := range list {
		require.NoError(t, err)
		ids = append(ids, o.ID)
	}
	return ids
}

func apiRequests(org *genesystest.Org) int {
	n := 0
	for _, r := range org.Requests() {
		if strings.HasPrefix(r.Path, "/api/") && (r.Method == http.MethodGet || r.Method == http.MethodPost) {
			n++
		}
	}
	return n
}

// fewest returns how many requests n objects of a type take. Each variant may
// hold any part of them, and a last page may have to be looked at.
func fewest(ot genesys.ObjectType, n int) int {
	variants := max(1, len(ot.Variants))
	if ot.PageSize == 0 {
		return variants
	}
	full := n / ot.PageSize
	return full + variants
}
