package environment_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// The traffic of a day is what the org counted, over updates of the record.
func TestTrafficIsWhatTheOrgCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "Queues", "routing.skills"))
		sum := func() (requests, throttled int) {
			traffic, err := engine.Traffic(t.Context(), env.ID)
			require.NoError(t, err)
			for i, q := range traffic.Quarters {
				require.Zero(t, q.Start.Unix()%900)
				require.True(t, i == 0 || traffic.Quarters[i-1].Start.Before(q.Start))
				requests, throttled = requests+q.Requests, throttled+q.Throttled
			}
			return requests, throttled
		}
		asked := func() (requests, throttled int) {
			for _, r := range org.Requests() {
				if r.Path != "/oauth/token" {
					requests++
				}
				if r.Status == 429 {
					throttled++
				}
			}
			return requests, throttled
		}
		equal := func() {
			t.Helper()
			wantRequests, wantThrottled := asked()
			requests, throttled := sum()
			require.Equal(t, [2]int{wantRequests, wantThrottled}, [2]int{requests, throttled})
		}
		org.Fail("routing.queues", genesystest.Throttle(2*time.Second), 1)
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		equal()
		time.Sleep(time.Hour)
		env.Revision, env.RateLimitMinute = 1, 100
		_, err = engine.Update(t.Context(), env, nil)
		require.NoError(t, err)
		_, err = engine.Poll(t.Context(), env.ID)
		require.NoError(t, err)
		equal()

		time.Sleep(23*time.Hour + 20*time.Minute)
		org.ClearRequests()
		_, err = engine.Poll(t.Context(), env.ID)
		require.NoError(t, err)
		latest, _ := asked()
		requests, _ := sum()
		require.Less(t, requests, 2*latest+9, "what is older than a day is left out")
		time.Sleep(25 * time.Hour)
		requests, _ = sum()
		require.Zero(t, requests)

		_, err = engine.Traffic(t.Context(), 99)
		require.ErrorIs(t, err, environment.ErrNotFound)
	})
}
