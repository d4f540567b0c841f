package genesys_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

func records(tb testing.TB, c *genesys.Client, q genesys.AuditQuery) []genesys.AuditRecord {
	tb.Helper()
	var all []genesys.AuditRecord
	for r, err := range c.Audits(tb.Context(), q) {
		require.NoError(tb, err)
		all = append(all, r)
	}
	return all
}

// TestAuditsOfAllServices asks an org that allows a query without a service, and one that does not.
func TestAuditsOfAllServices(t *testing.T) {
	t.Parallel()
	for _, needed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			org := genesystest.New(&genesystest.Options{RealtimeNeedsService: needed, AuditNoise: 6, RateLimit: -1})
			c := newClient(t, org)
			start := time.Now()
			for _, typ := range []string{"routing.queues", "flows", "users", "gamification.profiles"} {
				_, err := org.Create(typ, map[string]any{"name": "New"})
				require.NoError(t, err)
				time.Sleep(7 * time.Hour)
			}
			got, err := c.AuditNeedsService(t.Context())
			require.NoError(t, err)
			require.Equal(t, needed, got)
			before := len(org.Requests())
			q := genesys.AuditQuery{Since: start, Until: time.Now(), Realtime: true}
			realtime := records(t, c, q)
			services := 1
			if needed {
				mapping, err := c.AuditMapping(t.Context(), true)
				require.NoError(t, err)
				services = len(mapping)
				before += 2 // each asked for it
			}
			require.Equal(t, 2*services, len(org.Requests())-before, "a query for each of two days")
			q.Realtime = false
			prepared := records(t, c, q)
			found, ids := map[string]bool{}, map[string]bool{}
			for _, r := range prepared {
				require.False(t, ids[r.ID], "%+v came twice", r)
				ids[r.ID], found[r.Entity.Type] = true, true
			}
			for _, name := range []string{"Queue", "Flow", "User", "Profile"} {
				require.True(t, found[name], name)
			}
			require.Len(t, realtime, len(prepared)-len(slices.DeleteFunc(prepared, func(r genesys.AuditRecord) bool { return r.Service != "Gamification" })), "realtime lacks a service")
		})
	}
}

// TestAuditIntervals has one row for each way to cut an interval: into days in realtime, else into 30 days.
func TestAuditIntervals(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		long     time.Duration
		realtime bool
		queries  int
		err      string
	}{
		{long: 0, realtime: true, err: "a Since that is before its Until"},
		{long: -day, err: "a Since that is before its Until"},
		{long: time.Millisecond, realtime: true, queries: 1},
		{long: day, realtime: true, queries: 1},
		{long: day + time.Millisecond, realtime: true, queries: 2},
		{long: 14 * day, realtime: true, queries: 14},
		{long: 15 * day, realtime: true, err: "reaches 14 days back"},
		{long: 15 * day, queries: 1},
		{long: 30 * day, queries: 1},
		{long: 30*day + time.Millisecond, queries: 2},
		{long: 364 * day, queries: 13},
	} {
		synctest.Test(t, func(t *testing.T) {
			org := genesystest.New(&genesystest.Options{RateLimit: -1, AuditNoise: -1})
			c := newClient(t, org)
			_, err := c.Organization(t.Context()) // tells the time
			require.NoError(t, err)
			want := 0
			for range 40 { // the first and last instants count, and each edit once
				require.NoError(t, org.As(genesystest.System).Update("voicemail.policy", "voicemail.policy", map[string]any{"n": want}))
				time.Sleep(9 * day)
				want++
			}
			time.Sleep(time.Hour)
			until := time.Now()
			asked, got := len(org.Requests()), 0
			ids := map[string]bool{}
			for r, err := range c.Audits(t.Context(), genesys.AuditQuery{Service: "Telephony", Since: until.Add(-test.long), Until: until, Realtime: test.realtime}) {
				if test.err != "" {
					require.ErrorContains(t, err, test.err)
					require.Equal(t, asked, len(org.Requests()), "it is refused at once")
					return
				}
				require.NoError(t, err)
				require.False(t, ids[r.ID])
				ids[r.ID] = true
				if r.Properties != nil { // else it is of what the system did next
					got++
				}
			}
			require.Empty(t, test.err)
			require.Equal(t, min(40, int((test.long-time.Hour)/(9*day))), got, test.long)
			queries := 0
			for _, r := range org.Requests()[asked:] {
				if r.Method == http.MethodPost && strings.HasPrefix(r.Path, "/api/") {
					queries++
				}
			}
			require.Equal(t, test.queries, queries, test.long)
		})
	}
}

func TestAuditNamesAreChecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		c := newClient(t, org)
		ask := func(q genesys.AuditQuery) (err error) {
			q.Since, q.Until, q.Realtime = time.Now().Add(-time.Hour), time.Now(), true
			for _, e := range c.Audits(t.Context(), q) {
				err = errors.Join(err, e)
			}
			return err
		}
		require.NoError(t, ask(genesys.AuditQuery{Service: "ContactCenter", EntityType: "Queue", Action: "Update", EntityID: "x", UserID: "y", ClientID: "z", TrusteeOrg: "o"}))
		for _, test := range []struct {
			q   genesys.AuditQuery
			err string
		}{
			{genesys.AuditQuery{Service: "contactcentre"}, `knows no Service "contactcentre"; did you mean "ContactCenter"?`},
			{genesys.AuditQuery{Service: "Routing", EntityType: "Queues"}, `knows no EntityType "Queues"; did you mean "Queue"?`},
			{genesys.AuditQuery{Service: "Routing", Action: "update"}, `knows no Action "update"; did you mean "Update"?`},
			{genesys.AuditQuery{Service: "Xylophones"}, `knows no Service "Xylophones"`},
		} {
			require.ErrorContains(t, ask(test.q), test.err)
		}
		c, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/servicemapping") {
				return canned(`{"services":[{"name":"Telepathy","entities":[{"name":"Thought","actions":["Transmit"]}]}]}`).RoundTrip(r)
			}
			return org.Transport().RoundTrip(r)
		})})
		require.NoError(t, err)
		q := genesys.AuditQuery{Service: "Telepathy", EntityType: "Thought", Action: "Transmit", Since: time.Now().Add(-time.Hour), Until: time.Now(), Realtime: true}
		require.Empty(t, records(t, c, q), "an org may be ahead of the table")
	})
}

// differences returns the types of which an org's audits do not tell as the catalogue says, with how they do.
func differences(m genesys.AuditMapping, c *genesys.Catalogue) map[string]genesys.Audit {
	found := map[string]genesys.Audit{}
	for typ := range c.All() {
		if org := m.Audit(typ); org != typ.Audit && typ.Audit.Service != "" {
			found[typ.Name] = org
		}
	}
	return found
}

// TestAuditMappingDifferences holds orgs against the catalogue.
func TestAuditMappingDifferences(t *testing.T) {
	t.Parallel()
	org := genesystest.New(nil)
	c := newClient(t, org)
	m, err := c.AuditMapping(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, differences(m, c.Catalogue()))
	require.Contains(t, m["ContactCenter"]["Queue"], "Update")

	realtime, err := c.AuditMapping(t.Context(), true)
	require.NoError(t, err)
	for name, audit := range differences(realtime, c.Catalogue()) {
		typ, _ := c.Catalogue().Lookup(name)
		require.Contains(t, []string{"Gamification", "Limits"}, typ.Audit.Service)
		require.Equal(t, genesys.Audit{How: genesys.AuditNone}, audit)
	}
	require.NotEmpty(t, differences(realtime, c.Catalogue()))

	// A service goes by another name, one entity type is nowhere, another is twice.
	m["Routing"] = m["ContactCenter"]
	delete(m, "ContactCenter")
	delete(m["Architect"], "Prompt")
	delete(m["Telephony"], "IVR")
	m["Billing"] = map[string][]string{"IVR": nil}
	m["Presence"] = map[string][]string{"IVR": nil}
	found := differences(m, c.Catalogue())
	require.Equal(t, genesys.Audit{How: genesys.AuditOwn, Service: "Routing", Entity: "Queue"}, found["routing.queues"])
	require.Equal(t, genesys.Audit{How: genesys.AuditSpecial, Service: "Routing", Entity: "Queue"}, found["routing.queues.members"])
	require.Equal(t, genesys.Audit{How: genesys.AuditNone}, found["architect.prompts"])
	require.Equal(t, genesys.Audit{How: genesys.AuditNone}, found["architect.ivrs"])
	require.NotContains(t, found, "flows")

	org.SetPermissions("routing:queue:view")
	_, err = c.AuditMapping(t.Context(), false)
	require.ErrorIs(t, err, genesys.ErrUnavailable)
	_, err = newClient(t, org).AuditNeedsService(t.Context())
	require.ErrorIs(t, err, genesys.ErrUnavailable)
}

// TestEveryAuditedTypeIsFound edits an object of every type as somebody, and finds
// out from audits and events alone what was edited and by whom.
func TestEveryAuditedTypeIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{RateLimit: -1, AuditNoise: 60})
		c := newClient(t, org)
		var editor string
		for id := range org.Objects("users") {
			editor = id // the last one
		}
		start := time.Now()
		for typ := range c.Catalogue().All() {
			for id := range org.Objects(typ.Name) {
				require.NoError(t, org.As(editor).Update(typ.Name, id, map[string]any{"cxsync": "x"}))
				time.Sleep(5 * time.Second)
				parent := ""
				if parts := genesys.SplitID(id); typ.Parent != "" {
					parent = genesys.JoinID(parts[:max(1, len(parts)-len(typ.ID))]...)
				}
				if added, err := org.As(editor).CreateChild(typ.Name, parent, nil); err == nil { // there are singletons, and links to what is linked
					time.Sleep(5 * time.Second)
					require.NoError(t, org.As(editor).Delete(typ.Name, added))
					time.Sleep(5 * time.Second)
				}
				break
			}
		}
		time.Sleep(time.Hour)
		var events []genesys.AuditRecord
		for event := range org.AuditEvents(start) {
			r, err := genesys.ParseAuditEvent(event)
			require.NoError(t, err)
			events = append(events, r)
		}
		told := records(t, c, genesys.AuditQuery{Since: start, Until: time.Now()})
		require.Len(t, told, len(events))
		types, actions := map[string]bool{}, map[string]int{}
		for e := range org.Edits() {
			types[e.Type] = true
			actions[e.Action]++
			typ, _ := c.Catalogue().Lookup(e.Type)
			require.Equal(t, typ.Audit.How != genesys.AuditNone, e.Audited, e.Type)
			require.Equal(t, editor, e.Author)
			for _, from := range [][]genesys.AuditRecord{told, events} {
				found := slices.ContainsFunc(from, func(r genesys.AuditRecord) bool { return tellsOf(c.Catalogue(), r, e) && r.Actor().ID == editor })
				require.Equal(t, e.Audited, found, "%+v", e)
			}
		}
		require.Greater(t, len(types), 360)
		require.Greater(t, actions["Create"], 230)
		require.Equal(t, actions["Create"], actions["Delete"])
	})
}

func tellsOf(c *genesys.Catalogue, r genesys.AuditRecord, e genesystest.Edit) bool {
	return r.Writes() && r.Time.Sub(e.Time).Abs() < 2*time.Second &&
		slices.ContainsFunc(c.Audited(r), func(target genesys.AuditTarget) bool { return target.Type == e.Type && includes(target, e.ID) })
}

// includes reports whether a target is the object with that ID, or may be.
func includes(t genesys.AuditTarget, id string) bool {
	return (t.ID == "" || t.ID == id) &&
		(t.Below == "" || id == t.Below || strings.HasPrefix(id, t.Below+"/")) &&
		(t.Last == "" || id == t.Last || strings.HasSuffix(id, "/"+t.Last))
}

func ExampleClient_Audits() {
	org := genesystest.New(&genesystest.Options{AuditDelay: -1, AuditNoise: -1})
	id, _ := org.Create("routing.queues", map[string]any{"name": "Sales"})
	client, _ := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})

	hour := genesys.AuditQuery{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Minute), EntityID: id, Realtime: true}
	for record, err := range client.Audits(context.Background(), hour) {
		if err != nil {
			panic(err)
		}
		if record.Writes() && record.Level == genesys.AuditLevelUser {
			fmt.Println(record.Actor().Name, "did", record.Action, record.Entity.Type, record.Entity.Name)
		}
	}
	// Output: Ada Adams did Create Queue Sales
}
