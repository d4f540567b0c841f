package environment_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// Each way in which types can be makes its verdict, and the worst of them that of the environment.
func TestHealthOfAStatus(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	hour := now.Add(-time.Hour)
	good := environment.TypeStatus{
		TypeState: environment.TypeState{Type: "good", Since: hour}, LastPass: hour, Complete: true, Due: now.Add(time.Minute), Cron: "* * * * *",
	}
	but := func(name string, edit func(*environment.TypeStatus)) environment.TypeStatus {
		ts := good
		ts.Type = name
		edit(&ts)
		return ts
	}
	failing := but("failing", func(ts *environment.TypeStatus) {
		ts.Failed, ts.Since = "environment: failing: 500 internal", now.Add(-2*time.Minute)
	})
	lost := but("lost", func(ts *environment.TypeStatus) { ts.Unavailable = "missing permission: x" })
	never := but("never", func(ts *environment.TypeStatus) {
		ts.Unavailable, ts.LastPass, ts.Complete = "501", time.Time{}, false
	})
	unproven := but("unproven", func(ts *environment.TypeStatus) {
		ts.Complete, ts.Reason, ts.Unproven = false, "a page was lost", now.Add(-8*24*time.Hour)
	})
	late := but("late", func(ts *environment.TypeStatus) { ts.Due = now.Add(-6 * time.Minute) })
	slow := but("slow", func(ts *environment.TypeStatus) { ts.Due, ts.Running = now.Add(-61*time.Minute), true })

	for name, test := range map[string]struct {
		types  []environment.TypeStatus
		paused bool
		want   environment.Condition
	}{
		"no types":            {want: environment.Condition{Verdict: environment.VerdictGood}},
		"good":                {types: []environment.TypeStatus{good}, want: environment.Condition{Verdict: environment.VerdictGood, Since: hour}},
		"just due":            {types: []environment.TypeStatus{but("due", func(ts *environment.TypeStatus) { ts.Due = now.Add(-4 * time.Minute) })}, want: environment.Condition{Verdict: environment.VerdictGood, Since: hour}},
		"late":                {types: []environment.TypeStatus{good, late}, want: environment.Condition{Verdict: environment.VerdictLate, Reason: "late: the pass due at 2026-11-26 11:54 UTC has not been made", Since: late.Due}},
		"a long pass":         {types: []environment.TypeStatus{but("long", func(ts *environment.TypeStatus) { ts.Due, ts.Running = now.Add(-59*time.Minute), true })}, want: environment.Condition{Verdict: environment.VerdictGood, Since: hour}},
		"a pass without end":  {types: []environment.TypeStatus{slow}, want: environment.Condition{Verdict: environment.VerdictLate, Reason: "slow: the pass due at 2026-11-26 10:59 UTC has not been ended", Since: slow.Due}},
		"lost":                {types: []environment.TypeStatus{late, lost}, want: environment.Condition{Verdict: environment.VerdictBlind, Reason: "lost: missing permission: x", Since: hour}},
		"never readable":      {types: []environment.TypeStatus{good, never}, want: environment.Condition{Verdict: environment.VerdictGood, Reason: "1 of 2 types cannot be read with this client, and never could", Since: hour}},
		"nothing is readable": {types: []environment.TypeStatus{never, never}, want: environment.Condition{Verdict: environment.VerdictBlind, Reason: "2 of 2 types are not fully seen; never: 501", Since: hour}},
		"unproven":            {types: []environment.TypeStatus{unproven}, want: environment.Condition{Verdict: environment.VerdictBlind, Reason: "unproven: no pass could prove what is gone: a page was lost", Since: unproven.Unproven}},
		"failing":             {types: []environment.TypeStatus{lost, failing, good}, want: environment.Condition{Verdict: environment.VerdictFailing, Reason: "failing: 500 internal", Since: failing.Since}},
		"many fail": {types: []environment.TypeStatus{failing, but("b", func(ts *environment.TypeStatus) { ts.Failed = "reset" })}, want: environment.Condition{
			Verdict: environment.VerdictFailing, Reason: "2 of 2 types fail; failing: 500 internal", Since: hour,
		}},
		"paused":         {types: []environment.TypeStatus{good}, paused: true, want: environment.Condition{Verdict: environment.VerdictGood, Reason: "paused: nothing is polled until it is resumed", Since: hour}},
		"paused, failed": {types: []environment.TypeStatus{failing}, paused: true, want: environment.Condition{Verdict: environment.VerdictFailing, Reason: "failing: 500 internal", Since: failing.Since}},
	} {
		t.Run(name, func(t *testing.T) {
			status := environment.Status{Record: environment.Record{ID: 7, Name: "Test", Paused: test.paused}, Types: test.types}
			for _, ts := range test.types {
				if !ts.Unproven.IsZero() {
					status.Unproven = append(status.Unproven, ts.Type)
				}
			}
			h := status.Health(now)
			require.Equal(t, test.want, h.Condition)
			require.Equal(t, "Test", h.Name)
			require.Len(t, h.Types, len(test.types))
		})
	}
	vienna := environment.Status{Record: environment.Record{TimeZone: "Europe/Vienna"}, Types: []environment.TypeStatus{late}}
	require.Contains(t, vienna.Health(now).Reason, "due at 2026-11-26 12:54 CET", "times are in the zone of the schedules")
}

// The verdict follows what happens to the org and to the process, and says since when.
func TestHealthFollowsWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		var begun []environment.PassStart
		engine := open(t, org, memory.New(), func(o *environment.Options) {
			o.Begun = func(ctx context.Context, p environment.PassStart) context.Context {
				begun = append(begun, p)
				return ctx
			}
			o.Concurrency = 1
		})
		env := create(t, engine, recordOf(org, "Queues", "routing.skills"))
		is := func(want environment.Verdict, reason string) environment.Health {
			t.Helper()
			h, err := engine.Health(t.Context(), env.ID)
			require.NoError(t, err)
			require.Equal(t, want, h.Verdict, h.Reason)
			require.Contains(t, h.Reason, reason)
			return h
		}
		is(environment.VerdictGood, "")
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.ElementsMatch(t, []environment.PassStart{{1, "Test", "routing.queues"}, {1, "Test", "routing.skills"}}, begun)
		imported := time.Now()
		is(environment.VerdictGood, "")

		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = engine.Run(ctx) }()
		time.Sleep(61 * time.Minute)
		h := is(environment.VerdictGood, "")
		require.WithinDuration(t, imported, h.Since, 5*time.Second)

		org.Fail("routing.queues", genesystest.Status(http.StatusInternalServerError), -1)
		time.Sleep(time.Hour)
		h = is(environment.VerdictFailing, "500")
		since := h.Since
		require.WithinDuration(t, time.Now(), since, time.Hour)
		time.Sleep(2 * time.Hour)
		require.Equal(t, since, is(environment.VerdictFailing, "500").Since, "it still fails since then")
		org.Recover()
		time.Sleep(time.Hour)
		h = is(environment.VerdictGood, "")
		require.WithinDuration(t, time.Now(), h.Since, time.Hour, "good since the trouble ended")

		org.SetPermissions("routing:queue:view")
		time.Sleep(25 * time.Hour)
		is(environment.VerdictBlind, "routing.skills: missing permission")
		org.SetPermissions()
		time.Sleep(25 * time.Hour)
		is(environment.VerdictGood, "")

		stop()
		synctest.Wait()
		time.Sleep(2 * time.Hour)
		h = is(environment.VerdictLate, "has not been made")
		require.Equal(t, 0, h.Since.Minute(), "since the tick that had no pass")
		require.NoError(t, engine.Pause(t.Context(), env.ID))
		is(environment.VerdictGood, "paused")
	})
}
