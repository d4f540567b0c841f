package browser

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/console"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// A world is what the pages show: an org in which a few things happened.
type world struct {
	org     *genesystest.Org
	store   storage.Store
	engine  *environment.Engine
	handler http.Handler
	queue   string // an object with a few versions
	skill   string // one that is used
}

var selected = []string{"Queues", "ACD skills", "Wrap-up codes", "Users", "Groups", "Divisions", "Flows", "Schedules"}

// newWorld returns one with everything in it, or with what a picture for people should show.
func newWorld(t *testing.T, everything bool) *world {
	t.Helper()
	w := &world{org: genesystest.New(&genesystest.Options{Size: 80}), store: memory.New()}
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	w.engine, err = environment.Open(w.store, &environment.Options{Vault: vault, Transport: w.org.Transport()})
	require.NoError(t, err)
	w.environment(t, "Contoso", true, selected...)
	w.environment(t, "Contoso test", false, "Queues", "ACD skills")
	w.environment(t, "A place that has been quiet since it was made", false, "Queues")
	require.NoError(t, w.engine.Pause(t.Context(), 3))
	w.org.Fail("routing.skills", genesystest.Garbage(), -1)
	w.poll(t, 2, "Queues", "ACD skills")
	w.org.Recover()
	w.poll(t, 1)
	w.audit(t, time.Now().AddDate(0, 0, -3)) // from now on they say who makes changes

	queues := w.ids("routing.queues")
	w.queue, w.skill = queues[0], w.ids("routing.skills")[0]
	w.update(t, "routing.queues", queues[0], map[string]any{"description": "Invoices and refunds", "acwSettings": map[string]any{"timeoutMs": 45000}})
	w.update(t, "users", w.ids("users")[3], map[string]any{"title": "Team lead, second line", "department": "Care"})
	w.poll(t, 1)
	w.create(t, "routing.skills", map[string]any{"name": "Portuguese invoices"})
	w.update(t, "flows", w.ids("flows")[0], map[string]any{"description": strings.Repeat("Asks for the language, then for the customer number, and hands over to the queue. ", 12)})
	require.NoError(t, w.as("routing.wrapupcodes").Delete("routing.wrapupcodes", w.ids("routing.wrapupcodes")[4]))
	w.poll(t, 1)
	w.update(t, "routing.queues", queues[0], map[string]any{"name": "Invoices", "skillEvaluationMethod": "BEST", "callingPartyName": ""})
	w.update(t, "groups", w.ids("groups")[1], map[string]any{"name": "Night shift", "rulesVisible": false})
	w.org.Release(genesystest.Release{Type: "users", Path: "directRoutingEnabled", Value: false})
	w.poll(t, 1)
	if everything {
		w.create(t, "routing.queues", map[string]any{"name": `<b>Über</b> "Spécial" & ` + strings.Repeat("Longestpossiblename", 8), "description": "\u05e9\u05dc\u05d5\u05dd \u202eevil"})
		w.poll(t, 1)
	}
	for _, id := range w.ids("architect.schedules")[1:] {
		require.NoError(t, w.org.Delete("architect.schedules", id))
	}
	w.poll(t, 1)
	w.update(t, "routing.queues", queues[1], map[string]any{"acwSettings": map[string]any{"timeoutMs": 20000}})
	w.poll(t, 1, "Queues") // not the schedules, of which a second walk would prove that they are gone
	w.audit(t, time.Now().Add(time.Minute), w.undone(queues[2:6])...)
	w.handler, err = console.New(w.engine, &console.Options{Actions: true})
	require.NoError(t, err)
	return w
}

func (w *world) environment(t *testing.T, name string, production bool, types ...string) {
	t.Helper()
	r, err := w.engine.Create(t.Context(), environment.Record{
		Name: name, IsProduction: production, BaseURL: w.org.BaseURL(), ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		RateLimitDay: 20_000, Types: types, TimeZone: "Europe/Vienna",
		Polling: []poller.Entry{{Type: poller.AllObjects, Cron: "*/15 * * * *"}, {Type: "Queues", Cron: "*/5 * * * *"}},
	})
	require.NoError(t, err)
	if production {
		_, err = w.engine.Import(t.Context(), r.ID, nil)
		require.NoError(t, err)
	}
}

func (w *world) poll(t *testing.T, id int64, types ...string) {
	t.Helper()
	_, err := w.engine.Poll(t.Context(), id, types...)
	if id == 1 {
		require.NoError(t, err)
	}
}

func (w *world) update(t *testing.T, typ, id string, patch any) {
	t.Helper()
	require.NoError(t, w.as(typ).Update(typ, id, patch))
}

// as returns somebody who looks after a type.
func (w *world) as(typ string) genesystest.Editor {
	return w.org.As(w.ids("users")[len(typ)%7])
}

func (w *world) create(t *testing.T, typ string, fields any) {
	t.Helper()
	_, err := w.as(typ).Create(typ, fields)
	require.NoError(t, err)
}

// audit takes in what the org's audits would say until a time, and some records more.
func (w *world) audit(t *testing.T, until time.Time, more ...history.Evidence) {
	t.Helper()
	models := map[string]history.Model{}
	for _, typ := range w.engine.Selected(environment.Record{Types: selected}) {
		models[typ.Name] = history.Model{AuditService: "Audited"}
	}
	h, err := history.Open(t.Context(), w.store, 1, &history.Options{Models: models})
	require.NoError(t, err)
	n := 0
	for e := range w.org.Edits() {
		n++
		more = append(more, history.Evidence{
			ID: strconv.Itoa(n), At: e.Time, Targets: []history.Target{{Type: e.Type, ID: e.ID}}, Entity: "Thing", Object: e.ID, Action: e.Action,
			Actor: w.actor(t, e.Author),
		})
	}
	read := history.Span{Since: time.Now().AddDate(0, 0, -7), Until: until}
	require.NoError(t, h.Attribute(t.Context(), history.AuditsRead{Records: more, Read: map[string]history.Span{"": read}}, nil))
}

// actor returns a user by name.
func (w *world) actor(t *testing.T, id string) history.Actor {
	t.Helper()
	a := history.Actor{ID: id}
	if body, ok := maps.Collect(w.org.Objects("users"))[id]; ok {
		require.NoError(t, json.Unmarshal(body, &a))
	}
	return a
}

// undone are records of writes that were undone three days ago, of which no pass saw anything.
func (w *world) undone(ids []string) (records []history.Evidence) {
	for i, id := range ids {
		for n, action := range []string{"Update", "Update", "Delete"} {
			at := time.Now().Add(-72*time.Hour - time.Duration(10*i-n)*time.Minute)
			e := history.Evidence{
				ID: fmt.Sprint("undone ", i, n), At: at, Targets: []history.Target{{Type: "routing.queues", ID: id}}, Entity: "Queue", Object: id,
				Name: "Evening calls", Action: action, Actor: history.Actor{Name: "Noor Haddad"}, Properties: []string{"acwSettings", "description"},
			}
			if action == "Delete" {
				e.Targets[0].ID, e.Object, e.Name, e.Properties = "7d0c2a3e-0000-4000-8000-000000000000", "7d0c2a3e-0000-4000-8000-000000000000", "", nil
			}
			records = append(records, e)
		}
	}
	return records
}

// ids are always in the same order, so that pictures differ only where the console does.
func (w *world) ids(typ string) (ids []string) {
	for id := range w.org.Objects(typ) {
		ids = append(ids, id)
	}
	return ids
}

// A place is a page to look at.
type place struct {
	name, address string
	missing       bool
}

// pages are one of each kind, and those that are empty.
func (w *world) pages(t *testing.T) []place {
	t.Helper()
	h, err := w.engine.History(t.Context(), 1)
	require.NoError(t, err)
	last := map[history.Kind]uint64{}
	queue := uint64(0)
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		last[c.Kind] = c.Seq
		if c.ID == w.queue {
			queue = c.Seq
		}
	}
	flow := uint64(0)
	for c, err := range h.Changes(t.Context(), history.Query{Types: []string{"flows"}}) {
		require.NoError(t, err)
		flow = c.Seq
	}
	object := func(typ, id string) string { return "/e/1/object?" + url.Values{"type": {typ}, "id": {id}}.Encode() }
	change := func(seq uint64) string { return fmt.Sprintf("/e/1/change/%d", seq) }
	require.NotZero(t, last[history.KindShape], "no release is on record")
	return []place{
		{name: "environments", address: "/"},
		{name: "timeline", address: "/e/1/"},
		{name: "timeline-filtered", address: "/e/1/?type=Queues&kind=updated&field=acwSettings"},
		{name: "timeline-empty", address: "/e/1/?kind=restored"},
		{name: "timeline-quiet", address: "/e/3/"},
		{name: "timeline-failing", address: "/e/2/"},
		{name: "change", address: change(queue)},
		{name: "change-long", address: change(flow)},
		{name: "change-undo", address: change(queue) + "?undo=1"},
		{name: "change-platform", address: change(last[history.KindShape])},
		{name: "change-deleted", address: change(last[history.KindDeleted]) + "?undo=1"},
		{name: "object", address: object("routing.queues", w.queue)},
		{name: "object-used", address: object("routing.skills", w.skill) + "&used=1"},
		{name: "types", address: "/e/1/types"},
		{name: "types-failing", address: "/e/2/types"},
		{name: "type", address: "/e/1/type/routing.queues"},
		{name: "quota", address: "/e/1/quota"},
		{name: "undetected", address: "/e/1/undetected"},
		{name: "undetected-none", address: "/e/2/undetected"},
		{name: "withheld", address: "/e/1/withheld"},
		{name: "withheld-none", address: "/e/3/withheld"},
		{name: "missing", address: "/e/1/nowhere", missing: true},
	}
}
