package environment_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

var errDied = errors.New("the process was killed")

// A killingStore fails at one commit to a consumer's place or to what it is owed, that was made or not.
type killingStore struct {
	storage.Store
	commits atomic.Int64
	kill    int64
	made    bool
}

func (s *killingStore) Commit(ctx context.Context, b *storage.Batch) error {
	isConsumers := false
	for op := range b.Ops() {
		isConsumers = isConsumers || strings.Contains(op.Key, "/owed/") || strings.Contains(op.Key, "/consumer/") && !strings.Contains(op.Key, "/lease/")
	}
	if isConsumers {
		if s.commits.Add(1) == s.kill {
			if s.made {
				if err := s.Store.Commit(ctx, b); err != nil {
					return err
				}
			}
			return errDied
		}
	}
	return s.Store.Commit(ctx, b)
}

// A listener is a consumer that takes down what it hears.
type listener struct {
	t       *testing.T
	opts    environment.FollowOptions
	changes []history.Change
	told    []history.Change
	last    map[uint64]history.Attribution
	kills   int
}

func (l *listener) change(_ context.Context, c history.Change) error {
	if n := len(l.changes); n > 0 {
		newest := l.changes[n-1].Seq
		require.True(l.t, c.Seq > newest || l.kills > 0 && c.Seq == newest, "%d after %d", c.Seq, newest)
		if c.Seq == newest {
			l.changes = l.changes[:n-1]
		}
	}
	l.changes = append(l.changes, c)
	l.last[c.Seq] = *c.Who
	return nil
}

func (l *listener) who(_ context.Context, c history.Change) error {
	was, had := l.last[c.Seq]
	require.True(l.t, had, "%d is told before the change", c.Seq)
	require.True(l.t, l.kills > 0 || was.Status != c.Who.Status || len(was.Actors) != len(c.Who.Actors) || !was.At.Equal(c.Who.At), "%d is told again", c.Seq)
	l.told = append(l.told, c)
	l.last[c.Seq] = *c.Who
	return nil
}

// follow follows until ctx ends, and again after a kill.
func (l *listener) follow(ctx context.Context, engine *environment.Engine, id int64, name string) {
	for ctx.Err() == nil {
		if err := engine.Follow(ctx, id, name, l.change, &l.opts); err != nil {
			require.ErrorIs(l.t, err, errDied)
			l.kills++
		}
	}
}

// Consumers get the changes in order, and hear who made each: those that wait with the change, the others when it is
// known, whichever commit a process dies at. All have heard in the end what the log says.
func TestConsumersHearWho(t *testing.T) {
	t.Parallel()
	for n := range 7 {
		kill := int64(3 * n)
		synctest.Test(t, func(t *testing.T) {
			org := genesystest.New(&genesystest.Options{Counts: few(2), AuditDelay: time.Minute, AuditNoise: -1})
			store := memory.New()
			engine := open(t, org, store, func(o *environment.Options) { o.Lease = time.Hour })
			r := recordOf(org, "routing.skills", "architect.schedules")
			r.AuditMinutes, r.RateLimitDay = 30, 60_000
			r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "*/30 * * * *"}}
			r = create(t, engine, r)
			_, err := engine.Import(t.Context(), r.ID, nil)
			require.NoError(t, err)
			stop := runInBackground(t, engine)
			killing := &killingStore{Store: store, kill: kill, made: n%2 == 0}
			other := open(t, org, killing, func(o *environment.Options) { o.Instance, o.Lease = "consumers", time.Hour })
			ctx, end := context.WithCancel(t.Context())
			all := map[string]*listener{"waits": {}, "waits in vain": {}, "is told": {}, "neither": {}}
			all["waits"].opts.WaitForWho = 45 * time.Minute
			all["waits in vain"].opts.WaitForWho = time.Minute
			for _, name := range []string{"waits in vain", "is told"} {
				all[name].opts.Attributed = all[name].who
			}
			done := make(chan bool, len(all))
			for name, l := range all {
				l.t, l.last = t, map[uint64]history.Attribution{}
				go func() { l.follow(ctx, other, r.ID, name); done <- true }()
			}
			time.Sleep(25 * time.Minute)
			skill, schedule := firstID(t, org.Objects("routing.skills")), firstID(t, org.Objects("architect.schedules"))
			ada := firstID(t, org.Objects("users"))
			for i := range 3 {
				require.NoError(t, org.As(ada).Update("routing.skills", skill, map[string]any{"name": fmt.Sprint("Skill ", i)}))
				require.NoError(t, org.As(org.Support()).Update("architect.schedules", schedule, map[string]any{"name": fmt.Sprint("Schedule ", i)}))
				time.Sleep(37 * time.Minute)
			}
			status, err := engine.Consumers(t.Context(), r.ID)
			require.NoError(t, err)
			for _, c := range status {
				require.Equal(t, c.Name == "waits in vain" || c.Name == "is told", c.Owed > 0, c.Name)
			}
			time.Sleep(time.Hour)
			r.AuditMinutes, r.Polling[0].Cron = 360, "0 3 * * *" // what is settled a day later needs no more
			_, err = engine.Update(t.Context(), r, nil)
			require.NoError(t, err)
			time.Sleep(31 * time.Hour)
			end()
			for range all {
				<-done
			}
			stop()

			log, err := engine.History(t.Context(), r.ID)
			require.NoError(t, err)
			want := map[uint64]history.Attribution{}
			for c, err := range log.Changes(t.Context(), history.Query{}) {
				require.NoError(t, err)
				require.Equal(t, history.WhoAttributed, c.Who.Status)
				want[c.Seq] = *c.Who
			}
			require.Len(t, want, 6)
			kills := 0
			for name, l := range all {
				require.Len(t, l.changes, 6, name)
				kills += l.kills
				first := 0
				for _, c := range l.changes {
					if c.Who.Status != history.WhoPending {
						first++
					}
					heard := l.last[c.Seq]
					require.True(t, name == "neither" || heard.Status == want[c.Seq].Status && heard.Actors[0] == want[c.Seq].Actors[0], name)
				}
				require.True(t, name != "waits" || first == 6, name)
				require.True(t, name == "waits" || first < 6, name)
				require.Equal(t, l.opts.Attributed != nil, len(l.told) > 0, name)
			}
			require.True(t, kill == 0 || kills == 1, "%d kills", kills)
			status, err = engine.Consumers(t.Context(), r.ID)
			require.NoError(t, err)
			for _, c := range status {
				require.Zero(t, c.Owed, c.Name)
			}
			tally, _, err := log.Tally(t.Context())
			require.NoError(t, err)
			require.InDelta(t, 1, tally.Share(), 0)
			require.Less(t, tally.Delay, 21*time.Minute)
			require.Positive(t, tally.Delay)
			require.Less(t, tally.Naming, 32*time.Minute)
			require.Positive(t, tally.Naming)
		})
	}
}
