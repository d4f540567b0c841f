package environment_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// A failure is a row of docs/failures.md: what happens to an org between an import and
// a pass, and what there is to see then.
type failure struct {
	name    string
	object  string // that the pass reads; routing.queues unless given
	opts    genesystest.Options
	happens func(t *testing.T, org *genesystest.Org)

	failed      string   // part of TypeStatus.Failed and of PassEvent.Err
	unavailable string   // part of TypeStatus.Unavailable
	reason      string   // part of TypeStatus.Reason
	withheld    int      // TypeStatus.Withheld; -1 for some
	complete    bool     // TypeStatus.Complete
	again       int      // passes after the first one, which see no more
	kept        bool     // the removals that were withheld are still, after the org is well
	changes     []string // kinds and types that are recorded in the end
}

// Nothing that happens to an org is taken for an edit; Status and Observer tell
// of it; and when the org is well again, so is the history.
func TestWhatFailuresShow(t *testing.T) {
	t.Parallel()
	deleteSome := func(objectType string, n int) func(*testing.T, *genesystest.Org) {
		return func(t *testing.T, org *genesystest.Org) {
			t.Helper()
			for _, id := range slices.Sorted(maps.Keys(maps.Collect(org.Objects(objectType))))[:n] {
				require.NoError(t, org.Delete(objectType, id))
			}
		}
	}
	fails := func(match string, f genesystest.Fault) func(*testing.T, *genesystest.Org) {
		return func(_ *testing.T, org *genesystest.Org) { org.Fail(match, f, -1) }
	}
	many := genesystest.Options{Counts: map[string]int{"routing.wrapupcodes": 240, "teams": 240}}
	const queues, codes, pageTwo = "routing.queues", "routing.wrapupcodes", "/api/v2/routing/wrapupcodes?pageNumber=2"
	for _, f := range []failure{
		{name: "the org is down", happens: fails(queues, genesystest.Status(503)), failed: "503"},
		{name: "connections break", happens: fails(queues, genesystest.Reset()), failed: "reset"},
		{name: "429 for an hour", happens: fails(queues, genesystest.Throttle(time.Hour)), failed: "429"},
		{name: "429 for a minute", happens: func(_ *testing.T, org *genesystest.Org) { org.Fail(queues, genesystest.Throttle(time.Minute), 1) }, complete: true},
		{name: "another secret", happens: func(_ *testing.T, org *genesystest.Org) {
			org.RevokeTokens()
			org.Fail("POST /oauth/token", genesystest.LoginRefused(http.StatusUnauthorized, "invalid_client", "authentication failed"), -1)
		}, failed: "wrong secret"},
		{name: "address refused", happens: fails(queues, genesystest.AddressRefused()), failed: "IP not allowed"},
		{name: "forbidden", happens: fails(queues, genesystest.Forbidden("routing:queue:view")), unavailable: "routing:queue:view"},
		{name: "permission taken away", happens: func(_ *testing.T, org *genesystest.Org) { org.SetPermissions("authorization:*:*") }, unavailable: "routing:queue:view"},
		{name: "feature off", happens: fails(queues, genesystest.FeatureOff()), unavailable: "501"},
		{name: "cut page", object: codes, opts: many, happens: fails(pageTwo, genesystest.CutBody()), reason: "unexpected EOF", withheld: 140},
		{name: "no JSON", object: codes, opts: many, happens: fails(pageTwo, genesystest.Garbage()), reason: "JSON", withheld: 140},
		{name: "lost page", object: codes, opts: many, happens: fails(pageTwo, genesystest.LostPage()), reason: "140 objects of a total of 240", withheld: 100},
		{name: "a page is forbidden", object: codes, opts: many, happens: fails(pageTwo, genesystest.Forbidden("routing:queue:view")), reason: "routing:queue:view", withheld: 140},
		{name: "repeated cursor", object: "teams", opts: many, happens: fails("teams", genesystest.RepeatedCursor()), reason: "page 2 ", withheld: 140},
		{
			name: "sudden drop", object: "routing.skillgroups", opts: genesystest.Options{Counts: map[string]int{"routing.skillgroups": 20}},
			happens: deleteSome("routing.skillgroups", 8), complete: true, reason: "8 of 20 objects are absent at once", withheld: 8,
			changes: slices.Repeat([]string{"deleted routing.skillgroups"}, 8),
		},
		{
			name: "one is deleted", happens: deleteSome(queues, 1), complete: true,
			changes: []string{"deleted routing.queues"},
		},
		{
			name: "a narrower division", happens: func(_ *testing.T, org *genesystest.Org) { org.SetDivisions("Home") },
			complete: true, withheld: -1, again: 3,
		},
		{
			name: "out of sight, 403", opts: genesystest.Options{Divisions: []string{"Home"}, HiddenGet: http.StatusForbidden},
			happens: moveAway, complete: true, withheld: 1, kept: true,
		},
		{
			name: "out of sight, 404", opts: genesystest.Options{Divisions: []string{"Home"}, HiddenGet: http.StatusNotFound},
			happens: moveAway, complete: true, changes: []string{"deleted routing.queues"},
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { f.test(t) })
		})
	}
}

// moveAway moves a queue to a division that the client does not see.
func moveAway(t *testing.T, org *genesystest.Org) {
	t.Helper()
	var away string
	for id, body := range org.Objects("authorization.divisions") {
		if !strings.Contains(string(body), `"Home"`) {
			away = id
		}
	}
	for id, body := range org.Objects("routing.queues") {
		var queue struct{ Division struct{ Name string } }
		require.NoError(t, json.Unmarshal(body, &queue))
		if queue.Division.Name == "Home" {
			require.NoError(t, org.Update("routing.queues", id, map[string]any{"division": map[string]any{"id": away, "name": "Away"}}))
			return
		}
	}
	t.Fatal("no queue is in the division Home")
}

func (f failure) test(t *testing.T) {
	t.Helper()
	object := f.object
	if object == "" {
		object = "routing.queues"
	}
	org := genesystest.New(&f.opts)
	var last environment.PassEvent
	engine := open(t, org, memory.New(), func(o *environment.Options) {
		o.Observer = func(e environment.PassEvent) { last = e }
	})
	env := create(t, engine, recordOf(org, object))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	f.happens(t, org)

	for range 1 + f.again {
		time.Sleep(time.Minute)
		_, err = engine.Poll(t.Context(), env.ID, object)
	}
	status := f.status(t, engine, env.ID)
	require.Equal(t, f.failed != "", err != nil, "%v", err)
	require.Equal(t, f.failed != "", status.Failed != "", status.Failed)
	require.Contains(t, status.Failed, f.failed)
	require.Equal(t, f.failed != "", last.Err != nil)
	require.Equal(t, f.unavailable != "", status.Unavailable != "", status.Unavailable)
	require.Contains(t, status.Unavailable, f.unavailable)
	require.Equal(t, status.Unavailable, last.Result.Unavailable)
	if f.failed == "" && f.unavailable == "" {
		require.Equal(t, f.complete, status.Complete, status.Reason)
		require.Contains(t, status.Reason, f.reason)
	}
	if f.withheld < 0 {
		require.Positive(t, status.Withheld)
	} else {
		require.Equal(t, f.withheld, status.Withheld)
	}
	if f.withheld != 0 || f.changes == nil {
		require.Empty(t, changes(t, engine, env.ID, history.Query{}), "nothing is recorded before it is proven")
	}

	org.Recover()
	if f.opts.Divisions == nil {
		org.SetDivisions()
	}
	org.SetPermissions()
	_, err = engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	status = f.status(t, engine, env.ID)
	require.Empty(t, status.Failed+status.Unavailable)
	require.True(t, status.Complete, status.Reason)
	require.Equal(t, f.kept, status.Withheld > 0)
	h, err := engine.History(t.Context(), env.ID)
	require.NoError(t, err)
	var recorded []string
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		recorded = append(recorded, string(c.Kind)+" "+c.Type)
	}
	require.Equal(t, f.changes, recorded)
}

func (f failure) status(t *testing.T, engine *environment.Engine, id int64) environment.TypeStatus {
	t.Helper()
	status, err := engine.Status(t.Context(), id)
	require.NoError(t, err)
	return status.Types[0]
}

// The log warns of what a person may want to mend.
func TestWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		org := genesystest.New(&genesystest.Options{Counts: map[string]int{"routing.skillgroups": 20}})
		engine := open(t, org, memory.New(), func(o *environment.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		r := recordOf(org, "routing.skillgroups", "routing.queues")
		r.RateLimitDay, r.Polling = 1000, every("*")
		env := create(t, engine, r)
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		for _, id := range slices.Collect(maps.Keys(maps.Collect(org.Objects("routing.skillgroups"))))[:8] {
			require.NoError(t, org.Delete("routing.skillgroups", id))
		}
		org.Fail("routing.queues", genesystest.Throttle(time.Hour), -1)
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		require.NoError(t, engine.Run(ctx))
		for _, want := range []string{
			`msg="the polling plan takes more requests than the limit allows" environment=Test environment_id=1 requests_a_day=2882 limit_a_day=1000`,
			`level=WARN msg="run failed" environment=Test environment_id=1 type=routing.queues due=2000-01-01T00:0`, "429",
			`level=WARN msg="removals withheld" environment_id=1 type=routing.skillgroups reason="removals withheld: 8 of 20 objects are absent at once"`,
		} {
			require.Contains(t, log.String(), want)
		}
	})
}

// A person can say that what is withheld is gone.
func TestWithheldRemovalsAreAccepted(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Divisions: []string{"Home"}, HiddenGet: http.StatusForbidden})
	engine := open(t, org, memory.New(), nil)
	env := create(t, engine, recordOf(org, "routing.queues"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	moveAway(t, org)
	_, err = engine.Poll(t.Context(), env.ID, "routing.queues")
	require.NoError(t, err)
	h, err := engine.History(t.Context(), env.ID)
	require.NoError(t, err)
	var ids []string
	for w, err := range h.Withheld(t.Context(), "routing.queues") {
		require.NoError(t, err)
		ids = append(ids, w.ID)
	}
	require.Len(t, ids, 1)
	require.NoError(t, engine.AcceptRemovals(t.Context(), env.ID, "routing.queues", ids...))
	got := changes(t, engine, env.ID, history.Query{})
	require.Len(t, got, 1)
	require.Contains(t, got[0], "deleted routing.queues")
}

// An import ends at once where every type would fail.
func TestImportOfAnUnreachableOrg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		org.Fail("POST /oauth/token", genesystest.Reset(), -1)
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "Queues", "users", "groups"))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.ErrorContains(t, err, "reset")
		org.Recover()
		result, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
	})
}

// A permission that is given is noticed when somebody asks for a pass.
func TestGrantIsNoticed(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Permissions: []string{"authorization:*:*"}})
	engine := open(t, org, memory.New(), nil)
	env := create(t, engine, recordOf(org, "routing.queues"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	org.SetPermissions("authorization:*:*", "routing:queue:view")
	_, err = engine.Poll(t.Context(), env.ID, "routing.queues")
	require.NoError(t, err)
	status, err := engine.Status(t.Context(), env.ID)
	require.NoError(t, err)
	require.Empty(t, status.Types[0].Unavailable)
}

// A secret that was changed in the org stops everything and changes nothing,
// until the record has the new one.
func TestSecretIsRotated(t *testing.T) {
	old := genesystest.New(nil)
	fresh := genesystest.New(&genesystest.Options{ClientSecret: "another one"})
	current := old
	engine := open(t, old, memory.New(), func(o *environment.Options) {
		o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) { return current.Transport().RoundTrip(r) })
	})
	env := create(t, engine, recordOf(old, "routing.queues"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	current = fresh
	_, err = engine.Poll(t.Context(), env.ID, "routing.queues")
	require.Error(t, err)
	env.ClientSecret = environment.NewSecret("another one")
	_, err = engine.Update(t.Context(), env, nil)
	require.NoError(t, err)
	_, err = engine.Poll(t.Context(), env.ID, "routing.queues")
	require.NoError(t, err)
	require.Empty(t, changes(t, engine, env.ID, history.Query{}))
}

// What cannot be read by ID is deleted when a second complete walk misses it.
func TestWithoutGetItTakesTwoWalks(t *testing.T) {
	org := genesystest.New(nil)
	engine := open(t, org, memory.New(), nil)
	const dids = "telephony.didpools.dids"
	env := create(t, engine, recordOf(org, dids))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	require.NoError(t, org.Delete(dids, firstID(t, org.Objects(dids))))
	for walk, deleted := range []int{0, 1} {
		_, err := engine.Poll(t.Context(), env.ID, dids)
		require.NoError(t, err)
		require.Len(t, changes(t, engine, env.ID, history.Query{}), deleted, "after walk %d", walk+1)
	}
}

// The children of a deleted object are recorded as deleted with it.
func TestChildrenAreDeletedWithTheirParent(t *testing.T) {
	org := genesystest.New(nil)
	engine := open(t, org, memory.New(), nil)
	env := create(t, engine, recordOf(org, "routing.queues", "routing.queues.members"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	queue := firstID(t, org.Objects("routing.queues"))
	members := 0
	for id := range org.Objects("routing.queues.members") {
		if strings.HasPrefix(id, queue) {
			members++
		}
	}
	require.Positive(t, members)
	require.NoError(t, org.Delete("routing.queues", queue))
	results, err := engine.Poll(t.Context(), env.ID, "routing.queues.members") // before the queues themselves
	require.NoError(t, err)
	require.False(t, results[0].Complete)
	require.Empty(t, changes(t, engine, env.ID, history.Query{}))
	_, err = engine.Poll(t.Context(), env.ID, "routing.queues", "routing.queues.members")
	require.NoError(t, err)
	require.Len(t, changes(t, engine, env.ID, history.Query{}), 1+members)
}

// A grant that is narrowed in the very instant of the last look at it hides
// objects, and deletes none.
func TestGrantIsNarrowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "routing.queues"))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		org.SetDivisions("Home")
		for range 4 {
			_, err := engine.Poll(t.Context(), env.ID, "routing.queues")
			require.NoError(t, err)
		}
		require.Empty(t, changes(t, engine, env.ID, history.Query{}))
	})
}

// What comes into sight was not created then: it is imported, and nobody is told
// of a creation.
func TestGrantIsWidened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "routing.queues"))
		org.SetDivisions("Home")
		first, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		org.SetDivisions()
		second, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Positive(t, second.Types[0].Imported)
		require.Equal(t, 12, first.Types[0].Imported+second.Types[0].Imported)
		require.Empty(t, changes(t, engine, env.ID, history.Query{}))

		time.Sleep(time.Hour)
		_, err = org.Create("routing.queues", map[string]any{"name": "New"})
		require.NoError(t, err)
		_, err = engine.Poll(t.Context(), env.ID, "routing.queues")
		require.NoError(t, err)
		require.Equal(t, []string{"created routing.queues New"}, changes(t, engine, env.ID, history.Query{}))
	})
}
