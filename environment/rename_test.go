package environment_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// A name belongs to the object that has it. When every object of the org is renamed, one after the other and wherever it is
// named, none differs but itself; its versions and what it is made of, which have its id, count as itself.
func TestRenamesConcernOneObject(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Counts: few(2)})
	secret := new([32]byte{1})
	ids := map[string]bool{}
	for typ := range genesys.DefaultCatalogue().All() {
		for id := range org.Objects(typ.Name) {
			if own := genesys.SplitID(id); len(own[len(own)-1]) == len("52366523-470d-427e-9b6a-79fc053ef60c") {
				ids[own[len(own)-1]] = true
			}
		}
	}
	// The local org takes names of other systems, and of parts, for those of objects.
	foreign := []string{"journey.segments", "languageunderstanding.miners"}
	renamed, named := 0, 0
	for typ := range genesys.DefaultCatalogue().All() {
		rules := rulesOf(t, typ)
		differs := func(body []byte, isRenamed func(id string) bool) bool {
			after := rename(t, body, isRenamed)
			a, err := rules.Digest(secret, body)
			require.NoError(t, err)
			b, err := rules.Digest(secret, after)
			require.NoError(t, err)
			return a != b
		}
		for id, body := range org.Objects(typ.Name) {
			own := genesys.SplitID(id)
			if text, ok := top(t, body)["id"].(string); ok {
				own = append(own, text)
			}
			others := func(id string) bool {
				return ids[id] && !slices.Contains(own, id) && !slices.Contains(foreign, typ.Name)
			}
			require.False(t, differs(body, others), "%s %s: %s", typ.Name, id, body)
			if differs(body, func(id string) bool { return slices.Contains(own, id) }) {
				renamed++
			}
			if name, ok := top(t, body)["name"].(string); ok && name != "" {
				named++
			}
		}
	}
	require.Greater(t, renamed, named/2)
	t.Logf("%d of %d objects with a name have it of themselves", renamed, named)
}

func top(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(body, &v))
	o, _ := v.(map[string]any)
	return o
}

// rename renames objects wherever a body has their id and their name.
func rename(t *testing.T, body []byte, isRenamed func(id string) bool) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	eachObject(v, func(o map[string]any) {
		id, _ := o["id"].(string)
		if name, ok := o["name"].(string); ok && id != "" && isRenamed(id) {
			o["name"] = name + " renamed"
		}
	})
	after, err := json.Marshal(v)
	require.NoError(t, err)
	return after
}

// renaming is the transport to an org in which some objects are renamed while on is set.
func renaming(t *testing.T, org *genesystest.Org, on *atomic.Bool, isRenamed func(id string) bool) http.RoundTripper {
	t.Helper()
	return transportFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := org.Transport().RoundTrip(r)
		if err != nil || !on.Load() {
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		if json.Valid(body) {
			body = rename(t, body, isRenamed)
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, err
	})
}

// A division, a queue and a user are renamed: three changes, however many objects name them. A queue that goes to
// another division has a change that says both names.
func TestRenamesAreOneChangeEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		ids := map[string]bool{}
		var on atomic.Bool
		engine := open(t, org, memory.New(), func(o *environment.Options) {
			o.Transport = renaming(t, org, &on, func(id string) bool { return ids[id] })
		})
		types := []string{
			"authorization.divisions", "authorization.divisions.grants", "routing.queues", "routing.queues.members", "users",
			"teams.members", "groups.individuals", "architect.ivrs", "telephony.phones", "outbound.campaigns",
		}
		env := create(t, engine, recordOf(org, types...))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		queue := firstID(t, org.Objects("routing.queues"))
		for _, typ := range []string{"authorization.divisions", "routing.queues", "users"} {
			ids[firstID(t, org.Objects(typ))] = true
		}
		on.Store(true)
		pollAll(t, engine, env.ID)
		var renamed []string
		h, err := engine.History(t.Context(), env.ID)
		require.NoError(t, err)
		for c, err := range h.Changes(t.Context(), history.Query{}) {
			require.NoError(t, err)
			require.True(t, ids[c.ID], "%s", c)
			require.Len(t, c.Fields, 1)
			require.Equal(t, "/name", c.Fields[0].Path)
			renamed = append(renamed, c.Type)
		}
		require.ElementsMatch(t, []string{"authorization.divisions", "routing.queues", "users"}, renamed)

		cursor, err := h.Cursor(t.Context())
		require.NoError(t, err)
		was, _ := org.Object("routing.queues", queue)
		division := top(t, was)["division"].(map[string]any)
		other := map[string]any{}
		for id, body := range org.Objects("authorization.divisions") {
			if id != division["id"] && !ids[id] {
				other = map[string]any{"id": id, "name": top(t, body)["name"]}
			}
		}
		require.NoError(t, org.Update("routing.queues", queue, map[string]any{"division": other}))
		pollAll(t, engine, env.ID)
		for c, err := range h.Changes(t.Context(), history.Query{AfterSeq: cursor}) {
			require.NoError(t, err)
			require.Equal(t, queue, c.ID)
			require.Len(t, c.Fields, 1)
			require.Equal(t, "/division/id", c.Fields[0].Path)
			require.Contains(t, c.Fields[0].Names, other["id"])
			require.Contains(t, c.Fields[0].Names, division["id"])
			require.Contains(t, c.Fields[0].String(), " ("+other["name"].(string)+")")
			cursor = 0
		}
		require.Zero(t, cursor, "the queue has no change")
	})
}
