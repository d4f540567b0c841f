package genesystest_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

func firstID(org *genesystest.Org, typ string) string {
	for id := range org.Objects(typ) {
		return id
	}
	return ""
}

func TestSeed(t *testing.T) {
	contents := func(seed uint64) map[string]string {
		org, all := genesystest.New(&genesystest.Options{Seed: seed}), map[string]string{}
		for _, typ := range org.Types() {
			n := 0
			for id, body := range org.Objects(typ.Name) {
				require.True(t, json.Valid(body), "%s %s: %s", typ.Name, id, body)
				all[typ.Name+" "+id] = string(body)
				if n++; n == 8 {
					break
				}
			}
		}
		return all
	}
	one, again, other := contents(1), contents(1), contents(2)
	require.Equal(t, one, again)
	same := 0
	for id, body := range other {
		if one[id] == body {
			same++
		}
	}
	require.Less(t, same, len(one)/4, "two seeds make the same org")
	require.Greater(t, len(one), 1000)
}

// TestReferences follows every reference to a type of the catalogue.
func TestReferences(t *testing.T) {
	org := genesystest.New(nil)
	followed := 0
	for from, reference := range map[string][]string{
		"routing.queues":     {"division.id", "authorization.divisions", "queueFlow.id", "flows"},
		"architect.ivrs":     {"openHoursFlow.id", "flows", "scheduleGroup.id", "architect.schedulegroups"},
		"outbound.campaigns": {"contactList.id", "outbound.contactlists", "queue.id", "routing.queues", "script.id", "scripts.published", "site.id", "telephony.sites"},
		"telephony.phones":   {"site.id", "telephony.sites", "webRtcUser.id", "users"},
		"users":              {"manager.id", "users", "division.id", "authorization.divisions"},
	} {
		for id, body := range org.Objects(from) {
			var v any
			require.NoError(t, json.Unmarshal(body, &v))
			for path, to := range pairs(reference) {
				if target := at(v, path); target != "" {
					_, ok := org.Object(to, target)
					require.True(t, ok, "%s %s: %s leads nowhere", from, id, path)
					followed++
				}
			}
		}
	}
	require.Greater(t, followed, 100)
}

func pairs(s []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(s); i += 2 {
		m[s[i]] = s[i+1]
	}
	return m
}

// TestEdits creates, updates, touches and deletes an object of every type.
func TestEdits(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	c := newCaller(t, org)
	for _, typ := range org.Types() {
		t.Run(typ.Name, func(t *testing.T) {
			c := &caller{t, org, c.token}
			id := firstID(org, typ.Name)
			if id == "" {
				t.Skip("none in this org")
			}
			before, _ := org.Object(typ.Name, id)
			require.NoError(t, org.Update(typ.Name, id, map[string]any{"x-note": map[string]any{"deep": 1}}))
			after, ok := org.Object(typ.Name, id)
			require.True(t, ok)
			moved := changedMembers(t, before, after)
			require.Contains(t, moved, "x-note")
			for _, member := range moved {
				require.True(t, member == "x-note" || movesWith(typ, member) || slices.Contains([]string{"version", "modifiedDate", "dateModified"}, member), "%s moved with an edit", member)
			}
			if err := org.Touch(typ.Name, id); err == nil {
				touched, _ := org.Object(typ.Name, id)
				for _, member := range changedMembers(t, after, touched) {
					require.True(t, slices.ContainsFunc(typ.Volatile, func(v string) bool { return strings.HasPrefix(v, member) }), member)
				}
				if typ.Name != "integrations.credentials" { // its dates are in its list only
					require.NotEqual(t, string(after), string(touched))
				}
			}
			if typ.Paging == genesys.PagingSingleton || typ.Parent != "" && strings.Contains(typ.Path, "=") {
				return
			}
			c.checkCreateDelete(typ, id)
		})
	}
}

func changedMembers(t *testing.T, before, after []byte) []string {
	t.Helper()
	var a, b map[string]any
	require.NoError(t, json.Unmarshal(before, &a))
	require.NoError(t, json.Unmarshal(after, &b))
	var names []string
	for name := range b {
		if fmt.Sprint(a[name]) != fmt.Sprint(b[name]) {
			names = append(names, name)
		}
	}
	return names
}

func movesWith(typ genesys.ObjectType, member string) bool {
	return slices.ContainsFunc(append(slices.Clone(typ.Volatile), typ.Marker...), func(path string) bool {
		return path == member || strings.HasPrefix(path, member+".")
	})
}

func (c *caller) checkCreateDelete(typ genesys.ObjectType, sibling string) {
	c.t.Helper()
	count := func() (n int) {
		for range c.org.Objects(typ.Name) {
			n++
		}
		return n
	}
	n := count()
	parts := strings.Split(sibling, "/")
	parentID := strings.Join(parts[:len(parts)-len(typ.ID)], "/")
	fields := map[string]any{}
	if len(typ.ID) == 1 && !strings.Contains(typ.ID[0], ".") {
		fields[typ.ID[0]] = "made-here"
	} else {
		for _, path := range typ.ID {
			if name, below, nested := strings.Cut(path, "."); nested {
				fields[name] = map[string]any{below: "made"}
			} else {
				fields[name] = "made"
			}
		}
		fields["namespace"] = "made"
	}
	id, err := c.org.CreateChild(typ.Name, parentID, fields)
	require.NoError(c.t, err)
	require.Equal(c.t, n+1, count())
	_, err = c.org.CreateChild(typ.Name, parentID, fields)
	require.ErrorIs(c.t, err, genesystest.ErrConflict)
	require.NoError(c.t, c.org.Update(typ.Name, id, map[string]any{"x": 2}))
	require.NoError(c.t, c.org.Delete(typ.Name, id))
	if body, there := c.org.Object(typ.Name, id); there {
		require.Contains(c.t, string(body), `"state":"deleted"`)
		return
	}
	require.Equal(c.t, n, count())
	require.ErrorIs(c.t, c.org.Delete(typ.Name, id), genesystest.ErrNotFound)
	require.NoError(c.t, c.org.Delete(typ.Name, sibling))
	items, _ := c.org.Object(typ.Name, sibling)
	require.True(c.t, items == nil || strings.Contains(string(items), `"state":"deleted"`))
}

// TestEditsKeepTheListsForm edits objects whose lists leave members out.
func TestEditsKeepTheListsForm(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	for typ, test := range map[string]struct{ list, member string }{
		"scripts":          {"/api/v2/scripts", "variables"},
		"flows.datatables": {"/api/v2/flows/datatables", "schema"},
		"users":            {"/api/v2/users", "skills"},
	} {
		id := firstID(org, typ)
		require.NoError(t, org.Update(typ, id, map[string]any{"name": "Edited", test.member: map[string]any{"edited": true}}))
		one := c.get(test.list + "/" + id + "?expand=" + test.member).json()
		require.Equal(t, "Edited", at(one, "name"))
		require.Equal(t, "true", at(one, test.member+".edited"))
		listed := c.get(test.list).json()["entities"].([]any)[0].(map[string]any)
		require.Equal(t, "Edited", at(listed, "name"))
		require.NotContains(t, listed, test.member)
	}
}

func TestChildrenGoWithTheirParent(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	id := firstID(org, "routing.queues")
	path := "/api/v2/routing/queues/" + id + "/members"
	require.Equal(t, 200, c.get(path).status)
	require.NoError(t, org.Delete("routing.queues", id))
	require.Equal(t, 404, c.get(path).status)
	require.Equal(t, 404, c.get("/api/v2/routing/queues/"+id).status)
	for child := range org.Objects("routing.queues.members") {
		require.False(t, strings.HasPrefix(child, id))
	}
}

// TestMarkersOfParents: where the catalogue has the marker of the parent stand for a child, the child's coming, edit and
// going each move it to what it never was. Other children leave their parent alone.
func TestMarkersOfParents(t *testing.T) {
	org := genesystest.New(nil)
	marked := 0
	for _, typ := range org.Types() {
		id := firstID(org, typ.Name)
		if typ.Parent == "" || len(typ.Marker) == 0 && typ.Name != "routing.queues.wrapupcodes" {
			continue
		}
		parentType, ok := genesys.DefaultCatalogue().Lookup(typ.Parent)
		require.True(t, ok)
		parentID := genesys.JoinID(genesys.SplitID(id)[0])
		look := func() string {
			body, ok := org.Object(typ.Parent, parentID)
			require.True(t, ok)
			if len(typ.Marker) == 0 {
				return string(body)
			}
			var values []string
			for _, field := range parentType.Marker {
				raw, ok := jsonscan.Lookup(body, strings.Split(field, ".")...)
				require.True(t, ok, field)
				values = append(values, string(raw))
			}
			return strings.Join(values, " ")
		}
		seen := []string{look()}
		moves := func(what string, err error) {
			require.NoError(t, err, "%s: %s", typ.Name, what)
			require.Equal(t, len(typ.Marker) == 0, slices.Contains(seen, look()), "%s: %s", typ.Name, what)
			seen = append(seen, look())
		}
		moves("edit", org.Update(typ.Name, id, map[string]any{"extra": 1}))
		if typ.Paging != genesys.PagingSingleton {
			made, err := org.CreateChild(typ.Name, parentID, map[string]any{"name": "New"})
			moves("coming", err)
			moves("going", org.Delete(typ.Name, made))
			marked++
		}
	}
	require.Equal(t, 4, marked)
}

func TestWritesOverHTTP(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	made := c.do("POST", "/api/v2/routing/queues", map[string]any{"name": "New", "id": "mine"})
	require.Equal(t, 200, made.status)
	id := made.field("id")
	require.NotEqual(t, "mine", id)
	path := "/api/v2/routing/queues/" + id
	require.Equal(t, "New", c.get(path).field("name"))
	require.Equal(t, "Newer", c.do("PATCH", path, map[string]any{"name": "Newer"}).field("name"))
	put := c.do("PUT", path, map[string]any{"name": "Newest"})
	require.Equal(t, "Newest", put.field("name"))
	require.Empty(t, put.field("description"), "PUT leaves nothing that was not sent")
	require.NotEmpty(t, put.field("dateModified"))
	require.Equal(t, 204, c.do("DELETE", path, nil).status)
	require.Equal(t, 404, c.get(path).status)

	site := "/api/v2/telephony/providers/edges/sites/" + firstID(org, "telephony.sites")
	require.Equal(t, "general.conflict", c.do("PUT", site, map[string]any{"version": 999}).field("code"))
	bin := c.do("POST", "/api/v2/taskmanagement/workbins", map[string]any{"name": "Bin"})
	require.Equal(t, 200, c.get("/api/v2/taskmanagement/workbins/"+bin.field("id")).status)
	require.Equal(t, 405, c.do("DELETE", "/api/v2/routing/queues", nil).status)
	require.Equal(t, 404, c.get("/api/v2/no/such/path").status)
	require.Equal(t, 400, c.do("POST", "/api/v2/routing/queues", []int{1}).status)
}

func TestFilters(t *testing.T) {
	org := genesystest.New(nil)
	c := newCaller(t, org)
	count := func(uri string) string { return c.get(uri).field("total") }
	require.Equal(t, "25", count("/api/v2/users?state=any"))
	require.Equal(t, "23", count("/api/v2/users"), "active ones by default")
	require.Equal(t, "2", count("/api/v2/users?state=inactive"))
	require.Len(t, c.get("/api/v2/presence/definitions").json()["entities"], 7, "those that are not deactivated by default")
	require.Len(t, c.get("/api/v2/presence/definitions?deactivated=TRUE").json()["entities"], 1)
	row := c.get("/api/v2/flows/datatables/" + firstID(org, "flows.datatables") + "/rows").json()["entities"].([]any)[0]
	require.Len(t, row, 1, "only the key unless showbrief=false")
	require.Equal(t, 404, c.get("/api/v2/identityproviders/ping").status)
	require.Equal(t, 200, c.get("/api/v2/identityproviders/okta").status)
}

func TestPageParameters(t *testing.T) {
	c := newCaller(t, genesystest.New(&genesystest.Options{Counts: map[string]int{"users": 2_000}}))
	for _, test := range []struct {
		uri  string
		want int
		code string
	}{
		{"/api/v2/routing/queues?pageSize=500", 200, ""},
		{"/api/v2/routing/queues?pageSize=501", 400, "invalid.value"},
		{"/api/v2/routing/queues?pageSize=0", 400, "invalid.value"},
		{"/api/v2/routing/queues?pageNumber=0", 400, "invalid.value"},
		{"/api/v2/routing/queues?pageNumber=x", 400, "invalid.value"},
		{"/api/v2/routing/queues?pageNumber=99", 200, ""},
		{"/api/v2/teams?after=nonsense", 400, "invalid.value"},
		{"/api/v2/users?state=inactive&pageSize=500&pageNumber=20", 200, ""},
		{"/api/v2/users?state=inactive&pageSize=500&pageNumber=21", 400, "bad.request"},
		{"/api/v2/users?state=any&pageSize=500&pageNumber=4", 200, ""},
	} {
		a := c.get(test.uri)
		require.Equal(t, test.want, a.status, test.uri)
		if test.code != "" {
			require.Equal(t, test.code, a.field("code"), test.uri)
			require.Equal(t, a.header.Get("Inin-Correlation-Id"), a.field("contextId"))
		}
	}
	require.Empty(t, c.get("/api/v2/routing/queues/"+firstID(c.org, "routing.queues")+"/members").field("total"))
	teams := c.get("/api/v2/teams?pageSize=1").field("nextUri")
	require.True(t, strings.HasPrefix(teams, "/api/v2/teams?"), teams)
}

// TestSize walks 200,000 users and looks at what an org takes in memory beside the tables that all orgs share.
func TestSize(t *testing.T) {
	newCaller(t, genesystest.New(nil)).get("/api/v2/users") // reads the tables
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	org := genesystest.New(&genesystest.Options{Size: 200_000, RateLimit: -1})
	c := newCaller(t, org)
	last := c.get("/api/v2/users?state=any&pageSize=500&pageNumber=400")
	require.Equal(t, "200000", last.field("total"))
	users := last.json()["entities"].([]any)
	require.Len(t, users, 500)
	id := at(users[499], "id")
	require.Equal(t, id, c.get("/api/v2/users/"+id).field("id"))
	require.NoError(t, org.Delete("users", id))
	require.Equal(t, 404, c.get("/api/v2/users/"+id).status)
	require.Equal(t, "199999", c.get("/api/v2/users?state=any").field("total"))
	org.ClearRequests()
	if after := heap(); after > before {
		t.Logf("%.1f MB", float64(after-before)/(1<<20))
		require.Less(t, after-before, uint64(3<<20))
	}
	runtime.KeepAlive(org)
}

func TestConcurrentUse(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	c := newCaller(t, org)
	ids := slices.Collect(maps.Keys(maps.Collect(org.Objects("routing.queues"))))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20 {
				switch g {
				case 0:
					c.get("/api/v2/routing/queues")
				case 1:
					_ = org.Update("routing.queues", ids[i%len(ids)], map[string]any{"description": strconv.Itoa(i)})
				case 2:
					_, _ = org.Create("routing.queues", map[string]any{"name": strconv.Itoa(i)})
				case 3:
					org.SetDivisions(map[bool][]string{true: {"Home"}}[i%2 == 0]...)
					org.Stats()
					org.Requests()
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for range org.Objects("routing.queues") {
		n++
	}
	require.Equal(t, len(ids)+20, n)
}

func TestConsistencyDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{ConsistencyDelay: 10 * time.Second})
		c := newCaller(t, org)
		total := func() string { return c.get("/api/v2/routing/queues").field("total") }
		made, err := org.Create("routing.queues", map[string]any{"name": "Late"})
		require.NoError(t, err)
		old := firstID(org, "routing.queues")
		name := c.get("/api/v2/routing/queues/" + old).field("name")
		require.NoError(t, org.Update("routing.queues", old, map[string]any{"name": "Changed"}))
		require.NoError(t, org.Delete("routing.queues", old))
		require.Equal(t, "12", total())
		require.Equal(t, name, c.get("/api/v2/routing/queues/"+old).field("name"))
		require.Equal(t, 404, c.get("/api/v2/routing/queues/"+made).status)
		time.Sleep(10 * time.Second)
		require.Equal(t, "12", total())
		require.Equal(t, 404, c.get("/api/v2/routing/queues/"+old).status)
		require.Equal(t, "Late", c.get("/api/v2/routing/queues/"+made).field("name"))
	})
}

// TestReferencesCanBeRead follows every address in the first objects of every
// type: what an object refers to is there, and nothing leads off the machine.
func TestReferencesCanBeRead(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	c := newCaller(t, org)
	status := map[string]int{}
	for _, typ := range org.Types() {
		n := 0
		for id, body := range org.Objects(typ.Name) {
			if n++; n > 3 {
				break
			}
			for path, uri := range addresses(decoded(t, body), "") {
				if path == ".selfUri" || !strings.HasPrefix(uri, "/api/v2/") {
					continue
				}
				if _, known := status[uri]; !known {
					status[uri] = c.get(uri).status
				}
				if status[uri] != 200 {
					t.Errorf("%s %s: %s leads to %s, which answers %d", typ.Name, id, path, uri, status[uri])
				}
			}
		}
	}
	require.Greater(t, len(status), 300)
}

// addresses yields the selfUri members of a document with their paths.
func addresses(v any, path string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				for p, uri := range addresses(e, path) {
					if !yield(p, uri) {
						return
					}
				}
			}
		case map[string]any:
			if uri, ok := v["selfUri"].(string); ok && !yield(path+".selfUri", uri) {
				return
			}
			for name, e := range v {
				for p, uri := range addresses(e, path+"."+name) {
					if !yield(p, uri) {
						return
					}
				}
			}
		}
	}
}
