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

// A quota is that of the OAuth client: a second record of the client shares it, deleting
// the first gives nothing back, and another client has its own.
func TestQuotaBelongsToTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		store := memory.New()
		used := func(change func(*environment.Record)) int {
			p := start(t, org, store, "a")
			r := recordOf(org, "routing.skills")
			r.RateLimitDay = 1000
			change(&r)
			env := create(t, p.engine, r)
			_, err := p.engine.Import(t.Context(), env.ID, nil)
			require.NoError(t, err)
			status, err := p.engine.Status(t.Context(), env.ID)
			require.NoError(t, err)
			require.NoError(t, p.engine.Close(t.Context()))
			if r.Name == "Deleted" {
				require.NoError(t, p.engine.Delete(t.Context(), env.ID, ""))
			}
			time.Sleep(time.Minute)
			return status.Quota.Used
		}
		first := used(func(r *environment.Record) { r.Name = "Deleted" })
		second := used(func(r *environment.Record) { r.Name = "Created again"; r.BaseURL += "/" })
		third := used(func(r *environment.Record) { r.Name = "Beside it" })
		require.Greater(t, second, first)
		require.Greater(t, third, second)
	})
}

// What the org has frozen shows in Status, and a person can end it.
func TestThaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "routing.skills")
		r.RateLimitMinute = 250
		env := create(t, engine, r)
		org.Fail("GET /api/v2/routing/skills", genesystest.Throttle(2*time.Minute), 1)
		go func() { _, _ = engine.Import(t.Context(), env.ID, nil) }()
		time.Sleep(10 * time.Second)
		status, err := engine.Status(t.Context(), env.ID)
		require.NoError(t, err)
		require.Len(t, status.Quota.Frozen, 1)
		require.NoError(t, engine.Thaw(t.Context(), env.ID))
		status, err = engine.Status(t.Context(), env.ID)
		require.NoError(t, err)
		require.Empty(t, status.Quota.Frozen)
		time.Sleep(time.Hour)
		require.ErrorIs(t, engine.Thaw(t.Context(), 99), environment.ErrNotFound)
	})
}
