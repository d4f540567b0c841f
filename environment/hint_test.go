package environment_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

// hinted is an environment that is polled daily.
type hinted struct {
	*environment.Engine
	org *genesystest.Org
	id  int64
}

func newHinted(t *testing.T, auditMinutes int, types ...string) *hinted {
	t.Helper()
	org := genesystest.New(&genesystest.Options{AuditNoise: -1})
	engine := open(t, org, memory.New(), nil)
	r := recordOf(org, types...)
	r.AuditMinutes, r.RateLimitDay = auditMinutes, 60_000
	r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "0 3 * * *"}}
	r = create(t, engine, r)
	_, err := engine.Import(t.Context(), r.ID, nil)
	require.NoError(t, err)
	return &hinted{engine, org, r.ID}
}

// changes returns the changes that are on record.
func (h *hinted) changes(t *testing.T) (all []history.Change) {
	t.Helper()
	log, err := h.History(t.Context(), h.id)
	require.NoError(t, err)
	for c, err := range log.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		all = append(all, c)
	}
	return all
}

// What audits name is read minutes after the edit and not at the next tick: alone, or below its parent alone.
func TestHintsFromAudits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHinted(t, 5, "routing.queues", "routing.queues.members", "architect.schedules")
		defer runInBackground(t, h.Engine)()
		time.Sleep(20 * time.Minute)
		queue, member := firstID(t, h.org.Objects("routing.queues")), firstID(t, h.org.Objects("routing.queues.members"))
		edited := time.Now()
		require.NoError(t, h.org.Update("routing.queues", queue, map[string]any{"name": "Renamed"}))
		require.NoError(t, h.org.Update("routing.queues.members", member, map[string]any{"ringNumber": 4}))
		time.Sleep(12 * time.Minute)
		got := map[string]history.Change{}
		for _, c := range h.changes(t) {
			got[c.Type] = c
			require.Less(t, c.At.Sub(edited), 12*time.Minute)
			require.True(t, c.After.Before(edited))
		}
		require.Len(t, got, 2)
		require.Equal(t, queue, got["routing.queues"].ID)
		require.Equal(t, member, got["routing.queues.members"].ID)
		lists := 0
		for _, r := range h.org.Requests() {
			if r.Time.After(edited) && r.Type == "routing.queues.members" {
				lists++
			}
			if r.Time.After(edited) && r.Type == "routing.queues" {
				require.Equal(t, queue, r.Query.Get("id"))
				lists++
			}
		}
		require.Equal(t, 2, lists, "the one queue, and below it, once each")
		time.Sleep(10 * time.Minute)
		for _, c := range h.changes(t) {
			require.Equal(t, history.WhoAttributed, c.Who.Status, c.Type)
		}
		status, err := h.Status(t.Context(), h.id)
		require.NoError(t, err)
		for _, typ := range status.Types {
			require.True(t, typ.Complete, typ.Type)
			require.Zero(t, typ.Withheld, typ.Type)
		}
	})
}

// An event that is delivered brings the reading forward within seconds. One that lies costs a request and records nothing.
func TestHintsFromOutside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHinted(t, 0, "routing.queues", "architect.schedules")
		defer runInBackground(t, h.Engine)()
		time.Sleep(20 * time.Minute)
		edited := time.Now()
		require.NoError(t, h.org.Update("routing.queues", firstID(t, h.org.Objects("routing.queues")), map[string]any{"name": "Renamed"}))
		time.Sleep(3 * time.Second)
		catalogue := genesys.DefaultCatalogue()
		var last genesys.AuditRecord
		for event := range h.org.AuditEvents(edited) {
			r, err := genesys.ParseAuditEvent(event)
			require.NoError(t, err)
			last = r
			require.NoError(t, h.Hint(t.Context(), h.id, catalogue.Audited(r)...))
		}
		time.Sleep(15 * time.Second)
		changes := h.changes(t)
		require.Len(t, changes, 1)
		require.Less(t, changes[0].At.Sub(edited), 20*time.Second)
		require.Nil(t, changes[0].Who, "audits are off")

		h.org.ClearRequests()
		require.NoError(t, h.Hint(t.Context(), h.id, catalogue.Audited(last)...))
		require.NoError(t, h.Hint(t.Context(), h.id, genesys.AuditTarget{Type: "users"}, genesys.AuditTarget{Type: "none"}))
		time.Sleep(time.Hour)
		require.Len(t, h.changes(t), 1)
		require.LessOrEqual(t, len(h.org.Requests()), 1)
		require.ErrorIs(t, h.Hint(t.Context(), 99), environment.ErrNotFound)
	})
}

// Hints of a flood take no more than their share of the quota.
func TestHintsHaveABudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHinted(t, 0, "routing.queues", "architect.schedules")
		r, err := h.Get(t.Context(), h.id)
		require.NoError(t, err)
		r.RateLimitDay = 2400 // of which hints get ten an hour
		_, err = h.Update(t.Context(), r, nil)
		require.NoError(t, err)
		defer runInBackground(t, h.Engine)()
		h.org.ClearRequests()
		for range 2 * 60 {
			time.Sleep(time.Minute)
			require.NoError(t, h.Hint(t.Context(), h.id, genesys.AuditTarget{Type: "routing.queues"}))
		}
		n := len(h.org.Requests())
		require.Greater(t, n, 25)
		require.Less(t, n, 50)
	})
}
