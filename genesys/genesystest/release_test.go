package genesystest_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
)

// TestRelease: a release changes the objects of a type in lists and by ID, the
// edited and the new ones too, and nothing that tells of an edit.
func TestRelease(t *testing.T) {
	for name, test := range map[string]struct {
		release genesystest.Release
		path    string
		want    func(id string) string
	}{
		"a field":           {genesystest.Release{Path: "preciseDialing", Value: false}, "preciseDialing", always("false")},
		"a nested field":    {genesystest.Release{Path: "mediaSettings.call.boost", Value: 3}, "mediaSettings.call.boost", always("3")},
		"nothing on no way": {genesystest.Release{Path: "nowhere.boost", Value: 3}, "nowhere.boost", always("")},
		"a value for each":  {genesystest.Release{Path: "lane", Each: func(id string) any { return id[:4] }}, "lane", func(id string) string { return id[:4] }},
		"a lost field":      {genesystest.Release{Path: "scoringMethod", Drop: true}, "scoringMethod", always("")},
		"a lost nested one": {genesystest.Release{Path: "mediaSettings.call", Drop: true}, "mediaSettings.call", always("")},
	} {
		t.Run(name, func(t *testing.T) {
			org := genesystest.New(nil)
			c := newCaller(t, org)
			edited := firstID(org, "routing.queues")
			require.NoError(t, org.Update("routing.queues", edited, map[string]any{"description": "edited"}))
			before := map[string]string{}
			for id, body := range org.Objects("routing.queues") {
				before[id] = at(decoded(t, body), "dateModified")
			}
			test.release.Type = "routing.queues"
			org.Release(test.release)
			made, err := org.Create("routing.queues", map[string]any{"name": "Later"})
			require.NoError(t, err)
			n := 0
			for id, body := range org.Objects("routing.queues") {
				require.Equal(t, test.want(id), at(decoded(t, body), test.path), "%s: %s", id, body)
				require.Equal(t, test.want(id), c.get("/api/v2/routing/queues/"+id).field(test.path))
				if id != made {
					require.Equal(t, before[id], at(decoded(t, body), "dateModified"))
				}
				n++
			}
			require.Equal(t, len(before)+1, n)
			for _, queue := range c.get("/api/v2/routing/queues?pageSize=100").json()["entities"].([]any) {
				require.Equal(t, test.want(at(queue, "id")), at(queue, test.path))
			}
		})
	}
}

func always(s string) func(string) string { return func(string) string { return s } }

func decoded(t *testing.T, body []byte) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(body, &v))
	return v
}

// TestReleaseSparesWhatSomebodySet: an object that has the field already, in an
// array here, keeps its value; the others get the default.
func TestReleaseSparesWhatSomebodySet(t *testing.T) {
	org := genesystest.New(nil)
	id := firstID(org, "routing.queues")
	rules := []any{map[string]any{"waitSeconds": 5, "boost": "mine"}, map[string]any{"waitSeconds": 9}}
	require.NoError(t, org.Update("routing.queues", id, map[string]any{"routingRules": rules}))
	org.Release(genesystest.Release{Type: "Queues", Path: "routingRules.boost", Value: "default"})
	body, _ := org.Object("routing.queues", id)
	require.JSONEq(t, `[{"waitSeconds":5,"boost":"mine"},{"waitSeconds":9,"boost":"default"}]`,
		string(mustMarshal(t, decoded(t, body).(map[string]any)["routingRules"])))
	require.Panics(t, func() { org.Release(genesystest.Release{Type: "no.such", Path: "x"}) })
}

// TestReleaseReachesReplicas: what a replica that lags knows of an edited object has what the platform did, too.
func TestReleaseReachesReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		c := newCaller(t, org)
		id := firstID(org, "routing.queues")
		for _, text := range []string{"first", "second"} {
			require.NoError(t, org.Update("routing.queues", id, map[string]any{"description": text}))
		}
		org.Lag("routing.queues", time.Minute)
		org.Release(genesystest.Release{Type: "routing.queues", Path: "boost", Value: 3})
		queue := c.get("/api/v2/routing/queues/" + id)
		require.Equal(t, "first 3", queue.field("description")+" "+queue.field("boost"))
	})
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return raw
}
