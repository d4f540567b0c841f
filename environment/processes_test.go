package environment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

const lease = 30 * time.Second

// A process is one of several Engines that share a store. It can be stopped, as
// by SIGSTOP: every use of the store then waits. What only makes a race less
// likely is late in it: renewing a lease after a stop, and saving a due time for itself.
type process struct {
	storage.Store
	engine   *environment.Engine
	onCommit func(keys string)
	mu       sync.Mutex
	going    chan struct{} // closed while it is not stopped
	passes   []environment.PassEvent
}

func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.going = make(chan struct{})
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.going)
}

func (p *process) wait() (waited bool) {
	p.mu.Lock()
	going := p.going
	p.mu.Unlock()
	began := time.Now()
	<-going
	return time.Since(began) > 0
}

func (p *process) Get(ctx context.Context, key string) ([]byte, error) {
	p.wait()
	return p.Store.Get(ctx, key)
}

func (p *process) Commit(ctx context.Context, b *storage.Batch) error {
	waited := p.wait()
	var keys []string
	for op := range b.Ops() {
		keys = append(keys, op.Key)
	}
	switch put := strings.Join(keys, " "); {
	case p.onCommit != nil:
		p.onCommit(put)
	case len(keys) == 1 && strings.Contains(put, "/due/"), waited && strings.HasSuffix(put, "/term"):
		time.Sleep(9 * time.Second)
	}
	return p.Store.Commit(ctx, b)
}

func start(t *testing.T, org *genesystest.Org, store storage.Store, name string) *process {
	t.Helper()
	p := &process{Store: store, going: make(chan struct{})}
	close(p.going)
	p.engine = open(t, org, p, func(o *environment.Options) {
		o.Instance, o.Lease, o.Concurrency = name, lease, 1
		o.Observer = func(e environment.PassEvent) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.passes = append(p.passes, e)
		}
	})
	return p
}

func (p *process) made() []environment.PassEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.passes)
}

// run runs the engine until the test ends or stop is called.
func (p *process) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.engine.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// Processes that share a store make each scheduled pass once between them, one
// after the other, and each notices what another does to the records.
func TestProcessesShareTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Counts: few(2), Latency: 2 * time.Second}) // so they are late for ticks of others
		store := memory.New()
		var processes []*process
		for i := range 3 {
			processes = append(processes, start(t, org, store, fmt.Sprint("process ", i)))
		}
		r := recordOf(org, "routing.skills", "Queues", "groups")
		r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "*/10 * * * *"}}
		var stops []func()
		for _, p := range processes {
			stops = append(stops, p.run(t))
		}
		env := create(t, processes[0].engine, r)
		time.Sleep(6*time.Hour + 5*time.Minute)
		r = env
		r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "0 0 1 1 *"}, {Type: "Queues", Cron: "*/10 * * * *"}}
		_, err := processes[1].engine.Update(t.Context(), r, nil)
		require.NoError(t, err)
		time.Sleep(6 * time.Hour)
		for _, stop := range stops {
			stop()
		}
		counts := map[string]int{}
		ended := map[string]time.Time{}
		var all []environment.PassEvent
		for _, p := range processes {
			passes := p.made()
			require.Greater(t, len(passes), 20, "each has its share")
			all = append(all, passes...)
		}
		slices.SortFunc(all, func(a, b environment.PassEvent) int { return a.Result.Started.Compare(b.Result.Started) })
		for _, pass := range all {
			require.NoError(t, pass.Err)
			counts[pass.Result.Type]++
			require.False(t, pass.Result.Started.Before(ended[pass.Result.Type]), "two passes over %s at once", pass.Result.Type)
			ended[pass.Result.Type] = pass.Result.Ended
		}
		require.Equal(t, map[string]int{"routing.queues": 2 * 36, "routing.skills": 36, "groups": 36}, counts)
	})
}

// A process that stalls in the middle of a pass loses it within the lease time,
// and what it writes when it wakes up is refused.
func TestStalledProcessIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Latency: time.Second})
		store := memory.New()
		a, b := start(t, org, store, "a"), start(t, org, store, "b")
		r := recordOf(org, "Queues", "routing.skills")
		r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "0 * * * *"}}
		env := create(t, a.engine, r)
		_, err := a.engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		id, err := org.Create("routing.queues", map[string]any{"name": "Before"})
		require.NoError(t, err)

		polled := make(chan error, 1)
		go func() { _, err := a.engine.Poll(t.Context(), env.ID, "Queues"); polled <- err }()
		time.Sleep(500 * time.Millisecond) // a request is on the way
		a.stop()
		stopped := time.Now()
		_, err = b.engine.Poll(t.Context(), env.ID, "Queues")
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(stopped), lease+lease/10)
		require.NoError(t, org.Update("routing.queues", id, map[string]any{"name": "After"}))
		_, err = b.engine.Poll(t.Context(), env.ID, "Queues")
		require.NoError(t, err)
		want := []string{"created routing.queues Before", "updated routing.queues After /name"}
		require.Equal(t, want, changes(t, b.engine, env.ID, history.Query{}))

		a.resume() // it saw the queue as it was before
		require.NoError(t, <-polled, "it reads once more when it has the lease")
		require.Equal(t, want, changes(t, b.engine, env.ID, history.Query{}))
		require.Len(t, a.made(), 3, "the pass that was taken over is not told of")
	})
}

// A scheduled pass whose process dies is made by another one.
func TestTickOfADeadProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Latency: time.Second})
		store := memory.New()
		r := recordOf(org, "Queues")
		r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "0 * * * *"}}
		a := start(t, org, store, "a")
		env := create(t, a.engine, r)
		stopA := a.run(t)
		b := start(t, org, store, "b")
		time.Sleep(time.Hour - time.Since(env.Created.Truncate(time.Hour)) + 100*time.Millisecond)
		for range 60 { // a has begun the pass of this hour
			if status, err := b.engine.Status(t.Context(), env.ID); err == nil && status.Types[0].Running {
				require.Equal(t, "a", status.Types[0].Holder)
				break
			}
			time.Sleep(500 * time.Millisecond)
		}
		a.stop()
		began := time.Now()
		stopB := b.run(t)
		time.Sleep(lease + lease/4)
		require.Len(t, b.made(), 1, "the tick that was missed")
		const login = 3 * time.Second // and grants, before the walk begins
		require.LessOrEqual(t, b.made()[0].Result.Started.Sub(began), lease+login)
		a.resume()
		time.Sleep(10 * time.Minute)
		require.Empty(t, a.made())
		require.Len(t, b.made(), 1)
		stopA()
		stopB()
	})
}

// An import that two processes are asked for is made once; if its process
// stalls, the other one goes on where it was.
func TestImportOfTwoProcesses(t *testing.T) {
	for _, stalls := range []bool{false, true} {
		t.Run(fmt.Sprint("stalls ", stalls), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(&genesystest.Options{Latency: time.Second})
				store := memory.New()
				a, b := start(t, org, store, "a"), start(t, org, store, "b")
				env := create(t, a.engine, recordOf(org, "Queues", "routing.skills", "groups", "users", "teams", "routing.wrapupcodes"))
				results := make(chan environment.ImportResult, 2)
				ask := func(p *process) {
					result, err := p.engine.Import(t.Context(), env.ID, nil)
					if err != nil {
						t.Error(err)
					}
					results <- result
				}
				go ask(a)
				time.Sleep(time.Second)
				go ask(b)
				if stalls {
					a.stop()
					time.Sleep(2 * lease)
					a.resume()
				}
				first, second := <-results, <-results
				require.Equal(t, first.Started, second.Started, "one import")
				require.Len(t, slices.Concat(a.made(), b.made()), 6, "each type once")
				require.Equal(t, stalls, len(b.made()) > 0)
			})
		})
	}
}

// Changes go to one consumer at a time, in order, and to another process when
// the one that had them stalls; none is left out.
func TestConsumerOfTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		store := memory.New()
		writer, a, b := start(t, org, store, "writer"), start(t, org, store, "a"), start(t, org, store, "b")
		env := create(t, writer.engine, recordOf(org, "routing.skills"))
		_, err := writer.engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		var mu sync.Mutex
		got := map[*process][]string{}
		var stalled *process
		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		for _, p := range []*process{a, b} {
			following.Go(func() {
				err := p.engine.Follow(ctx, env.ID, "printer", func(_ context.Context, c history.Change) error {
					mu.Lock()
					got[p] = append(got[p], c.Name)
					stalls := c.Name == "3" && stalled == nil
					if stalls {
						stalled = p
					}
					mu.Unlock()
					if stalls {
						p.stop()
						p.wait()
					}
					return nil
				}, nil)
				if err != nil {
					t.Error(err)
				}
			})
		}
		add := func(name string) {
			_, err := org.Create("routing.skills", map[string]any{"name": name})
			require.NoError(t, err)
			_, err = writer.engine.Poll(t.Context(), env.ID, "routing.skills")
			require.NoError(t, err)
			time.Sleep(lease / 5)
		}
		time.Sleep(time.Second)
		add("1")
		add("2")
		add("3")
		refused := func(context.Context, history.Change) error { return errors.New("called") }
		require.ErrorIs(t, writer.engine.Deliver(t.Context(), env.ID, "printer", refused), storage.ErrLocked)
		add("4")
		time.Sleep(2 * lease)
		mu.Lock()
		stalled.resume() // and stores that it has done the third
		mu.Unlock()
		time.Sleep(lease)
		add("5")
		stop()
		following.Wait()
		other := a
		if stalled == a {
			other = b
		}
		require.Equal(t, []string{"1", "2", "3"}, got[stalled])
		require.Equal(t, []string{"3", "4", "5"}, got[other])
		require.NoError(t, writer.engine.Deliver(t.Context(), env.ID, "printer", refused), "nothing is left")
	})
}

// A program that delivers once in a while learns whether the holder of its consumer
// lives: one that does keeps it, one that was killed loses it to the first who asks.
func TestDeliverAfterACrash(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(nil)
				store := memory.New()
				a := start(t, org, store, "a")
				env := create(t, a.engine, recordOf(org, "routing.skills"))
				_, err := a.engine.Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
				_, err = org.Create("routing.skills", map[string]any{"name": "1"})
				require.NoError(t, err)
				_, err = a.engine.Poll(t.Context(), env.ID, "routing.skills")
				require.NoError(t, err)
				holding, done := make(chan struct{}), make(chan struct{})
				var delivering sync.WaitGroup
				delivering.Go(func() {
					_ = a.engine.Deliver(t.Context(), env.ID, "printer", func(context.Context, history.Change) error {
						if killed {
							a.stop()
						}
						close(holding)
						<-done
						return nil
					})
				})
				<-holding
				time.Sleep(50 * time.Hour) // however long ago: b has not watched
				asked := time.Now()
				delivered := 0
				err = start(t, org, store, "b").engine.Deliver(t.Context(), env.ID, "printer", func(context.Context, history.Change) error {
					delivered++
					return nil
				})
				if killed {
					require.NoError(t, err)
					require.Equal(t, 1, delivered)
					require.LessOrEqual(t, time.Since(asked), lease)
					a.resume()
				} else {
					require.ErrorIs(t, err, storage.ErrLocked)
					require.Zero(t, delivered)
					require.LessOrEqual(t, time.Since(asked), lease/2)
				}
				close(done)
				delivering.Wait()
			})
		})
	}
}

// A deleted environment leaves nothing behind, whatever other processes were doing with it.
func TestDeleteWhileAnotherProcessPolls(t *testing.T) {
	for _, moment := range []string{"/lease/import", "/lease/pass/routing.queues", "history/1/head/routing.queues", "/type/routing.queues", "quota/"} {
		t.Run(moment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(&genesystest.Options{Latency: time.Second})
				store := memory.New()
				a, b := start(t, org, store, "a"), start(t, org, store, "b")
				r := recordOf(org, "Queues", "routing.skills")
				r.RateLimitMinute = 250
				env := create(t, a.engine, r)
				var once sync.Once
				b.onCommit = func(keys string) {
					if strings.Contains(keys, moment) {
						once.Do(func() { require.NoError(t, a.engine.Delete(t.Context(), env.ID, "")) })
					}
				}
				stopB := b.run(t)
				_, err := b.engine.Import(t.Context(), env.ID, nil)
				require.ErrorIs(t, err, environment.ErrNotFound)
				time.Sleep(time.Hour)
				stopB()
				require.NoError(t, b.engine.Close(t.Context()))
				for _, prefix := range []string{"environment/", "environments/", "environment-names/", "history/1/"} {
					for entry, err := range store.Scan(t.Context(), storage.Prefix(prefix)) {
						require.NoError(t, err)
						t.Errorf("left behind: %s", entry.Key)
					}
				}
			})
		})
	}
}
