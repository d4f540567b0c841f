package genesys_test

import (
	"encoding/json"
	"fmt"
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
	client := newClient(t, org)
	for ot := range genesys.DefaultCatalogue().All() {
		t.Run(ot.Name, func(t *testing.T) {
			var want, got []string
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
			for _, parent := range parents {
				org.ClearRequests()
				listed := collectObjects(t, below(t, client, ot, parent))
				sent := apiRequests(org)
				require.Equal(t, fewest(t, client, ot, parent, len(listed)), sent, "%s under %q: %d objects", ot.Path, parent.ID, len(listed))
				for _, o := range listed {
					got = append(got, o.ID)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got)
		})
	}
}

// A type whose path takes values from its parent's body costs what listing
// these parents costs, and one list for each of the values.
func TestRequestsOfSourcedTypes(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1, Size: 120})
	client := newClient(t, org)
	tested := 0
	for ot := range genesys.DefaultCatalogue().All() {
		if !ot.NeedsParentBody() {
			continue
		}
		chain := []genesys.ObjectType{ot}
		for chain[0].Parent != "" {
			chain = slices.Insert(chain, 0, typeNamed(t, chain[0].Parent))
		}
		org.ClearRequests()
		want := 0
		level := []genesys.Object{{}}
		for _, typ := range chain {
			require.NotEmpty(t, level, "%s: nothing to list %s below", ot.Name, typ.Name)
			var next []genesys.Object
			for _, parent := range level {
				before := apiRequests(org)
				listed := collectObjects(t, below(t, client, typ, parent))
				sent := apiRequests(org) - before
				require.Equal(t, fewest(t, client, typ, parent, len(listed)), sent, "%s under %q", typ.Name, parent.ID)
				want += sent
				next = append(next, listed...)
			}
			level = next
		}
		require.Equal(t, want, apiRequests(org), "%s: nothing but lists is asked for", ot.Name)
		tested++
	}
	require.Equal(t, 10, tested)
}

func below(t *testing.T, client *genesys.Client, ot genesys.ObjectType, parent genesys.Object) iter.Seq2[genesys.Object, error] {
	t.Helper()
	if ot.Parent == "" {
		return client.List(t.Context(), ot)
	}
	return client.Children(t.Context(), ot, parent)
}

func collectObjects(t *testing.T, list iter.Seq2[genesys.Object, error]) (objects []genesys.Object) {
	t.Helper()
	for o, err := range list {
		require.NoError(t, err)
		objects = append(objects, o)
	}
	return objects
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

// fewest returns how many requests it takes to list the n objects of a type
// below one parent: full pages, for each variant and each value that the path
// takes from the parent's body. All these values lead to the same n objects.
func fewest(t *testing.T, client *genesys.Client, ot genesys.ObjectType, parent genesys.Object, n int) int {
	t.Helper()
	values := sourceValues(t, ot.Path, parent.Body)
	if ot.Divisions != "" {
		ot.Divisions = ""
		return 1 + fewest(t, client, ot, parent, n) // the divisions, which fit on one page here
	}
	switch {
	case ot.PageSize == 0:
		return max(1, len(ot.Variants)) * values
	case len(ot.Variants) == 0:
		return values * max(1, (n+ot.PageSize-1)/ot.PageSize)
	}
	requests := 0
	for _, variant := range ot.Variants {
		one := ot
		one.Variants = nil
		one.Path += map[bool]string{true: "&", false: "?"}[strings.Contains(ot.Path, "?")] + variant
		n := len(collectObjects(t, below(t, client, one, parent)))
		requests += values * max(1, (n+ot.PageSize-1)/ot.PageSize)
	}
	return requests
}

// sourceValues counts the different values that a path like
// /api/v2/x/{xId}/versions/{versionId=latest} takes from a body.
func sourceValues(t *testing.T, path string, body []byte) int {
	t.Helper()
	product := 1
	for _, part := range strings.Split(path, "{")[1:] {
		variable, _, _ := strings.Cut(part, "}")
		_, source, sourced := strings.Cut(variable, "=")
		if !sourced {
			continue
		}
		var doc any
		require.NoError(t, json.Unmarshal(body, &doc))
		values := map[string]bool{}
		for field := range strings.SplitSeq(source, ",") {
			valuesAt(doc, strings.Split(field, "."), values)
		}
		product *= len(values)
	}
	return product
}

func valuesAt(doc any, path []string, values map[string]bool) {
	switch doc := doc.(type) {
	case []any:
		for _, element := range doc {
			valuesAt(element, path, values)
		}
	case map[string]any:
		if len(path) > 0 {
			valuesAt(doc[path[0]], path[1:], values)
		}
	case nil:
	default:
		values[fmt.Sprint(doc)] = true
	}
}
