package soak_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// TestWhoOfAMonth lets people, the platform and a supporter from another org edit, while audits come late and
// unordered, processes end and begin, and the schedule polls hourly:
//
//   - Nobody is named who did not edit the object in the span of the change, and nobody is named alone where
//     somebody else edited what the change shows.
//   - At least 97 % of the changes by people name somebody.
//   - What is undetected was edited, and no change shows it.
//   - The tail takes less than 1 % of 60,000 requests a day, and what the forecast says within 5 %.
func TestWhoOfAMonth(t *testing.T) {
	t.Parallel()
	days := max(1, *monthDays)
	synctest.Test(t, func(t *testing.T) {
		w := newWhoMonth(t)
		w.run(days)
		w.check()
	})
}

type whoMonth struct {
	*synced
	t      *testing.T
	random *rand.Rand
	store  *memory.Store
	people []string
	types  []string
	stop   func()
	made   int
}

func newWhoMonth(t *testing.T) *whoMonth {
	t.Helper()
	w := &whoMonth{
		t: t, random: rand.New(rand.NewPCG(*monthSeed, 22)), store: memory.New(),
		types: []string{"routing.queues", "routing.queues.members", "routing.skills", "architect.schedules", "groups", "flows.datatables"},
	}
	org := genesystest.New(&genesystest.Options{AuditDelay: 30 * time.Second, AuditNoise: 30})
	for id := range org.Objects("users") {
		if w.people = append(w.people, id); len(w.people) == 6 {
			break
		}
	}
	w.people = append(w.people, org.Support())
	engine := open(t, org, w.store, nil)
	r := recordOf(org, w.types...)
	r.AuditMinutes, r.RateLimitDay = 30, 60_000
	if *monthDays > 0 {
		r.AuditMinutes = 5
	}
	r = create(t, engine, r)
	_, err := engine.Import(t.Context(), r.ID, nil)
	require.NoError(t, err)
	w.synced = &synced{engine, org, r.ID}
	return w
}

// run lets people edit all day long, about 500 times a day or, in the short form, half a day 30 times,
// and gives what they did a day to settle.
func (w *whoMonth) run(days int) {
	w.stop = runInBackground(w.t, w.Engine)
	edits, every := 30, 48*time.Minute
	if *monthDays > 0 {
		edits, every = 250, 11*time.Minute
	}
	for day := range days {
		for range edits {
			time.Sleep(time.Duration(w.random.Int64N(int64(every))))
			w.edit()
		}
		w.restart(fmt.Sprint("process ", day))
	}
	time.Sleep(25*time.Hour + 10*time.Minute)
	w.stop()
}

// restart ends the process and begins another one.
func (w *whoMonth) restart(name string) {
	w.stop()
	require.NoError(w.t, w.Close(w.t.Context()))
	w.Engine = open(w.t, w.org, w.store, func(o *environment.Options) { o.Instance = name })
	w.stop = runInBackground(w.t, w.Engine)
}

// edit lets somebody edit one object, or several in a row.
func (w *whoMonth) edit() {
	who := w.people[w.random.IntN(len(w.people))]
	if w.random.IntN(12) == 0 {
		who = genesystest.System
	}
	e := w.org.As(who)
	for range 1 + w.random.IntN(3) {
		w.made++
		typ := w.types[w.random.IntN(len(w.types))]
		if typ == "routing.skills" && w.random.IntN(3) == 0 {
			_, err := e.Create(typ, map[string]any{"name": fmt.Sprint("Skill ", w.made)})
			require.NoError(w.t, err)
			continue
		}
		var ids []string
		for id := range w.org.Objects(typ) {
			if ids = append(ids, id); len(ids) == 12 {
				break
			}
		}
		id := ids[w.random.IntN(len(ids))]
		switch {
		case typ == "routing.skills" && len(ids) > 6 && w.random.IntN(3) == 0:
			require.NoError(w.t, e.Delete(typ, id))
		case typ == "routing.queues.members":
			require.NoError(w.t, e.Update(typ, id, map[string]any{"ringNumber": 1 + w.random.IntN(6)}))
		default:
			require.NoError(w.t, e.Update(typ, id, map[string]any{"name": fmt.Sprint("Name ", w.random.IntN(3), " of ", id)}))
		}
	}
}

func (w *whoMonth) check() {
	t := w.t
	type object struct{ typ, id string }
	edits := map[object][]genesystest.Edit{}
	for e := range w.org.Edits() {
		edits[object{e.Type, e.ID}] = append(edits[object{e.Type, e.ID}], e)
	}
	counts := map[history.WhoStatus]int{}
	byPeople, named := 0, 0
	for _, c := range w.changes(t) {
		if c.Who == nil {
			continue
		}
		require.True(t, c.Who.Settled, "%v", c)
		counts[c.Who.Status]++
		did := map[string]bool{}
		for _, e := range edits[object{c.Type, c.ID}] {
			if e.Time.After(c.After) && !e.Time.After(c.At) {
				did[e.Author] = true
			}
		}
		isBySystem := did[genesystest.System]
		delete(did, genesystest.System)
		var actors []string
		for _, a := range c.Who.Actors {
			require.True(t, did[a.ID], "%s is named in %v, but %v did it", a.ID, c, slices.Collect(maps.Keys(did)))
			actors = append(actors, a.ID)
		}
		if len(did) == 1 && !isBySystem {
			byPeople++
			if len(actors) == 1 {
				named++
			}
		}
		require.False(t, c.Who.Status == history.WhoSystem && !isBySystem, "%v", c)
	}
	t.Log(counts, byPeople, named)
	require.Greater(t, byPeople, 25)
	require.GreaterOrEqual(t, float64(named), 0.97*float64(byPeople))

	status, err := w.Status(t.Context(), w.id)
	require.NoError(t, err)
	h, err := w.History(t.Context(), w.id)
	require.NoError(t, err)
	for u, err := range h.Undetected(t.Context(), time.Time{}) {
		require.NoError(t, err)
		for _, c := range w.changes(t) {
			isAbout := slices.ContainsFunc(u.Targets, func(t history.Target) bool {
				return t.Type == c.Type && (t.ID == c.ID || t.Below != "" && strings.HasPrefix(c.ID, t.Below+"/") && strings.HasSuffix(c.ID, t.Last))
			})
			require.False(t, isAbout && c.Who != nil && u.At.After(c.After) && !u.At.After(c.At), "%v is in %v", u, c)
		}
	}
	f, err := w.Forecast(t.Context(), w.id)
	require.NoError(t, err)
	perDay := float64(status.Audits.Requests) / (time.Since(status.Record.Created).Hours() / 24)
	t.Logf("tally %+v, %d readings, %d requests, %.1f a day, forecast %.1f", *status.Audits.Tally, status.Audits.Readings, status.Audits.Requests, perDay, f.Audits)
	require.Less(t, perDay, 600.0)
	require.InEpsilon(t, perDay, f.Audits, 0.05)
}
