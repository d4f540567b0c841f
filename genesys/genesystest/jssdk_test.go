package genesystest_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// A jsType is what the folder's program needs to know of a type.
type jsType struct {
	Name     string            `json:"name"`
	Key      string            `json:"key"` // of the list call: "GET /api/v2/users"
	Method   string            `json:"method"`
	Paging   genesys.Paging    `json:"paging"`
	Token    string            `json:"token"`
	Items    string            `json:"items"`
	ID       []string          `json:"id"`
	Whole    bool              `json:"whole"`
	Body     json.RawMessage   `json:"body"`
	Get      string            `json:"get"`
	GetQuery map[string]string `json:"getQuery"`
	Lists    []jsList          `json:"lists"`
	Size     int               `json:"size"` // of pages, so that there are a few
}

// A jsList is the list below one parent.
type jsList struct {
	Values  []string            `json:"values"`  // of the path's variables
	Queries []map[string]string `json:"queries"` // that are walked one after the other
	Gets    []jsGet             `json:"gets"`

	want []string
}

type jsGet struct {
	Values []string `json:"values"`
	ID     string   `json:"id"`
}

// TestJavaScriptSDK lets the service's own SDK list and read every type that it
// has a call for, below two parents each. It runs where "npm ci" was run in the
// folder jssdk.
func TestJavaScriptSDK(t *testing.T) {
	if _, err := os.Stat("jssdk/node_modules"); err != nil {
		t.Skip("the SDK is not installed")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	org := genesystest.New(&genesystest.Options{Size: 5, RateLimit: -1, MintLimit: -1})
	server, err := org.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	types := map[string]jsType{}
	var all []jsType
	for _, typ := range org.Types() {
		switch typ.Name {
		case "telephony.prefixes": // the SDK demands a parameter that the catalogue does not give
			continue
		case "telephony.extensions": // the SDK cannot name divisions, so that it gets the home division's
			continue
		}
		js := jsTypeOf(t, org, typ)
		for _, list := range js.Lists {
			js.Size = max(js.Size, (len(list.want)+2)/3)
		}
		types[typ.Name] = js
		all = append(all, js)
	}
	cmd := exec.CommandContext(t.Context(), node, "list.mjs", server.URL, genesystest.ClientID, genesystest.ClientSecret)
	cmd.Dir, cmd.Stderr, cmd.Stdin = "jssdk", os.Stderr, bytes.NewReader(mustMarshal(t, all))
	out, err := cmd.Output()
	require.NoError(t, err)
	var found map[string]struct {
		Lists       [][]string
		Read        int
		None, Error string
	}
	require.NoError(t, json.Unmarshal(out, &found))
	require.Len(t, found, len(all))
	listed, read := 0, 0
	var without []string
	for name, got := range found {
		if got.None != "" {
			without = append(without, name)
			continue
		}
		if got.Error != "" || len(got.Lists) != len(types[name].Lists) {
			t.Errorf("%s: %s", name, got.Error)
			continue
		}
		for i, list := range types[name].Lists {
			want := slices.Sorted(slices.Values(list.want))
			if ids := slices.Sorted(slices.Values(got.Lists[i])); !slices.Equal(want, ids) {
				t.Errorf("%s below %v: the SDK finds %q, the org has %q", name, list.Values, ids, want)
			}
		}
		listed++
		read += got.Read
	}
	slices.Sort(without)
	t.Logf("%d types were listed, %d objects read in %d requests; the SDK has no call for %s", listed, read, org.Stats().Requests, strings.Join(without, " "))
	require.LessOrEqual(t, len(without), 6)
	require.Greater(t, read, 250)
}

// jsTypeOf describes a type and what the org says that its lists hold.
func jsTypeOf(t *testing.T, org *genesystest.Org, typ genesys.ObjectType) jsType {
	t.Helper()
	path, query, _ := strings.Cut(typ.Path, "?")
	js := jsType{
		Name: typ.Name, Key: typ.Method + " " + nameless(path), Method: typ.Method, Paging: typ.Paging, Token: typ.Token, Items: typ.Items,
		ID: typ.ID, Whole: typ.Whole && typ.Paging != genesys.PagingSingleton, Body: json.RawMessage("{" + typ.Body + "}"),
	}
	get, getQuery, _ := strings.Cut(typ.Get, "?")
	js.Get, js.GetQuery = "GET "+nameless(get), parameters(t, getQuery)
	if typ.Parent == "" {
		js.Lists = []jsList{{Queries: queriesOf(t, typ, query), want: []string{}}}
		if typ.Divisions != "" { // else the home division alone
			js.Lists[0].Queries = nil
			for id := range org.Objects("authorization.divisions") {
				js.Lists[0].Queries = append(js.Lists[0].Queries, queriesOf(t, typ, query+"&"+typ.Divisions+"="+id)...)
			}
		}
		js.Lists[0].expect(t, org, typ, "")
		return js.existing(t, org, typ, map[int]string{0: path})
	}
	uris := map[int]string{}
	for parentID, body := range org.Objects(typ.Parent) {
		if len(js.Lists) >= 2 {
			break
		}
		for _, uri := range paths(t, typ, parentID, body) {
			below, query, _ := strings.Cut(uri, "?")
			list := jsList{Values: variablesOf(t, path, below), Queries: queriesOf(t, typ, query), want: []string{}}
			list.expect(t, org, typ, parentID)
			uris[len(js.Lists)] = uri
			js.Lists = append(js.Lists, list)
		}
	}
	return js.existing(t, org, typ, uris)
}

// expect says what the org holds below a parent, and which objects to read.
func (l *jsList) expect(t *testing.T, org *genesystest.Org, typ genesys.ObjectType, parentID string) {
	t.Helper()
	if typ.Paging == genesys.PagingSingleton {
		l.want = make([]string, len(l.Queries))
		return
	}
	for id := range org.Objects(typ.Name) {
		below, ok := strings.CutPrefix(id, parentID)
		if !ok {
			continue
		}
		own := strings.Join(splitID(t, strings.TrimPrefix(below, "/")), "\x00")
		l.want = append(l.want, own)
		if typ.Get != "" && !strings.Contains(typ.Get, "=") && len(l.Gets) < 2 {
			parts := splitID(t, id)
			n := strings.Count(typ.Get, "{")
			l.Gets = append(l.Gets, jsGet{Values: append(slices.Clone(parts[:n-1]), parts[len(parts)-1]), ID: own})
		}
	}
}

// existing leaves out what is not configured: singletons that answer 404.
func (js jsType) existing(t *testing.T, org *genesystest.Org, typ genesys.ObjectType, uris map[int]string) jsType {
	t.Helper()
	if typ.Paging != genesys.PagingSingleton {
		return js
	}
	c := newCaller(t, org)
	var lists []jsList
	for i, list := range js.Lists {
		if c.get(uris[i]).status == 200 {
			lists = append(lists, list)
		}
	}
	js.Lists = lists
	return js
}

// nameless is a path with empty names of variables, as the program writes it.
func nameless(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "{}"
		}
	}
	return strings.ToLower(strings.Join(parts, "/"))
}

// variablesOf reads the values of a template's variables out of a path.
func variablesOf(t *testing.T, template, path string) []string {
	t.Helper()
	values := []string{}
	parts := strings.Split(path, "/")
	for i, part := range strings.Split(template, "/") {
		if strings.HasPrefix(part, "{") {
			value, err := url.PathUnescape(parts[i])
			require.NoError(t, err)
			values = append(values, value)
		}
	}
	return values
}

func parameters(t *testing.T, query string) map[string]string {
	t.Helper()
	all := map[string]string{}
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	for name := range values {
		all[name] = values.Get(name)
	}
	return all
}

// queriesOf are the parameters of the lists that are merged, one for each variant.
func queriesOf(t *testing.T, typ genesys.ObjectType, query string) []map[string]string {
	t.Helper()
	var all []map[string]string
	for _, variant := range append(slices.Clone(typ.Variants), "")[:max(1, len(typ.Variants))] {
		all = append(all, parameters(t, strings.Trim(query+"&"+variant, "&")))
	}
	return all
}
