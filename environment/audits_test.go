package environment_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// Who made a change is known some minutes after it was recorded, and the tail takes one request every five minutes.
func TestChangesSayWhoMadeThem(t *testing.T) {
	t.Parallel()
	for _, needs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			org, engine, r := importWithAudits(t, needs)
			stop := runInBackground(t, engine)
			time.Sleep(30 * time.Minute)
			ada := firstID(t, org.Objects("users"))
			queue, schedule := firstID(t, org.Objects("routing.queues")), firstID(t, org.Objects("architect.schedules"))
			require.NoError(t, org.As(ada).Update("routing.queues", queue, map[string]any{"name": "Renamed"}))
			require.NoError(t, org.As(genesystest.System).Update("architect.schedules", schedule, map[string]any{"name": "By itself"}))
			time.Sleep(3 * time.Hour)
			got := map[string]history.Attribution{}
			h, err := engine.History(t.Context(), r.ID)
			require.NoError(t, err)
			for c, err := range h.Changes(t.Context(), history.Query{}) {
				require.NoError(t, err)
				got[c.Type] = *c.Who
			}
			require.Equal(t, history.WhoAttributed, got["routing.queues"].Status)
			require.Equal(t, ada, got["routing.queues"].Actors[0].ID)
			require.NotEmpty(t, got["routing.queues"].Actors[0].Name)
			require.Equal(t, history.WhoSystem, got["architect.schedules"].Status)
			time.Sleep(24 * time.Hour)
			status, err := engine.Status(t.Context(), r.ID)
			require.NoError(t, err)
			require.Empty(t, status.Audits.Failed)
			require.EqualValues(t, 1, status.Audits.Tally.Settled[history.WhoAttributed])
			f, err := engine.Forecast(t.Context(), r.ID)
			require.NoError(t, err)
			require.Less(t, f.Audits, 600.0)
			t.Log(needs, status.Audits.Readings, status.Audits.Requests, f.Audits)
			stop()
		})
	}
}

// What was polled in the day before Run first reads the audits gets its name as well.
func TestChangesFromBeforeRunSayWhoMadeThem(t *testing.T) {
	t.Parallel()
	for _, needs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			org, engine, r := importWithAudits(t, needs)
			ada := firstID(t, org.Objects("users"))
			queue := firstID(t, org.Objects("routing.queues"))
			for _, name := range []string{"Renamed", "Renamed again"} {
				time.Sleep(10 * time.Minute)
				require.NoError(t, org.As(ada).Update("routing.queues", queue, map[string]any{"name": name}))
				time.Sleep(10 * time.Minute)
				_, err := engine.Poll(t.Context(), r.ID)
				require.NoError(t, err)
			}
			time.Sleep(10 * time.Hour)
			stop := runInBackground(t, engine)
			time.Sleep(time.Hour)
			h, err := engine.History(t.Context(), r.ID)
			require.NoError(t, err)
			n := 0
			for c, err := range h.Changes(t.Context(), history.Query{}) {
				require.NoError(t, err)
				require.NotNil(t, c.Who, "%v", c)
				require.Equal(t, history.WhoAttributed, c.Who.Status)
				require.Equal(t, ada, c.Who.Actors[0].ID)
				n++
			}
			require.Equal(t, 2, n)
			stop()
		})
	}
}

// Without the permission nothing fails: the status says it.
func TestAuditsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		org.SetPermissions("routing:queue:view")
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "routing.queues")
		r.AuditMinutes = 5
		r = create(t, engine, r)
		stop := runInBackground(t, engine)
		time.Sleep(time.Hour)
		status, err := engine.Status(t.Context(), r.ID)
		require.NoError(t, err)
		require.Contains(t, status.Audits.Unavailable, "audits:audit:view")
		require.EqualValues(t, 1, status.Audits.Readings)
		v, err := engine.Validate(t.Context(), r.ID)
		require.NoError(t, err)
		require.Contains(t, v.String(), "audits:audit:view")
		role, err := engine.Role(t.Context(), r.ID)
		require.NoError(t, err)
		require.Contains(t, role.String(), "audits:audit:view")
		stop()
	})
}

// importWithAudits imports a small org whose audits tell who made changes. Needs says that these are asked for by service.
func importWithAudits(t *testing.T, needs bool) (*genesystest.Org, *environment.Engine, environment.Record) {
	t.Helper()
	org := genesystest.New(&genesystest.Options{Counts: few(3), RealtimeNeedsService: needs})
	engine := open(t, org, memory.New(), nil)
	r := recordOf(org, "routing.queues", "architect.schedules")
	r.AuditMinutes, r.RateLimitDay = 15, 60_000
	r = create(t, engine, r)
	_, err := engine.Import(t.Context(), r.ID, nil)
	require.NoError(t, err)
	return org, engine, r
}

// runInBackground runs an engine until the function that it returns is called.
func runInBackground(t *testing.T, engine *environment.Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { require.NoError(t, engine.Run(ctx)) })
	return func() {
		cancel()
		wg.Wait()
	}
}
