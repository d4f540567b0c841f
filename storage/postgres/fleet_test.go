package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/wrongclock"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
	"github.com/cxsync/cxsync/storage/postgres"
	"github.com/cxsync/cxsync/storage/postgres/postgrestest"
)

var (
	chaos     = flag.Duration("chaos", 10*time.Second, "how long TestFleet disturbs its processes")
	chaosSeed = flag.Uint64("chaosseed", 0, "seed of TestFleet, 0 for one from the clock")
)

const (
	fleetSize  = 4 // processes
	fleetOrgs  = 3
	fleetLimit = 600 // requests in a minute
)

// Processes on one database are killed, stopped and restarted at random, and so
// is the database. The history is that of one undisturbed process, no pass is
// made twice at once, no org sees its quota exceeded, no consumer misses a
// change, and the work of a process that stops is taken over within the lease. With
// -skew all this holds although the wall clock of each process is wrong and leaps.
func TestFleet(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run TestFleet -chaos %v -chaosseed %d -skew %v", *chaos, seed, *skew)
	server, err := postgrestest.Launch(t.Context())
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	f := newFleet(t, server, seed)
	rounds := f.disturb(*chaos)
	f.measureTakeover()
	f.end()
	f.checkPasses()
	busiest := f.checkQuota()
	f.checkHistory(rounds)
	t.Logf("%d rounds of edits, %d passes, %d kills, %d stops, takeover in %v, %d requests in the busiest minute of %d",
		rounds, len(f.passes), f.kills, f.stops, f.takeover.Round(time.Millisecond), busiest, fleetLimit)
}

// A fleet is a number of processes that share a database and some orgs.
type fleet struct {
	t      *testing.T
	server *postgrestest.Server
	random *rand.Rand
	seed   uint64
	job    fleetJob
	store  *postgres.Store // of the test itself
	engine *environment.Engine
	orgs   []*fleetOrg
	crew   []*crewman
	binary string // that the processes run

	mu           sync.Mutex
	passes       []fleetEvent
	delivered    map[int64][]uint64 // by environment, in the order they came
	kills, stops int
	stopped      map[string][]time.Time // by instance, when it was
	takeover     time.Duration
}

// A fleetOrg is an org with the environment that follows it.
type fleetOrg struct {
	*genesystest.Org
	record environment.Record
}

// edit is one round of edits, the same for equal numbers. No object is edited
// twice in it, so passes that see the round in parts record the same.
func (o *fleetOrg) edit(t *testing.T, round int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(round), uint64(o.record.ID)))
	for _, typ := range fleetTypes {
		if typ == "routing.queues.members" {
			continue // they come and go with their queues
		}
		name := fmt.Sprintf("Round %d", round)
		_, err := o.Create(typ, map[string]any{"name": "New of " + name})
		require.NoError(t, err)
		ids := slices.Sorted(maps.Keys(maps.Collect(o.Objects(typ))))
		random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		require.NoError(t, o.Update(typ, ids[0], map[string]any{"name": "Edit of " + name}))
		if round%2 == 0 && len(ids) > 8 {
			require.NoError(t, o.Delete(typ, ids[1]))
		}
	}
}

func newFleet(t *testing.T, server *postgrestest.Server, seed uint64) *fleet {
	t.Helper()
	f := &fleet{
		t: t, server: server, seed: seed, random: rand.New(rand.NewPCG(seed, 1)), delivered: map[int64][]uint64{}, stopped: map[string][]time.Time{},
		job:    fleetJob{DSN: server.DSN() + " pool_max_conns=4", Schema: "fleet", Key: environment.NewKey(), Skew: *skew},
		binary: os.Args[0],
	}
	if *skew > 0 {
		f.binary = wrongclock.Build(t)
	}
	f.store = open(t, f.job.DSN, f.job.Schema)
	f.engine = openEngine(t, f.store, f.job.Key, nil)
	for i := range fleetOrgs {
		o := newFleetOrg(i)
		listening, err := o.Listen(t.Context(), "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listening.Close() })
		o.record.BaseURL, o.record.LoginURL = listening.Config().BaseURL, listening.Config().LoginURL
		o.record, err = f.engine.Create(t.Context(), o.record)
		require.NoError(t, err)
		_, err = f.engine.Import(t.Context(), o.record.ID, nil)
		require.NoError(t, err)
		f.orgs = append(f.orgs, o)
	}
	for i := range fleetSize {
		f.crew = append(f.crew, f.hire(fmt.Sprintf("process-%d", i)))
	}
	return f
}

// newFleetOrg makes the i-th org, and the record that goes with it.
func newFleetOrg(i int) *fleetOrg {
	org := genesystest.New(&genesystest.Options{Seed: uint64(i), RateLimit: -1, MintLimit: -1, MaxTokens: 10_000, LogSize: 1 << 20})
	return &fleetOrg{org, environment.Record{
		Name: fmt.Sprint("Org ", i), ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		BaseURL: org.Config().BaseURL, LoginURL: org.Config().LoginURL,
		RateLimitMinute: fleetLimit, Types: fleetTypes,
		Polling: []poller.Entry{{Type: poller.AllObjects, Cron: "* * * * *"}},
	}}
}

func openEngine(t *testing.T, store storage.Store, key []byte, edit func(*environment.Options)) *environment.Engine {
	t.Helper()
	vault, err := environment.NewKeyVault(key)
	require.NoError(t, err)
	opts := &environment.Options{Vault: vault, Instance: "test", Lease: fleetLease}
	if edit != nil {
		edit(opts)
	}
	engine, err := environment.Open(store, opts)
	require.NoError(t, err)
	return engine
}

// A crewman is a place in the fleet, with the process that has it now.
type crewman struct {
	name     string
	instance string // of the process
	cmd      *exec.Cmd
	read     sync.WaitGroup // what the process tells
}

// hire starts a process.
func (f *fleet) hire(name string) *crewman {
	f.t.Helper()
	job := f.job
	job.Instance, job.Seed = fmt.Sprintf("%s-%d", name, f.kills), f.random.Uint64()
	text, err := json.Marshal(job)
	require.NoError(f.t, err)
	c := &crewman{name: name, instance: job.Instance, cmd: exec.Command(f.binary)} //nolint:noctx // it is killed or told to end
	c.cmd.Env = append(os.Environ(), fleetEnv+"="+string(text))
	if testing.Verbose() {
		c.cmd.Stderr = os.Stderr
	}
	out, err := c.cmd.StdoutPipe()
	require.NoError(f.t, err)
	require.NoError(f.t, c.cmd.Start())
	f.t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	c.read.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e fleetEvent
			if json.Unmarshal(lines.Bytes(), &e) == nil { // the last line of one that was killed may be cut
				f.hear(e)
			}
		}
	})
	return c
}

func (f *fleet) hear(e fleetEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case e.Seq > 0:
		f.delivered[e.Environment] = append(f.delivered[e.Environment], e.Seq)
	case e.Failed == "":
		f.passes = append(f.passes, e)
	}
}

func (c *crewman) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Signal(s))
}

// stop stops the process of a crewman until it is signalled to continue.
func (f *fleet) stop(c *crewman) {
	f.t.Helper()
	f.stops++
	f.stopped[c.instance] = append(f.stopped[c.instance], time.Now())
	c.signal(f.t, syscall.SIGSTOP)
}

// kill ends the process of a crewman and starts another one.
func (f *fleet) kill(i int) {
	c := f.crew[i]
	c.signal(f.t, syscall.SIGKILL)
	c.read.Wait()
	_ = c.cmd.Wait()
	f.kills++
	f.crew[i] = f.hire(c.name)
}

// disturb makes rounds of edits, each when all that was edited before has been
// seen, and disturbs the fleet meanwhile. It returns how many.
func (f *fleet) disturb(d time.Duration) (rounds int) {
	ctx, stop := context.WithCancel(f.t.Context())
	var editing sync.WaitGroup
	editing.Go(func() {
		for ctx.Err() == nil {
			rounds++
			edited := time.Now()
			for _, o := range f.orgs {
				o.edit(f.t, rounds)
			}
			f.await(edited)
		}
	})
	began := time.Now()
	restarted := false
	for time.Since(began) < d {
		time.Sleep(time.Duration(200+f.random.IntN(1300)) * time.Millisecond)
		i := f.random.IntN(len(f.crew))
		switch f.random.IntN(3) {
		case 0:
			f.kill(i)
		case 1:
			f.stop(f.crew[i])
			pauses := time.Duration(f.random.Int64N(int64(2 * fleetLease)))
			time.AfterFunc(pauses, func(c *crewman) func() {
				return func() { _ = c.cmd.Process.Signal(syscall.SIGCONT) }
			}(f.crew[i]))
		}
		if !restarted && time.Since(began) > d/2 {
			restarted = true
			require.NoError(f.t, f.server.Restart(f.t.Context()))
		}
	}
	for _, c := range f.crew {
		_ = c.cmd.Process.Signal(syscall.SIGCONT)
	}
	stop()
	editing.Wait()
	return rounds
}

// await returns when every type has had a complete pass that began after t, and
// the children another one after their parents.
func (f *fleet) await(t time.Time) {
	for _, o := range f.orgs {
		parents := f.awaitPass(o, "routing.queues", t)
		for _, typ := range fleetTypes {
			after := t
			if strings.HasPrefix(typ, "routing.queues.") {
				after = parents
			}
			f.awaitPass(o, typ, after)
		}
	}
}

func (f *fleet) awaitPass(o *fleetOrg, typ string, after time.Time) (ended time.Time) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 3*time.Minute)
	defer cancel()
	var why error
	for ctx.Err() == nil {
		h, err := f.engine.History(ctx, o.record.ID)
		if err == nil {
			last, ok, err := h.LastPass(ctx, typ)
			if err == nil && ok && last.Complete && last.Withheld == 0 && last.Started.After(after) {
				return last.Ended
			}
			why = fmt.Errorf("%v: %+v %w", after, last, err)
		} else {
			why = err
		}
		pause(ctx, 50*time.Millisecond)
	}
	f.t.Errorf("%s of %s was not polled for minutes: %v", typ, o.record.Name, why)
	return time.Now()
}

// measureTakeover stops the process that makes a pass, with all others healthy,
// and measures until another one, which waits for it, has the pass.
func (f *fleet) measureTakeover() {
	o := f.orgs[0]
	o.Fail("routing.skills", genesystest.SlowBody(fleetLease/2), 1000)
	defer o.Recover()
	key := storage.Key("environment", fmt.Sprintf("%010d", o.record.ID), "lease", "pass", "routing.skills")
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*time.Minute)
	defer cancel()
	leases := storage.NewLeases(f.store, nil)
	holder := func() string {
		holders, err := leases.Holders(ctx, key)
		require.NoError(f.t, err)
		return holders[key]
	}
	var victim *crewman
	var name string
	for victim == nil {
		pause(ctx, 20*time.Millisecond)
		require.NoError(f.t, ctx.Err())
		name = holder()
		i := slices.IndexFunc(f.crew, func(c *crewman) bool { return name != "" && strings.HasPrefix(name, c.name+"-") })
		if i < 0 {
			continue
		}
		f.stop(f.crew[i])
		if holder() != name { // it has just ended its pass
			f.crew[i].signal(f.t, syscall.SIGCONT)
			continue
		}
		victim = f.crew[i]
	}
	stopped := time.Now()
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		if _, err := f.engine.Poll(ctx, o.record.ID, "routing.skills"); err != nil {
			f.t.Error(err)
		}
	})
	for now := name; now == name || now == ""; now = holder() {
		require.NoError(f.t, ctx.Err())
		pause(ctx, 10*time.Millisecond)
	}
	f.takeover = time.Since(stopped)
	victim.signal(f.t, syscall.SIGCONT)
	require.LessOrEqual(f.t, f.takeover, fleetLease+fleetLease/4, "one lease, and the time until somebody looks")
}

// end waits until all edits are recorded and delivered, and ends all processes.
func (f *fleet) end() {
	f.await(time.Now())
	for _, o := range f.orgs {
		want := f.consumable(f.engine, o.record.ID)
		require.Eventually(f.t, func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			first := f.delivered[o.record.ID]
			return len(want) == 0 || slices.Contains(first, want[len(want)-1])
		}, time.Minute, 50*time.Millisecond)
	}
	for _, c := range f.crew {
		c.signal(f.t, syscall.SIGTERM)
	}
	for _, c := range f.crew {
		c.read.Wait()
		require.NoError(f.t, c.cmd.Wait())
	}
	for _, o := range f.orgs {
		var first []uint64
		known := map[uint64]bool{}
		for _, seq := range f.delivered[o.record.ID] {
			if !known[seq] {
				known[seq] = true
				first = append(first, seq)
			}
		}
		require.Equal(f.t, f.consumable(f.engine, o.record.ID), first, "each change at least once, in order")
	}
}

// consumable returns the sequence numbers of what consumers get.
func (f *fleet) consumable(engine *environment.Engine, id int64) (seqs []uint64) {
	h, err := engine.History(f.t.Context(), id)
	require.NoError(f.t, err)
	for c, err := range h.Changes(f.t.Context(), history.Query{}) {
		require.NoError(f.t, err)
		seqs = append(seqs, c.Seq)
	}
	return seqs
}

// scheduling is how long a process may be kept from telling that a pass has ended.
const scheduling = 200 * time.Millisecond

// checkPasses checks that no two passes over the same overlap. A pass ends, and lets
// others begin, when it is stored. Its process may be stopped before it can tell, so the
// time from when it was stopped does not count.
func (f *fleet) checkPasses() {
	for i := range f.passes {
		p := &f.passes[i]
		for _, at := range f.stopped[p.Instance] {
			if at.After(p.Started) && at.Before(p.Ended) {
				p.Ended = at
			}
		}
	}
	ended := map[string]fleetEvent{}
	slices.SortFunc(f.passes, func(a, b fleetEvent) int { return a.Started.Compare(b.Started) })
	for _, p := range f.passes {
		key := fmt.Sprint(p.Environment, p.Type)
		if before := ended[key]; p.Started.Before(before.Ended.Add(-scheduling)) {
			f.t.Errorf("two passes at once: %+v and %+v", before, p)
		}
		ended[key] = p
	}
	require.Greater(f.t, len(f.passes), fleetOrgs*len(fleetTypes))
}

// checkQuota checks each minute that an org has seen, and returns the requests of
// the busiest.
func (f *fleet) checkQuota() (busiest int) {
	for _, o := range f.orgs {
		var minute []time.Time
		for _, r := range o.Requests() {
			minute = append(minute, r.Time)
			for r.Time.Sub(minute[0]) >= time.Minute {
				minute = minute[1:]
			}
			busiest = max(busiest, len(minute))
		}
	}
	require.LessOrEqual(f.t, busiest, fleetLimit, "requests in a minute")
	return busiest
}

// checkHistory compares the history with that of one process that nobody disturbs.
func (f *fleet) checkHistory(rounds int) {
	ctx := f.t.Context()
	for i, o := range f.orgs {
		alone := newFleetOrg(i)
		engine := openEngine(f.t, memory.New(), f.job.Key, func(opts *environment.Options) { opts.Transport = alone.Transport() })
		alone.record.RateLimitMinute = 0
		for range i { // the same numbers make the same edits
			other := alone.record
			other.Name += "'"
			created, err := engine.Create(ctx, other)
			require.NoError(f.t, err)
			require.NoError(f.t, engine.Delete(ctx, created.ID, ""))
		}
		var err error
		alone.record, err = engine.Create(ctx, alone.record)
		require.NoError(f.t, err)
		for round := range rounds + 1 {
			if round > 0 {
				alone.edit(f.t, round)
			}
			for range 2 { // members are listed under the queues that the first one finds
				_, err := engine.Import(ctx, alone.record.ID, nil)
				require.NoError(f.t, err)
			}
		}
		require.Equal(f.t, timeline(f.t, engine, alone.record.ID), timeline(f.t, f.engine, o.record.ID))
	}
}

// timeline returns the changes of each object in their order, without times, and
// what is live in the end.
func timeline(t *testing.T, engine *environment.Engine, id int64) map[string][]string {
	t.Helper()
	h, err := engine.History(t.Context(), id)
	require.NoError(t, err)
	lines := map[string][]string{}
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		key := c.Type + " " + c.ID
		fields, err := json.Marshal(c.Fields)
		require.NoError(t, err)
		lines[key] = append(lines[key], fmt.Sprintf("%s %s %s", c.Kind, c.Name, fields))
	}
	for _, typ := range fleetTypes {
		for head, err := range h.Heads(t.Context(), typ) {
			require.NoError(t, err)
			lines[typ+" "+head.ID] = append(lines[typ+" "+head.ID], "live")
		}
	}
	return lines
}
