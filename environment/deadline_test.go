package environment_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage/memory"
)

// A deadline before which the quota has no slot is the caller's: it stops what
// was asked for, nothing is said of the types, and the next one goes on.
func TestDeadlineBeforeTheNextSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Counts: map[string]int{"routing.wrapupcodes": 700, "routing.queues": 12}, Latency: 10 * time.Millisecond})
		var failed atomic.Int64
		engine := open(t, org, memory.New(), func(o *environment.Options) {
			o.Observer = func(e environment.PassEvent) {
				if e.Err != nil || !e.Result.Complete {
					failed.Add(1)
				}
			}
		})
		r := recordOf(org, "routing.wrapupcodes", "routing.queues.members", "routing.skills", "users", "groups", "teams")
		r.RateLimitMinute = 10
		env := create(t, engine, r)
		within := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		// Before the permissions, amid pages, amid parents, and at the end.
		resumed := -1
		for stops := 0; ; stops++ {
			start, wait := time.Now(), time.Duration(20+30*stops)*time.Second
			result, err := engine.Import(within(wait), env.ID, nil)
			require.Empty(t, result.Failed)
			require.GreaterOrEqual(t, result.Resumed, resumed)
			resumed = result.Resumed
			if err == nil {
				require.Greater(t, stops, 1)
				break
			}
			requireLate(t, err)
			require.Less(t, stops, 20)
			require.Less(t, time.Since(start), wait, "it did not wait for nothing")
			requireNoneFailed(t, engine, env.ID)
		}
		_, err := engine.Poll(within(20*time.Second), env.ID, "routing.wrapupcodes", "users")
		requireLate(t, err)
		requireNoneFailed(t, engine, env.ID)
		require.Zero(t, failed.Load())
		require.Empty(t, changes(t, engine, env.ID, history.Query{}))
	})
}

func requireLate(t *testing.T, err error) {
	t.Helper()
	_, late := errors.AsType[*ratelimit.DeadlineError](err)
	require.True(t, late, "%v", err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func requireNoneFailed(t *testing.T, engine *environment.Engine, id int64) {
	t.Helper()
	status, err := engine.Status(t.Context(), id)
	require.NoError(t, err)
	for _, ts := range status.Types {
		require.Empty(t, ts.Failed, ts.Type)
		require.Equal(t, !ts.LastPass.IsZero(), ts.Complete, "%s: %s", ts.Type, ts.Reason)
	}
}

// A tick whose slot would come after the end of Run is left to the next Run.
func TestTickBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "routing.skills", "groups", "teams", "locations")
		r.RateLimitMinute, r.Polling = 3, every("0")
		env := create(t, engine, r)
		for run, wait := range []time.Duration{time.Hour + 45*time.Second, 10 * time.Minute} {
			ctx, stop := context.WithTimeout(t.Context(), wait)
			require.NoError(t, engine.Run(ctx))
			stop()
			requireNoneFailed(t, engine, env.ID)
			status, err := engine.Status(t.Context(), env.ID)
			require.NoError(t, err)
			read := 0
			for _, ts := range status.Types {
				if !ts.LastPass.IsZero() {
					read++
				}
			}
			require.Equal(t, run == 1, read == 4, "%d types were read in run %d", read, run)
		}
	})
}
