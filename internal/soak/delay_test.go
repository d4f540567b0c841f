package soak_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

// What audits name is on record sooner than without them, on average, for no more requests a day: the same
// edits by people, with audits and a pass every other hour, and without them and as many passes as take at least as
// many requests. Without -month it is a day of a small org, in which the tail alone takes more than passes do.
func TestDelayWithAndWithoutHints(t *testing.T) {
	t.Parallel()
	days, objects, edits := 1, 100, 30
	if *monthDays > 0 {
		days, objects, edits = *monthDays, 20_000, 500
	}
	with := delays(t, days, objects, edits, 5, "0 */2 * * *")
	every := 60
	for _, minutes := range []int{60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1} {
		if every = minutes; float64(24*60/minutes)*with.perPass >= with.perDay {
			break
		}
	}
	without := delays(t, days, objects, edits, 0, fmt.Sprintf("*/%d * * * *", every))
	t.Logf("%d days, %d objects, %d edits a day: with hints mean %.0f s, p95 %.0f s, %.0f requests a day; without, every %d minutes, mean %.0f s, p95 %.0f s, %.0f requests a day",
		days, objects, edits, with.mean.Seconds(), with.p95.Seconds(), with.perDay, every, without.mean.Seconds(), without.p95.Seconds(), without.perDay)
	if *monthDays > 0 {
		require.Less(t, 4*with.mean, without.mean)
		require.LessOrEqual(t, with.perDay, without.perDay)
	}
	require.Less(t, with.mean, 4*time.Minute)
}

type delay struct {
	mean, p95       time.Duration
	perDay, perPass float64
}

// delays measures how long after an edit it was recorded.
func delays(t *testing.T, days, objects, edits, auditMinutes int, cron string) (d delay) {
	t.Helper()
	types := []string{
		"routing.queues", "routing.skills", "routing.wrapupcodes", "architect.schedules", "architect.schedulegroups",
		"groups", "routing.languages", "outbound.contactlists", "outbound.dnclists", "scripts",
	}
	synctest.Test(t, func(t *testing.T) {
		counts := map[string]int{}
		for _, typ := range types {
			counts[typ] = objects / len(types)
		}
		org := genesystest.New(&genesystest.Options{Counts: counts, AuditDelay: 20 * time.Second})
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, types...)
		r.AuditMinutes, r.RateLimitDay = auditMinutes, 60_000
		r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: cron}}
		r = create(t, engine, r)
		_, err := engine.Import(t.Context(), r.ID, nil)
		require.NoError(t, err)
		f, err := engine.Forecast(t.Context(), r.ID)
		require.NoError(t, err)
		for _, typ := range f.Types {
			d.perPass += typ.Requests
		}
		ids := map[string][]string{}
		for _, typ := range types {
			for id := range org.Objects(typ) {
				if ids[typ] = append(ids[typ], id); len(ids[typ]) == 30 {
					break
				}
			}
		}
		stop := runInBackground(t, engine)
		time.Sleep(15 * time.Minute)
		before := org.Stats().Requests
		random := rand.New(rand.NewPCG(1, 2))
		var person string
		for person = range org.Objects("users") {
			break
		}
		for n := range days * edits {
			time.Sleep(time.Duration(random.Int64N(int64(48 * time.Hour / time.Duration(edits)))))
			typ := types[random.IntN(len(types))]
			require.NoError(t, org.As(person).Update(typ, ids[typ][random.IntN(len(ids[typ]))], map[string]any{"name": fmt.Sprint("Name ", n)}))
		}
		d.perDay = float64(org.Stats().Requests-before) / float64(days)
		time.Sleep(150 * time.Minute)
		stop()
		h := &synced{engine, org, r.ID}
		changes := h.changes(t)
		var all []time.Duration
		for e := range org.Edits() {
			for _, c := range changes {
				if c.Type == e.Type && c.ID == e.ID && !c.At.Before(e.Time) {
					all = append(all, c.At.Sub(e.Time))
					break
				}
			}
		}
		require.Len(t, all, days*edits)
		slices.Sort(all)
		for _, one := range all {
			d.mean += one / time.Duration(len(all))
		}
		d.p95 = all[len(all)*95/100]
	})
	return d
}
