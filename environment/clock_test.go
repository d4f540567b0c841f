package environment_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// What was stored under a clock that ran a month ahead holds nothing up once the
// clock is set: what was unavailable is tried again, and an import reads everything.
func TestClockThatRanAhead(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		t.Run(fmt.Sprint("interrupted ", interrupted), func(t *testing.T) {
			store := memory.New()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(31 * 24 * time.Hour)
				org := genesystest.New(nil)
				org.Fail("groups", genesystest.FeatureOff(), -1)
				engine := open(t, org, store, func(o *environment.Options) { o.Concurrency = 1 })
				r := recordOf(org, "groups", "routing.skills")
				r.Polling = every("*/10")
				env := create(t, engine, r)
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				_, err := engine.Import(ctx, env.ID, &environment.ImportOptions{OnProgress: func(environment.Progress) {
					if interrupted {
						interrupt()
					}
				}})
				require.Equal(t, interrupted, err != nil)
				ctx, stop := context.WithTimeout(t.Context(), 25*time.Minute)
				defer stop()
				require.NoError(t, engine.Run(ctx))
			})
			synctest.Test(t, func(t *testing.T) { // begins a month before
				org := genesystest.New(nil)
				engine := open(t, org, store, nil)
				ctx, stop := context.WithTimeout(t.Context(), 25*time.Minute)
				defer stop()
				require.NoError(t, engine.Run(ctx))
				status, err := engine.Status(t.Context(), 1)
				require.NoError(t, err)
				for _, ts := range status.Types {
					require.Empty(t, ts.Unavailable)
					require.NotZero(t, ts.Objects, ts.Type)
				}
				result, err := engine.Import(t.Context(), 1, nil)
				require.NoError(t, err)
				require.Zero(t, result.Resumed)
				require.Len(t, result.Types, 2)
			})
		})
	}
}

// wrong are how far the clock of a process may be ahead of the org's.
var wrong = []time.Duration{
	0, 20 * time.Second, -20 * time.Second, 24 * time.Hour, -24 * time.Hour, 3650 * 24 * time.Hour, -3650 * 24 * time.Hour,
}

// orgBehind returns an org whose clock is behind that of this process, and that clock.
func orgBehind(by, latency time.Duration) (*genesystest.Org, func() time.Time) {
	clock := func() time.Time { return time.Now().Add(-by) }
	return genesystest.New(&genesystest.Options{Clock: clock, Latency: latency}), clock
}

// TestTimesAreTheOrgs: whatever the clock of the process says, each change lies between
// its After and its At by the clock of the org, by which audits have it too.
func TestTimesAreTheOrgs(t *testing.T) {
	t.Parallel()
	for _, ahead := range wrong {
		for _, latency := range []time.Duration{0, 300 * time.Millisecond, 4 * time.Second} {
			t.Run(fmt.Sprint(ahead, " ahead, ", latency), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(300 * time.Millisecond) // seconds do not begin where those of the clock do
					org, clock := orgBehind(ahead, latency)
					store := memory.New()
					engine := open(t, org, store, nil)
					env := create(t, engine, recordOf(org, "routing.skills", "routing.wrapupcodes"))
					_, err := engine.Import(t.Context(), env.ID, nil)
					require.NoError(t, err)
					require.NoError(t, engine.Deliver(t.Context(), env.ID, "late", func(context.Context, history.Change) error { return nil }))
					edited := map[string]time.Time{}
					for i := range 12 {
						name := fmt.Sprint("edit ", i)
						edited[name] = clock()
						_, err := org.Create("routing.skills", map[string]any{"name": name})
						require.NoError(t, err)
						time.Sleep(time.Duration(i) * 93 * time.Millisecond)
						if i%4 == 3 { // a new process knows nothing of the time
							engine = open(t, org, store, nil)
						}
						_, err = engine.Poll(t.Context(), env.ID, "routing.skills")
						require.NoError(t, err)
					}
					h, err := engine.History(t.Context(), env.ID)
					require.NoError(t, err)
					consumers, err := engine.Consumers(t.Context(), env.ID)
					require.NoError(t, err)
					require.Len(t, consumers, 1)
					require.InDelta(t, clock().Sub(edited["edit 0"]), consumers[0].Lag, float64(2*time.Second+6*latency))
					var last time.Time
					n := 0
					for c, err := range h.Changes(t.Context(), history.Query{}) {
						require.NoError(t, err)
						at := edited[c.Name]
						require.False(t, c.At.Before(at), "%s is told %v before it was made", c.Name, at.Sub(c.At))
						require.False(t, c.After.After(at), "%s is told to be after %v after it was made", c.Name, c.After.Sub(at))
						require.Less(t, c.At.Sub(c.After), 30*time.Second+6*latency)
						require.False(t, c.At.Before(last))
						last = c.At
						n++
					}
					require.Len(t, edited, n)
					for p, err := range h.Passes(t.Context()) {
						require.NoError(t, err)
						require.False(t, p.Ended.Before(p.Started))
						if p.Type == "routing.skills" {
							require.WithinDuration(t, clock(), p.Ended, 2*time.Second+6*latency)
						}
					}
					status, err := engine.Status(t.Context(), env.ID)
					require.NoError(t, err)
					require.True(t, status.Clock.Confirmed)
					require.WithinDuration(t, clock(), status.Clock.Now, 2*time.Second+2*latency)
				})
			})
		}
	}
}

// TestWrongClockTrimsNothing starts a process with a wrong clock over a history: only
// what has expired by the org's time goes, and nothing before the org has answered, or
// while its answers have no Date.
func TestWrongClockTrimsNothing(t *testing.T) {
	const began = 4000 * 24 * time.Hour // so that a clock can be behind
	kept := memory.New()
	var id string
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(began)
		org := genesystest.New(nil)
		engine := open(t, org, kept, nil)
		r := recordOf(org, "routing.skills")
		r.RetentionDays = 12
		env := create(t, engine, r)
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		id = firstID(t, org.Objects("routing.skills"))
		for i := range 4 { // superseded 15, 10 and 5 days before the clock is wrong
			require.NoError(t, org.Update("routing.skills", id, map[string]any{"name": fmt.Sprint("name ", i)}))
			_, err := engine.Poll(t.Context(), env.ID, "routing.skills")
			require.NoError(t, err)
			time.Sleep(5 * 24 * time.Hour)
		}
	})
	for _, ahead := range wrong {
		for _, mute := range []bool{false, true} {
			t.Run(fmt.Sprint(ahead, " ahead, no Date ", mute), func(t *testing.T) {
				store := memory.New()
				var all storage.Batch
				for e, err := range kept.Scan(t.Context(), storage.Range{}) {
					require.NoError(t, err)
					all.Put(e.Key, e.Value)
				}
				require.NoError(t, store.Commit(t.Context(), &all))
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(began + 20*24*time.Hour + time.Hour + ahead)
					org, _ := orgBehind(ahead, time.Second)
					engine := open(t, org, store, func(o *environment.Options) {
						if mute {
							o.Transport = dateless{o.Transport}
						}
					})
					ctx, stop := context.WithTimeout(t.Context(), 3*time.Hour)
					defer stop()
					before := changes(t, engine, 1, history.Query{Types: []string{"routing.skills"}, ID: id})
					require.NoError(t, engine.Run(ctx))
					after := changes(t, engine, 1, history.Query{Types: []string{"routing.skills"}, ID: id})
					gone := 1 // what was superseded 15 days ago
					if mute || ahead < -3*24*time.Hour {
						gone = 0 // a clock that is behind keeps
					}
					require.Equal(t, before[gone:], after[:len(before)-gone])
				})
			})
		}
	}
}

// dateless takes the Date out of answers, as a gateway might.
type dateless struct{ http.RoundTripper }

func (d dateless) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Header.Del("Date")
	}
	return resp, err
}
