package environment_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// pollAll polls types and requires that nothing failed.
func pollAll(t *testing.T, engine *environment.Engine, id int64, types ...string) []environment.PassResult {
	t.Helper()
	time.Sleep(time.Hour)
	results, err := engine.Poll(t.Context(), id, types...)
	require.NoError(t, err)
	return results
}

// An API that is withdrawn makes its type unavailable, whatever was known of it, and
// changes nothing when it comes back: every type at the top, singletons and lists alike.
// Only where the catalogue says that the service answers 404 for what is not
// configured, 404 is a deletion. It takes one request, and one for the divisions where
// the type is listed division by division.
func TestWithdrawnAPIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Counts: few(1), RateLimit: -1})
		engine := open(t, org, memory.New(), nil)
		var all []string
		most := map[string]int64{}
		for typ := range genesys.DefaultCatalogue().All() {
			if typ.Parent == "" && typ.Default {
				all = append(all, typ.Name)
				most[typ.Name] = 1
				if typ.Divisions != "" {
					most[typ.Name] = 2
				}
			}
		}
		env := create(t, engine, recordOf(org, all...))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		for k, status := range []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented} {
			var types []string
			for i, name := range all {
				if k > 0 && i%3 != k-1 && !*full {
					continue // each type is withdrawn with 404 and with one of the others
				}
				if typ, _ := genesys.DefaultCatalogue().Lookup(name); !typ.Absent || status != http.StatusNotFound {
					types = append(types, name)
					org.Withdraw(name, status)
				}
			}
			for range 2 {
				for _, result := range pollAll(t, engine, env.ID, types...) {
					require.NotEmpty(t, result.Unavailable, "%d %s", status, result.Type)
					require.LessOrEqual(t, result.Requests, most[result.Type], "%d %s", status, result.Type)
				}
			}
			for _, name := range types {
				org.Withdraw(name, 0)
			}
			for _, result := range pollAll(t, engine, env.ID, types...) {
				require.Empty(t, result.Unavailable, "%d %s", status, result.Type)
			}
		}
		require.Empty(t, changes(t, engine, env.ID, history.Query{}))
	})
}

// A deletion is recorded once, however the service answers for what is deleted.
func TestDeletionsInEveryForm(t *testing.T) {
	for _, as := range []genesystest.Burial{genesystest.BuryNotFound, genesystest.BuryGone, genesystest.BuryTombstone, genesystest.BuryState} {
		for _, typ := range []string{"flows", "routing.queues", "groups", "integrations", "outbound.campaigns"} {
			t.Run(fmt.Sprint(typ, " ", as), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					org := genesystest.New(nil)
					org.Bury(typ, as)
					engine := open(t, org, memory.New(), nil)
					env := create(t, engine, recordOf(org, typ))
					_, err := engine.Import(t.Context(), env.ID, nil)
					require.NoError(t, err)
					require.NoError(t, org.Delete(typ, firstID(t, org.Objects(typ))))
					require.Equal(t, 1, pollAll(t, engine, env.ID, typ)[0].Deleted)
					require.Zero(t, pollAll(t, engine, env.ID, typ)[0].Deleted)
				})
			})
		}
	}
	// What is not configured any more is answered 404, and only a second pass makes that a deletion.
	synctest.Test(t, func(t *testing.T) {
		const okta = "identityproviders.okta"
		org := genesystest.New(&genesystest.Options{Counts: map[string]int{okta: 1}})
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, okta))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		org.Withdraw(okta, http.StatusNotFound)
		require.Zero(t, pollAll(t, engine, env.ID, okta)[0].Deleted)
		r := pollAll(t, engine, env.ID, okta)[0]
		require.Equal(t, 1, r.Deleted, "%+v", r)
	})
}

// What one parent answers says nothing of the others, whichever it is, and
// whatever it answers.
func TestOneParentThatFails(t *testing.T) {
	const members = "routing.queues.members"
	faults := map[string]genesystest.Fault{"garbage": genesystest.Garbage(), "html": genesystest.HTML(403), "reset": genesystest.Reset()}
	for _, status := range []int{400, 403, 404, 405, 409, 410, 422, 500, 501} {
		faults[strconv.Itoa(status)] = genesystest.Status(status)
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(nil)
				engine := open(t, org, memory.New(), nil)
				env := create(t, engine, recordOf(org, "routing.queues", members))
				queues := slices.Sorted(maps.Keys(maps.Collect(org.Objects("routing.queues"))))
				for _, bad := range []string{queues[0], queues[len(queues)-1]} {
					org.Fail("/api/v2/routing/queues/"+bad+"/members", fault, -1)
				}
				result, err := engine.Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
				require.Empty(t, result.Failed)
				all := slices.Collect(maps.Keys(maps.Collect(org.Objects(members))))
				all = slices.DeleteFunc(all, func(id string) bool {
					return strings.HasPrefix(id, queues[0]) || strings.HasPrefix(id, queues[len(queues)-1])
				})
				require.NoError(t, org.Update(members, all[0], map[string]any{"ringNumber": 4}))
				require.NoError(t, org.Delete(members, all[1]))
				seen := map[string]int{}
				for range 3 {
					r := pollAll(t, engine, env.ID, members)[0]
					require.False(t, r.Complete)
					seen["updated"] += r.Updated
					seen["deleted"] += r.Deleted
					seen["created"] += r.Created
				}
				require.Equal(t, map[string]int{"updated": 1, "deleted": 1, "created": 0}, seen)
			})
		})
	}
}

// Three hundred parents that all refuse cost at most 25 requests a pass.
func TestManyParentsThatRefuse(t *testing.T) {
	for _, status := range []int{400, 403, 404, 409, 410, 422, 500, 501} {
		synctest.Test(t, func(t *testing.T) {
			const members = "routing.queues.members"
			org := genesystest.New(&genesystest.Options{Counts: map[string]int{"routing.queues": 60}, RateLimit: -1})
			engine := open(t, org, memory.New(), nil)
			env := create(t, engine, recordOf(org, "routing.queues", members))
			org.Fail(members, genesystest.Status(status), -1)
			_, err := engine.Import(t.Context(), env.ID, nil)
			require.NoError(t, err)
			for range 3 {
				time.Sleep(25 * time.Hour)
				results, err := engine.Poll(t.Context(), env.ID, members)
				require.NoError(t, err)
				require.LessOrEqual(t, results[0].Requests, int64(25), "%d", status)
				require.NotEmpty(t, results[0].Unavailable, "%d", status)
			}
			require.Empty(t, changes(t, engine, env.ID, history.Query{}))
		})
	}
}

// Absence of a record of ours proves nothing about the org.
func TestForgottenParentsChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members = "routing.queues.members"
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "routing.queues", members))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		queue, _, _ := strings.Cut(firstID(t, org.Objects(members)), "/")
		require.NoError(t, engine.Forget(t.Context(), env.ID, "routing.queues", queue, ""))
		before := len(changes(t, engine, env.ID, history.Query{}))
		for range 3 {
			require.False(t, pollAll(t, engine, env.ID, members)[0].Complete)
		}
		pollAll(t, engine, env.ID, "routing.queues")
		require.True(t, pollAll(t, engine, env.ID, members)[0].Complete)
		require.Len(t, changes(t, engine, env.ID, history.Query{}), before)
	})
}

// A record that is pointed at another org records nothing, says which org it knows
// and which it found, and goes on when a person says so.
func TestAnotherOrg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := genesystest.New(nil), genesystest.New(&genesystest.Options{Seed: 7, Name: "Other"})
		current := one
		store := memory.New()
		connect := func(o *environment.Options) {
			o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) { return current.Transport().RoundTrip(r) })
		}
		engine := open(t, one, store, connect)
		env := create(t, engine, recordOf(one, "routing.queues", "routing.skills", "flows"))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		current = two
		for _, e := range []*environment.Engine{engine, open(t, one, store, connect)} { // in mid-session, and after a restart
			for range 3 {
				time.Sleep(time.Hour)
				_, err = e.Poll(t.Context(), env.ID, "routing.queues", "flows")
				other, ok := errors.AsType[*environment.OtherOrgError](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, genesys.Named{ID: one.ID(), Name: "Contoso Care"}, other.Known)
				require.Equal(t, genesys.Named{ID: two.ID(), Name: "Other"}, other.Found)
				require.ErrorContains(t, err, one.ID())
			}
			_, err = e.Import(t.Context(), env.ID, nil)
			_, ok := errors.AsType[*environment.OtherOrgError](err)
			require.True(t, ok, "%v", err)
		}
		require.Empty(t, changes(t, engine, env.ID, history.Query{}))
		require.NoError(t, engine.AcceptOrg(t.Context(), env.ID, two.ID(), ""))
		time.Sleep(time.Hour)
		_, err = engine.Poll(t.Context(), env.ID, "routing.queues")
		require.NoError(t, err)
		require.NotEmpty(t, changes(t, engine, env.ID, history.Query{}))
	})
}

// A gateway that answers in the org's place when it is asked which org it is says nothing: what comes
// after is not taken for the org's.
func TestAnotherOrgBehindAGateway(t *testing.T) {
	for status, body := range map[int]string{200: "<html>Sign in</html>", 302: "", 403: "<html>Forbidden</html>", 404: ""} {
		synctest.Test(t, func(t *testing.T) {
			one, two := genesystest.New(nil), genesystest.New(&genesystest.Options{Seed: 7, Name: "Other"})
			store := memory.New()
			env := create(t, open(t, one, store, nil), recordOf(one, "routing.queues", "routing.skills"))
			_, err := open(t, one, store, nil).Import(t.Context(), env.ID, nil)
			require.NoError(t, err)
			asked := 0
			engine := open(t, one, store, func(o *environment.Options) {
				o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
					resp, err := two.Transport().RoundTrip(r)
					if asked < 2 && err == nil && r.URL.Path == "/api/v2/tokens/me" {
						asked++
						resp.StatusCode, resp.Header = status, http.Header{"Date": resp.Header["Date"]}
						resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(body)), -1
					}
					return resp, err
				})
			})
			_, err = engine.Poll(t.Context(), env.ID, "routing.queues")
			_, isOther := errors.AsType[*environment.OtherOrgError](err)
			require.True(t, isOther, "%d: %v", status, err)
			require.Equal(t, 2, asked)
			require.Empty(t, changes(t, engine, env.ID, history.Query{}))
		})
	}
}

// A type of which no pass has proven for a week what is gone is named.
func TestUnprovenForAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "routing.queues", "teams"))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		org.Fail("teams", genesystest.Announce("total", `"many"`), -1)
		for day := range 9 {
			status, err := engine.Status(t.Context(), env.ID)
			require.NoError(t, err)
			if day <= 7 {
				require.Empty(t, status.Unproven, "after %d days", day)
			} else {
				require.Equal(t, []string{"teams"}, status.Unproven)
			}
			pollAll(t, engine, env.ID, "routing.queues", "teams")
			time.Sleep(23 * time.Hour)
		}
		org.Recover()
		pollAll(t, engine, env.ID, "teams")
		status, err := engine.Status(t.Context(), env.ID)
		require.NoError(t, err)
		require.Empty(t, status.Unproven)
	})
}
