package environment_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

// listed counts the requests for each path of the API that is a list of the import.
func listed(org *genesystest.Org) map[string]int {
	counts := map[string]int{}
	for _, request := range org.Requests() {
		if request.Type != "" {
			counts[request.Path+"?"+request.Query.Encode()]++
		}
	}
	return counts
}

// Imports of one environment that are asked for at the same time are one.
func TestConcurrentImportsAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Latency: time.Second})
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "Queues", "users", "routing.queues.members"))
		results := make([]environment.ImportResult, 5)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				var err error
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				results[i], err = engine.Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
			})
		}
		wg.Wait()
		for _, result := range results {
			require.Equal(t, results[0], result)
		}
		for path, n := range listed(org) {
			require.Equal(t, 1, n, path)
		}
	})
}

// "off" for all objects is about the schedule: an import reads what is selected.
func TestImportWithoutASchedule(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Counts: few(2), RateLimit: -1})
	engine := open(t, org, memory.New(), nil)
	r := recordOf(org)
	r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "off"}}
	env := create(t, engine, r)
	result, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	require.Len(t, result.Types, len(engine.Selected(recordOf(org))))
	require.Greater(t, len(result.Types), 100)
	forecast, err := engine.Forecast(t.Context(), env.ID)
	require.NoError(t, err)
	require.Empty(t, forecast.Types)
}

// Lists that are empty are lists in JSON too.
func TestEmptyListsInJSON(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Counts: few(2), RateLimit: -1})
	engine := open(t, org, memory.New(), nil)
	r := recordOf(org)
	r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "off"}}
	env := create(t, engine, r)
	forecast, err := engine.Forecast(t.Context(), env.ID)
	require.NoError(t, err)
	done, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	none, err := engine.Import(t.Context(), 77, nil)
	require.ErrorIs(t, err, environment.ErrNotFound)
	for _, v := range []any{forecast, done, none} {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(data), `:null`)
	}
}

// An import that was cancelled goes on where it was, and one whose progress is
// shown estimates an end that does not lie before the quota allows it.
func TestCancelledImportGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Counts: few(2), Latency: 100 * time.Millisecond})
		store := memory.New()
		engine := open(t, org, store, func(o *environment.Options) { o.Concurrency = 1 })
		r := recordOf(org)
		r.RateLimitMinute = 250
		env := create(t, engine, r)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := engine.Import(ctx, env.ID, &environment.ImportOptions{OnProgress: func(p environment.Progress) {
			if p.Done == 100 {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)

		var first environment.Progress
		result, err := open(t, org, store, nil).Import(t.Context(), env.ID, &environment.ImportOptions{OnProgress: func(p environment.Progress) {
			if first.Done == 0 {
				first = p
			}
		}})
		require.NoError(t, err)
		require.Empty(t, result.Failed)
		require.Equal(t, 100, result.Resumed)
		require.Equal(t, 101, first.Done)
		require.False(t, first.End.After(result.Ended.Add(time.Minute)), "estimated %v, ended %v", first.End, result.Ended)
		repeated := 0
		for path, n := range listed(org) {
			if !isDivisions(path) {
				repeated += n - 1
			}
		}
		require.LessOrEqual(t, repeated, 1, "what was cut off in the middle")
	})
}

// isDivisions reports whether a path lists the divisions, which types that are
// listed by division ask for, too.
func isDivisions(path string) bool { return strings.HasPrefix(path, "/api/v2/authorization/divisions") }
