package soak_test

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// A month is the world of TestMonth.
type month struct {
	t         *testing.T
	random    *rand.Rand
	full      bool
	pace      float64 // how much more happens in a day than in the full form
	ends      time.Time
	store     storage.Store
	catalogue *genesys.Catalogue // of the processes
	orgs      []*monthOrg
	procs     [monthProcesses]*monthProcess
	upgrade   monthUpgrade
	down      bool           // nothing runs, and nothing is to
	wrong     int            // the slot of the process whose clock is wrong for a week
	events    []monthEvent   // to come, in their order
	drawn     int            // faults drawn so far
	counts    map[string]int // of what happened
	faults    map[string]int // that requests met
}

// A monthEvent is something that the world does at an instant.
type monthEvent struct {
	at time.Time
	do func()
}

// A monthOrg is an org with its environment and the truth about both.
type monthOrg struct {
	*genesystest.Org
	record    environment.Record
	latency   time.Duration
	hiddenGet int
	types     []*monthType // parents before their children
	byName    map[string]*monthType
	sights    []monthSight
	limits    []monthLimit
	rules     []monthRule
	requests  []time.Time               // to the API, in the order of their arrival
	log       map[uint64]history.Change // at the last look, where there is a retention
	troubled  bool                      // a fault is on
	serial    int
	imported  time.Time
	gone      []string // "type id" that could come back
	lags      []monthLag
	released  []*monthRelease
	domain    string
	people    []string   // who edits
	dice      *rand.Rand // chooses one of them

	mu        sync.Mutex       // guards the passes of types, and other
	other     *genesystest.Org // answers instead
	calls     int
	delivered []monthDelivery
}

// A monthSight is what the client sees from an instant on: divisions by ID, nil for all.
type monthSight struct {
	at        time.Time
	divisions []string
}

type monthLimit struct {
	at    time.Time
	limit ratelimit.Limit
}

// A monthRule says whether the toggled members are ignored from an instant on.
type monthRule struct {
	at      time.Time
	ignored bool
}

// begin makes the environments, imports them and starts the processes.
func (m *month) begin() {
	t := m.t
	engine := open(t, m.orgs[0].Org, m.store, func(o *environment.Options) {
		o.Transport, o.Observer, o.Catalogue = transportFunc(m.route), m.observe, m.catalogue
	})
	for _, o := range m.orgs {
		o.calibrate(t)
		m.calibrateOlder(o)
		o.ClearRequests()
		r := o.record
		o.record = create(t, engine, r)
		limit, err := ratelimit.Limits{Minute: r.RateLimitMinute, Hour: r.RateLimitHour, Day: r.RateLimitDay}.Effective()
		require.NoError(t, err)
		o.limits = []monthLimit{{time.Now(), limit}}
		o.sights, o.rules = []monthSight{{at: time.Now()}}, []monthRule{{at: time.Now()}}
		result, err := engine.Import(t.Context(), o.record.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
		o.imported = time.Now().Add(2 * time.Second) // what it recorded may be that much ahead; see history.Clock
	}
	require.NoError(t, engine.Close(t.Context()))
	m.planClock()
	for slot := range m.procs {
		m.startProcess(slot)
	}
}

// route leads a request to the org of its host.
func (m *month) route(r *http.Request) (*http.Response, error) {
	for _, o := range m.orgs {
		if strings.HasSuffix(r.URL.Hostname(), strings.TrimPrefix(o.BaseURL(), "https://api")) {
			return o.answering().Transport().RoundTrip(r)
		}
	}
	return nil, errors.New("no such host")
}

// observe notes a pass that ended.
func (m *month) observe(e environment.PassEvent) {
	for _, o := range m.orgs {
		if o.record.ID == e.Environment {
			o.mu.Lock()
			mt := o.byName[e.Result.Type]
			mt.passes = append(mt.passes, monthPass{Summary: e.Result.Summary, over: time.Now(), read: e.Err == nil && e.Result.Unavailable == ""})
			o.mu.Unlock()
		}
	}
}

// run lets the world happen, event by event.
func (m *month) run() {
	m.plan()
	drain := time.Now()
	for len(m.events) > 0 {
		e := m.events[0]
		m.events = m.events[1:]
		time.Sleep(time.Until(e.at))
		if time.Since(drain) > 12*time.Hour {
			m.drain()
			drain = time.Now()
		}
		e.do()
	}
}

// at plans an event.
func (m *month) at(at time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(m.events, at, func(e monthEvent, at time.Time) int { return e.at.Compare(at) })
	m.events = slices.Insert(m.events, i, monthEvent{at, do})
}

// later returns an instant some time from now, which is no instant at which
// anything else happens.
func (m *month) later(least, most time.Duration) time.Time {
	d := least + time.Duration(m.random.Int64N(int64(most-least)))
	return time.Now().Add(d).Truncate(time.Millisecond).Add(time.Duration(1 + m.random.IntN(999_998)))
}

// soon returns an instant within some time, less where more happens in a day.
func (m *month) soon(most time.Duration) time.Time {
	return m.later(time.Second, time.Duration(float64(most)/m.pace))
}

// drain takes the logs of the orgs while nothing runs.
func (m *month) drain() {
	synctest.Wait()
	for _, o := range m.orgs {
		for _, r := range o.Requests() {
			if r.Fault != "" {
				m.faults[r.Fault]++
			}
			if strings.HasPrefix(r.Path, "/oauth/") {
				continue
			}
			o.requests = append(o.requests, r.Time)
			if mt := o.byName[r.Type]; mt != nil {
				mt.reads = append(mt.reads, monthRead{r.Time.Add(o.latency), r.Fault})
			}
		}
		o.ClearRequests()
	}
}

// heal ends all trouble and gives the engine the time to see everything.
func (m *month) heal() {
	t := m.t
	m.drain()
	for slot := range m.procs {
		if p := m.procs[slot]; p != nil && p.store.isDead() {
			m.end(slot, true)
		}
		if m.procs[slot] == nil {
			m.startProcess(slot)
		}
	}
	engine := m.procs[0].engine
	for _, o := range m.orgs {
		o.Recover()
		o.setOther(nil)
		for i := range o.lags {
			m.catchUp(o, i)
		}
		for _, mt := range o.types {
			o.Withdraw(mt.Name, 0)
		}
		o.SetPermissions()
		m.see(o, nil)
		m.edited(o, "oauth.clients", genesystest.ClientID)
		m.update(o, func(r *environment.Record) {
			r.Ignore, r.ClientSecret = nil, environment.NewSecret(o.Config().ClientSecret)
		})
		o.rules = append(o.rules, monthRule{at: time.Now()})
		require.NoError(t, engine.Resume(t.Context(), o.record.ID))
	}
	for range 3 { // what is absent for the first time may be looked for a second time
		time.Sleep(time.Hour + 123*time.Nanosecond)
		for _, o := range m.orgs {
			result, err := engine.Import(t.Context(), o.record.ID, nil)
			require.NoError(t, err)
			require.Empty(t, result.Failed)
		}
	}
	m.turn(engine)
	time.Sleep(time.Hour) // for the consumers
	m.drain()
	for slot := range m.procs {
		m.end(slot, false)
	}
}
