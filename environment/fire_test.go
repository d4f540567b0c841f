package environment_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// Under random edits and faults nothing is recorded that was not done, no
// object is called deleted that exists, and once the org is well again
// everything that was done has been recorded.
func TestNothingInventedNothingMissedUnderFire(t *testing.T) {
	types := []string{"routing.queues", "routing.skills", "groups", "routing.wrapupcodes", "teams", "routing.skillgroups", "architect.schedules"}
	rounds := 24
	if *full {
		rounds = 60
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				org := genesystest.New(&genesystest.Options{Seed: seed, Counts: few(8)})
				store := memory.New()
				r := recordOf(org, types...)
				r.RateLimitMinute = 250
				env := create(t, open(t, org, store, nil), r)
				_, err := open(t, org, store, nil).Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
				w := &world{t: t, org: org, random: random, edits: map[string]int{}, deleted: map[string]bool{}}
				engine := open(t, org, store, nil)
				for range rounds {
					for range random.IntN(6) {
						w.edit(types[random.IntN(len(types))])
					}
					w.fault()
					time.Sleep(time.Duration(random.IntN(3600)) * time.Second / 2)
					if random.IntN(3) == 0 { // a new process
						engine = open(t, org, store, nil)
					}
					_, err := engine.Import(t.Context(), env.ID, nil)
					if err != nil {
						require.NotErrorIs(t, err, environment.ErrNotFound)
					}
					w.heal()
				}
				for range 3 { // a suspicious drop takes a second look
					time.Sleep(2 * time.Hour)
					result, err := engine.Import(t.Context(), env.ID, nil)
					require.NoError(t, err)
					require.Empty(t, result.Failed)
				}
				h, err := engine.History(t.Context(), env.ID)
				require.NoError(t, err)
				w.check(h, types)
			})
		})
	}
}

// world is an org with a count of what was done to each object.
type world struct {
	t       *testing.T
	org     *genesystest.Org
	random  *rand.Rand
	edits   map[string]int // by type and ID
	deleted map[string]bool
	serial  int
}

func (w *world) edit(objectType string) {
	var ids []string
	for id := range w.org.Objects(objectType) {
		ids = append(ids, id)
	}
	w.serial++
	kind := w.random.IntN(10)
	if len(ids) == 0 || kind < 2 {
		id, err := w.org.Create(objectType, map[string]any{"name": fmt.Sprint("New ", w.serial)})
		require.NoError(w.t, err)
		w.edits[objectType+" "+id]++
		return
	}
	id := ids[w.random.IntN(len(ids))]
	switch {
	case kind < 4:
		require.NoError(w.t, w.org.Delete(objectType, id))
		w.deleted[objectType+" "+id] = true
		w.edits[objectType+" "+id]++
	case kind < 6:
		err := w.org.Touch(objectType, id)
		_ = err // types without a volatile member cannot be touched
	default:
		require.NoError(w.t, w.org.Update(objectType, id, map[string]any{"name": fmt.Sprint("Edit ", w.serial)}))
		w.edits[objectType+" "+id]++
	}
}

func (w *world) fault() {
	switch w.random.IntN(6) {
	case 0:
		w.org.SetDivisions("Home")
	case 1:
		w.org.SetPermissions("routing:*:*", "authorization:*:*")
	case 2:
		w.org.Fail("routing.queues", genesystest.FeatureOff(), -1)
	case 3:
		w.org.RevokeTokens()
	}
	w.org.Chaos(0.15, genesystest.Status(http.StatusInternalServerError), genesystest.HTML(http.StatusBadGateway), genesystest.Reset(),
		genesystest.CutBody(), genesystest.Garbage(), genesystest.LostPage(), genesystest.EmptyPage(), genesystest.ShortPage(), genesystest.RepeatedPage(),
		genesystest.WrongTotal(3), genesystest.Throttle(time.Second), genesystest.EvictedToken())
}

func (w *world) heal() {
	w.org.Recover()
	w.org.Chaos(0)
	w.org.SetDivisions()
	w.org.SetPermissions()
}

func (w *world) check(h *history.History, types []string) {
	t := w.t
	recorded := map[string]int{}
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		key := c.Type + " " + c.ID
		if recorded[key]++; recorded[key] > w.edits[key] {
			t.Errorf("%s %s was recorded %d times, and edited %d times", c.Kind, key, recorded[key], w.edits[key])
		}
		if c.Kind == history.KindDeleted && !w.deleted[key] {
			t.Errorf("%s was recorded as deleted, and never was", key)
		}
	}
	for _, objectType := range types {
		live := map[string]string{}
		for head, err := range h.Heads(t.Context(), objectType) {
			require.NoError(t, err)
			live[head.ID] = head.Name
		}
		for id, body := range w.org.Objects(objectType) {
			name, ok := live[id]
			if !ok {
				t.Errorf("%s %s exists, and is not known", objectType, id)
			}
			require.Contains(t, string(body), fmt.Sprintf("%q", name))
			delete(live, id)
		}
		if len(live) > 0 {
			t.Errorf("%s: known as live, and deleted: %v", objectType, live)
		}
	}
}
