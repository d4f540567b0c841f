package genesystest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
)

// TestPlainCalls has a row for each call that clients make besides lists and reads.
func TestPlainCalls(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	one := func(typ string) string { return firstID(org, typ) }
	for _, row := range []struct{ method, path, member, want string }{
		{"GET", "/api/v2/authorization/divisions/home", "homeDivision", "true"},
		{"GET", "/api/v2/businessrules/decisiontables/search?name=o", "selfUri", "/api/v2/businessrules/decisiontables/search"},
		{"GET", "/api/v2/greetings/" + one("greetings") + "/downloads", "id", one("greetings")},
		{"GET", "/api/v2/greetings/" + one("greetings") + "/media", "id", one("greetings")},
		{"POST", "/api/v2/outbound/contactlists/" + one("outbound.contactlists") + "/contacts/search", "total", "0"},
		{"POST", "/api/v2/taskmanagement/workitems/query", "total", "0"},
		{"POST", "/api/v2/outbound/dnclists/" + one("outbound.dnclists") + "/export", "selfUri", "/api/v2/outbound/dnclists/" + one("outbound.dnclists") + "/export"},
	} {
		a := c.do(row.method, row.path, map[string]any{})
		require.Equal(t, 200, a.status, "%s: %s", row.path, a.body)
		if row.member != "" {
			require.Equal(t, row.want, a.field(row.member), row.path)
		}
	}
	products := c.get("/api/v2/authorization/products").json()
	require.EqualValues(t, len(products["entities"].([]any)), products["total"])
	require.Equal(t, 404, c.get("/api/v2/outbound/dnclists/nobody/export").status)
	export := c.get("/api/v2/outbound/dnclists/" + one("outbound.dnclists") + "/export")
	var file struct{ URI string }
	require.NoError(t, json.Unmarshal(export.body, &file))
	require.Equal(t, 200, c.download(file.URI, false).status)

	var form struct{ ContextID string }
	for _, body := range org.Objects("quality.publishedforms.evaluations") {
		require.NoError(t, json.Unmarshal(body, &form))
	}
	var forms []any
	require.NoError(t, json.Unmarshal(c.get("/api/v2/quality/forms/evaluations/bulk/contexts?contextId="+form.ContextID).body, &forms))
	require.NotEmpty(t, forms)

	org.SetPermissions("nothing:at:all")
	require.Equal(t, 403, c.do("POST", "/api/v2/taskmanagement/workitems/query", map[string]any{}).status)
}

// TestTemplatesOfActions: an edited template moves the version of its action and
// nothing else of it.
func TestTemplatesOfActions(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	id := firstID(org, "integrations.actions")
	path := "/api/v2/integrations/actions/" + id
	before, text := c.get(path).json(), string(c.get(path+"/templates/requesttemplate.vm").body)
	require.Contains(t, text, "${input.")
	require.False(t, json.Valid([]byte(text)))
	require.NoError(t, org.SetPart("integrations.actions", id, "requestTemplate", "edited"))
	after := c.get(path).json()
	require.Equal(t, "edited", string(c.get(path+"/templates/requesttemplate.vm").body))
	require.NotEqual(t, before["version"], after["version"])
	after["version"] = before["version"]
	require.Equal(t, before, after)
	require.Error(t, org.SetPart("integrations.actions", id, "other", ""))
	require.Error(t, org.SetPart("integrations.actions", id, "function", "text"))
	require.Equal(t, 404, c.get(path+"/templates/other.vm").status)
	functions := 0
	for id := range org.Objects("integrations.actions") {
		if a := c.get("/api/v2/integrations/actions/" + id + "/function"); a.status == 200 {
			require.Equal(t, "index.handler", a.field("function.handler"))
			functions++
		}
	}
	require.Positive(t, functions)
}

// TestPagingByTheLastID: the ID of an object is a cursor too.
func TestPagingByTheLastID(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	first := c.get("/api/v2/integrations/credentials/listing?pageSize=2").json()["entities"].([]any)
	rest := c.get("/api/v2/integrations/credentials/listing?pageSize=200&after=" + at(first[1], "id")).json()["entities"].([]any)
	all := c.get("/api/v2/integrations/credentials/listing?pageSize=200").json()["entities"].([]any)
	require.Equal(t, all, append(first, rest...))
	require.Equal(t, 400, c.get("/api/v2/integrations/credentials/listing?after=nobody").status)
}
