package environment_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

var full = flag.Bool("full", false, "tests take the whole catalogue, and many rounds, instead of some types of each kind")

// What the forecast says of a week, or of some days of a larger org, is what the org counts, give or take 5 %.
func TestForecastOfAVirtualWeek(t *testing.T) {
	daysOf := map[int]float64{10: 3, 40: 1, 150: 1} // by the number of users
	if *full {
		daysOf = map[int]float64{10: 7, 40: 3, 150: 1}
	}
	for users, days := range daysOf {
		t.Run(fmt.Sprint(users, " users"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(&genesystest.Options{Size: users, LogSize: 1})
				engine := open(t, org, memory.New(), nil)
				r := recordOf(org, "Queues", "routing.queues.members", "users", "groups.individuals", "flows", "flows.latestconfiguration",
					"routing.skillgroups", "scripts", "presence.definitions", "routing.settings", "identityproviders.adfs", "wfm.businessunits")
				if *full {
					r.Types = nil
				}
				r.RateLimitMinute = 250
				r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "0 */12 * * *"}, {Type: "Queues", Cron: "0 */2 * * *"}, {Type: "routing.skills", Cron: "off"}}
				env := create(t, engine, r)
				_, err := engine.Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
				forecast, err := engine.Forecast(t.Context(), env.ID)
				require.NoError(t, err)

				time.Sleep(90 * time.Minute) // so that no firing is at the edge of the days
				ctx, stop := context.WithTimeout(t.Context(), time.Duration(days*24)*time.Hour)
				defer stop()
				before := org.Stats().Requests
				require.NoError(t, engine.Run(ctx))
				counted := float64(org.Stats().Requests - before)
				off := math.Abs(days*forecast.PerDay-counted) / counted
				t.Logf("forecast %.0f, counted %.0f requests: %.1f %% off", days*forecast.PerDay, counted, 100*off)
				require.Less(t, off, 0.05)
			})
		})
	}
}

func TestForecastProposesAPlanThatFits(t *testing.T) {
	org := genesystest.New(nil)
	engine := open(t, org, memory.New(), nil)
	r := recordOf(org)
	r.RateLimitDay = 20_000
	r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "*/5 * * * *"}, {Type: "Queues", Cron: "*/10 * * * *"}}
	env := create(t, engine, r)
	f, err := engine.Forecast(t.Context(), env.ID)
	require.NoError(t, err)
	require.False(t, f.Fits)
	require.Equal(t, 0, f.WorstMinute.Minute()%5)
	require.GreaterOrEqual(t, f.WorstMinuteRequests, 300.0)
	require.Contains(t, f.Proposal, poller.Entry{Type: "Queues", Cron: "*/10 * * * *"}, "what was asked for is kept while it fits")

	r, err = engine.Get(t.Context(), env.ID)
	require.NoError(t, err)
	r.Polling = f.Proposal
	_, err = engine.Update(t.Context(), r, nil)
	require.NoError(t, err)
	f, err = engine.Forecast(t.Context(), env.ID)
	require.NoError(t, err)
	require.True(t, f.Fits)
	require.Empty(t, f.Proposal)
}
