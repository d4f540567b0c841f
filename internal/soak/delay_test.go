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
// many requests. Of 20,000 objects with 500 edits a day the mean was 5m16s for 8,541 requests, and 10m1s for 11,855
// without; of 300 with 60 edits it was 2m50s and 10m0s. A large type has to be listed whole for one edit.
func TestDelayWithAndWithoutHints(t *testing.T) {
	t.Parallel()
	objects, edits := 100, 30
	if *monthDays > 0 {
		objects, edits = 20_000, 500
	}
	with := delays(t, objects, edits, 5, "0 */2 * * *")
	perPass := with.perPass
	every := 60
	for _, minutes := range []int{60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1} {
		if every = minutes; float64(24*60/minutes)*perPass >= with.perDay {
			break
		}
	}
	without := delays(t, objects, edits, 0, fmt.Sprintf("*/%d * * * *", every))
	t.Logf("%d objects, %d edits a day: with hints mean %v, p95 %v, %.0f requests a day; without, every %d minutes, mean %v, p95 %v, %.0f requests a day",
		objects, edits, with.mean.Round(time.Second), with.p95.Round(time.Second), with.perDay,
		every, without.mean.Round(time.Second), without.p95.Round(time.Second), without.perDay)
	if *monthDays > 0 { // in a small org the tail alone takes more than passes do
		require.Less(t, 3*with.mean, 2*without.mean)
		require.LessOrEqual(t, with.perDay, without.perDay)
	}
	require.Less(t, with.mean, 8*time.Minute)
}

type delay struct {
	mean, p95       time.Duration
	perDay, perPass float64
}

// delays measures how long after an edit it was recorded, over a day.
func delays(t *testing.T, objects, edits, auditMinutes int, cron string) (d delay) {
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
		org.ClearRequests()
		random := rand.New(rand.NewPCG(1, 2))
		var person string
		for person = range org.Objects("users") {
			break
		}
		for n := range edits {
			time.Sleep(time.Duration(random.Int64N(int64(48 * time.Hour / time.Duration(edits)))))
			typ := types[random.IntN(len(types))]
			require.NoError(t, org.As(person).Update(typ, ids[typ][random.IntN(len(ids[typ]))], map[string]any{"name": fmt.Sprint("Name ", n)}))
		}
		d.perDay = float64(len(org.Requests()))
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
		require.Len(t, all, edits)
		slices.Sort(all)
		for _, one := range all {
			d.mean += one / time.Duration(len(all))
		}
		d.p95 = all[len(all)*95/100]
	})
	return d
}
