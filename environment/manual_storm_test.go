package environment_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// A program's own test of what it does when the org answers 429, in virtual time:
// in this bubble a minute of waiting takes none.
func TestStormOf429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		vault, err := environment.NewKeyVault(environment.NewKey())
		require.NoError(t, err)
		var last atomic.Pointer[environment.PassEvent] // passes end side by side
		engine, err := environment.Open(memory.New(), &environment.Options{
			Vault: vault, Transport: org.Transport(),
			Observer: func(e environment.PassEvent) { last.Store(&e) },
		})
		require.NoError(t, err)
		env, err := engine.Create(t.Context(), environment.Record{
			Name: "Contoso", BaseURL: "mypurecloud.com", RateLimitMinute: 250, Types: []string{"Queues"},
			ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		})
		require.NoError(t, err)
		_, err = engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)

		// Three answers of 429 that ask for 20 seconds each: a pass that takes a minute.
		org.Fail("routing.queues", genesystest.Throttle(20*time.Second), 3)
		began := time.Now()
		results, err := engine.Poll(t.Context(), env.ID, "Queues")
		require.NoError(t, err)
		require.EqualValues(t, 4, results[0].Requests, "three and the one that was answered")
		require.InDelta(t, time.Minute, time.Since(began), float64(5*time.Second))

		// 429 again and again: six more tries, then the pass fails. Nothing is recorded.
		org.Fail("routing.queues", genesystest.Throttle(20*time.Second), -1)
		org.ClearRequests()
		_, err = engine.Poll(t.Context(), env.ID, "Queues")
		require.ErrorContains(t, err, "429")
		require.Len(t, org.Requests(), 7)
		require.ErrorContains(t, last.Load().Err, "429")
		status, err := engine.Status(t.Context(), env.ID)
		require.NoError(t, err)
		require.Contains(t, status.Types[0].Failed, "429")

		// Then it is as it was.
		org.Recover()
		results, err = engine.Poll(t.Context(), env.ID, "Queues")
		require.NoError(t, err)
		require.True(t, results[0].Complete)
		require.Zero(t, results[0].Updated+results[0].Deleted)

		// One request in three, for all object types: an import takes longer, and is whole.
		env.Types = []string{"Queues", "users", "groups", "routing.skills"}
		_, err = engine.Update(t.Context(), env, nil)
		require.NoError(t, err)
		org.Chaos(1.0/3, genesystest.Throttle(5*time.Second))
		all, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Len(t, all.Types, 4)
		require.Empty(t, all.Failed)
	})
}
