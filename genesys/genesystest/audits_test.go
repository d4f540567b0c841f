package genesystest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// audited asks for all audit records so far, by the real client.
func audited(t *testing.T, org *genesystest.Org, q genesys.AuditQuery) []genesys.AuditRecord {
	t.Helper()
	c, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	require.NoError(t, err)
	if q.Since.IsZero() {
		q.Since = time.Now().Add(-10 * 24 * time.Hour)
	}
	q.Until, q.Realtime = time.Now(), true
	var records []genesys.AuditRecord
	for r, err := range c.Audits(t.Context(), q) {
		require.NoError(t, err)
		records = append(records, r)
	}
	return records
}

// users returns the IDs of two users.
func users(org *genesystest.Org) (first, last string) {
	for id := range org.Objects("users") {
		if first == "" {
			first = id
		}
		last = id
	}
	return first, last
}

// TestAuditsHaveTheirQuirks has one row for each way in which records are not what one expects.
func TestAuditsHaveTheirQuirks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{AuditNoise: -1, RateLimit: -1})
		_, ada := users(org)
		e := org.As(ada)
		queue, group, role := firstID(org, "routing.queues"), firstID(org, "groups"), firstID(org, "authorization.roles")
		stranger, err := org.Create("users", map[string]any{"name": "Stranger"})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		of := func(edit func() error) (records []genesys.AuditRecord) {
			before := map[string]bool{}
			for _, r := range audited(t, org, genesys.AuditQuery{}) {
				before[r.ID] = true
			}
			require.NoError(t, edit())
			time.Sleep(time.Hour)
			for _, r := range audited(t, org, genesys.AuditQuery{}) {
				require.Empty(t, r.Client.ID, "is always empty")
				require.Equal(t, "SUCCESS", r.Status)
				if !before[r.ID] && r.Level == genesys.AuditLevelUser || r.Context != nil {
					records = append(records, r)
				}
			}
			return slices.DeleteFunc(records, func(r genesys.AuditRecord) bool { return before[r.ID] })
		}
		child := func(typ, parent string) func() error {
			return func() error {
				_, err := e.CreateChild(typ, parent, map[string]any{"id": stranger, "name": "Stranger"})
				return err
			}
		}

		added := of(child("routing.queues.members", queue))
		require.Len(t, added, 1)
		require.Equal(t, genesys.AuditEntity{Type: "Queue", ID: queue, Name: added[0].Entity.Name}, added[0].Entity)
		require.Equal(t, []genesys.PropertyChange{
			{Property: "QueueMember/" + queue + ":" + stranger, NewValues: []string{"<queue member added>"}},
			{Property: "QueueMember/" + queue + ":" + stranger + ":joined", NewValues: []string{"true"}},
		}, added[0].Properties)
		removed := of(func() error { return e.Delete("routing.queues.members", genesys.JoinID(queue, stranger)) })
		require.Equal(t, []string{"<queue member removed>"}, removed[0].Properties[0].NewValues)

		trio := of(child("groups.individuals", group))
		require.Len(t, trio, 3)
		var properties []string
		for _, r := range trio {
			require.Empty(t, r.User)
			require.Equal(t, map[string]string{"userid": ada}, r.Context)
			require.Equal(t, ada, r.Actor().ID)
			require.Equal(t, group, r.Entity.ID)
			properties = append(properties, r.Properties[0].Property)
		}
		require.ElementsMatch(t, []string{"memberCount", "individuals", "membership"}, properties)

		granted := of(child("authorization.roles.subjectgrants", role))
		require.Len(t, granted, 1)
		require.Equal(t, stranger+"--"+role+"--"+org.ID(), granted[0].Entity.Name)
		require.Empty(t, granted[0].Properties)
		require.Empty(t, of(func() error { return e.Update("authorization.roles", role, map[string]any{"description": "x"}) })[0].Properties, "roles have none")

		changed := of(func() error {
			return e.Update("routing.queues", queue, map[string]any{"mediaSettings": map[string]any{"call": map[string]any{"n": 1}}})
		})
		require.Equal(t, byte('{'), changed[0].Properties[0].NewValues[0][0], "JSON in a string")

		require.NotEmpty(t, of(func() error { return e.Update("users", stranger, map[string]any{"title": "Agent"}) }))
		require.Empty(t, of(func() error {
			return e.Update("authorization.divisions", firstID(org, "authorization.divisions"), map[string]any{"name": "x"})
		}), "no audit tells of it")
		require.Empty(t, of(func() error {
			return e.Update("gamification.profiles", firstID(org, "gamification.profiles"), map[string]any{"name": "x"})
		}), "realtime lacks it")
		require.Empty(t, of(func() error {
			return org.As(genesystest.System).Update("routing.queues", queue, map[string]any{"name": "x"})
		}))

		support := of(func() error {
			return org.As(org.Support()).Update("routing.queues", queue, map[string]any{"name": "y"})
		})
		require.Equal(t, genesys.Named{ID: org.Support(), Name: "Sam Support"}, support[0].User)
		require.NotEqual(t, org.ID(), support[0].UserOrgID)
		require.Equal(t, support, audited(t, org, genesys.AuditQuery{TrusteeOrg: support[0].UserOrgID}))

		require.NotEmpty(t, of(func() error { return org.As(stranger).Update("routing.queues", queue, map[string]any{"name": "z"}) })[0].User.Name)
		require.NoError(t, org.Delete("users", stranger))
		for _, r := range audited(t, org, genesys.AuditQuery{UserID: stranger}) {
			require.Equal(t, genesys.Named{ID: stranger}, r.User, "a deleted user has no name")
		}
		c := newCaller(t, org)
		client := of(func() error {
			require.Equal(t, 200, c.do("PATCH", "/api/v2/routing/queues/"+queue, map[string]any{"description": "x"}).status)
			return nil
		})
		require.Equal(t, genesys.Named{}, client[0].Actor(), "a client is nobody")
	})
}

// TestAuditsOfUsersAreNoise: nearly all records of users are of the system, and say that a version moved.
func TestAuditsOfUsersAreNoise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Seed: 3})
		ada, _ := users(org)
		for range 6 {
			time.Sleep(24 * time.Hour)
			require.NoError(t, org.Update("users", ada, map[string]any{"title": time.Now().String()}))
		}
		time.Sleep(time.Hour)
		system, people := 0, 0
		for _, r := range audited(t, org, genesys.AuditQuery{EntityType: "User"}) {
			if r.Level == genesys.AuditLevelSystem {
				require.Equal(t, "version", r.Properties[0].Property)
				system++
				continue
			}
			people++
			require.True(t, slices.ContainsFunc(r.Properties, func(c genesys.PropertyChange) bool { return c.Property == "version" }))
		}
		require.Equal(t, 6, people)
		require.Greater(t, system, 97*people/3)
		looks := audited(t, org, genesys.AuditQuery{Action: "View"})
		require.NotEmpty(t, looks)
		require.False(t, looks[0].Writes())
	})
}

// TestAuditsArriveLate: each record comes once it is due, some after later ones, and all within twelve times the delay.
func TestAuditsArriveLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const delay = 5 * time.Second
		org := genesystest.New(&genesystest.Options{AuditDelay: delay, AuditNoise: -1, RateLimit: -1})
		queue := firstID(org, "routing.queues")
		start := time.Now()
		came, early, overtaken := map[string]bool{}, 0, 0
		var last time.Time
		var latest time.Duration
		for time.Since(start) < 30*time.Second+12*delay {
			if time.Since(start) < 30*time.Second {
				require.NoError(t, org.Update("routing.queues", queue, map[string]any{"description": time.Now().String()}))
			}
			for _, r := range audited(t, org, genesys.AuditQuery{Since: start.Add(-time.Second)}) {
				if came[r.ID] {
					continue
				}
				came[r.ID], latest = true, max(latest, time.Since(r.Time))
				if time.Since(r.Time) <= delay {
					early++
				}
				if r.Time.Before(last) {
					overtaken++
				}
				last = r.Time
			}
			time.Sleep(time.Second)
		}
		all := 0
		for range org.AuditEvents(start) {
			all++
		}
		require.Len(t, came, all)
		require.NotZero(t, overtaken)
		require.Greater(t, early, all/2)
		require.Greater(t, latest, 2*delay)
	})
}

func TestEditsAreTheTruth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		ada, bob := users(org)
		queue, err := org.As(bob).Create("routing.queues", map[string]any{"name": "New"})
		require.NoError(t, err)
		require.NoError(t, org.Update("routing.queues", queue, map[string]any{"name": "Newer"}))
		require.NoError(t, org.Touch("routing.queues", queue))
		require.NoError(t, org.As(genesystest.System).Update("authorization.divisions", firstID(org, "authorization.divisions"), map[string]any{"name": "x"}))
		c := newCaller(t, org)
		require.Equal(t, 200, c.do("DELETE", "/api/v2/routing/queues/"+queue, nil).status/100*100)
		language := firstID(org, "routing.languages")
		require.NoError(t, org.As(bob).Delete("routing.languages", language))
		var got [][3]string
		for e := range org.Edits() {
			got = append(got, [3]string{e.Type, e.Action, e.Author})
			require.Equal(t, e.Type != "authorization.divisions", e.Audited)
			require.False(t, e.Time.Before(time.Now().Add(-time.Second)))
		}
		require.Equal(t, [][3]string{
			{"routing.queues", "Create", bob},
			{"routing.queues", "Update", ada},
			{"authorization.divisions", "Update", genesystest.System},
			{"routing.queues", "Delete", genesystest.ClientID},
			{"routing.languages", "Delete", bob},
		}, got)
	})
}
