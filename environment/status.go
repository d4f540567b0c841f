package environment

import (
	"context"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
)

// How an environment is doing, in every detail; health.go says it in a word. Everything is read from
// the store, for all processes, except what only this process can know: the quota as its limiter
// sees it, Client, Clock and Lag.

// A Status tells how an environment is doing.
type Status struct {
	Record Record          `json:"record"`
	Quota  ratelimit.State `json:"quota"`
	Types  []TypeStatus    `json:"types"` // the selected types, parents first

	// Unproven names the types of which no pass has been complete for a week, so that deletions
	// may not be on record. TypeStatus.Reason says why.
	Unproven []string `json:"unproven"`

	Clock ClockStatus `json:"clock"`

	Audits AuditStatus `json:"audits"`

	// Client counts what the client of this process did since it began or the record changed.
	Client genesys.Stats `json:"client"`
}

// A ClockStatus tells what this process knows of the org's time, with which changes and passes are
// recorded.
type ClockStatus struct {
	Now       time.Time `json:"now,omitzero"`    // the latest that it can be; zero before an answer came
	Confirmed bool      `json:"confirmed"`       // whether enough answers agree; nothing expires before that
	Leaps     int64     `json:"leaps,omitempty"` // answers that contradicted those before
}

// unprovenFor is how long a type may go without a complete pass before Status names it.
const unprovenFor = 7 * 24 * time.Hour

// A TypeStatus tells how one type is doing.
type TypeStatus struct {
	TypeState
	LastPass time.Time `json:"last_pass,omitzero"` // when the last pass that read the type ended
	Complete bool      `json:"complete"`           // whether that pass could prove removals
	Reason   string    `json:"reason,omitempty"`   // why not
	Objects  int       `json:"objects"`            // that the pass saw

	// Withheld is how many objects the pass missed that are not recorded as deleted. Those that
	// complete walks missed are in History.Withheld, for AcceptRemovals.
	Withheld int `json:"withheld"`

	Cron string    `json:"cron"`          // its schedule, in the record's time zone; "off" if nothing polls it
	Next time.Time `json:"next,omitzero"` // next tick; zero if there is none or the environment is paused
	Due  time.Time `json:"due,omitzero"`  // first tick that has had no pass yet; in the past if that is late

	// Running tells that some process makes a pass, and Holder is the Options.Instance of that
	// process. Of a process that died they tell so for Options.Lease after the first look.
	Running bool   `json:"running,omitempty"`
	Holder  string `json:"holder,omitempty"`

	// Lag is how late the pending pass is, or else how late the last one began, while Run polls the
	// environment in this process. In JSON it is a number of nanoseconds.
	Lag time.Duration `json:"lag,omitempty"`
}

// Status returns how an environment and its types are doing. It makes no request.
func (e *Engine) Status(ctx context.Context, id int64) (Status, error) {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpRead, s.record, s.record)
	}
	if err != nil {
		return Status{}, err
	}
	plan, err := s.record.plan(e.opts.Catalogue)
	if err != nil {
		return Status{}, err
	}
	status := Status{Record: s.record, Quota: s.limiter.State(), Types: []TypeStatus{}, Unproven: []string{}, Clock: s.clockStatus()}
	if client := s.answers.Load(); client != nil {
		status.Client = client.Stats()
	}
	if status.Audits, err = s.auditStatus(ctx); err != nil {
		return Status{}, err
	}
	polled := map[string]poller.Status{}
	if p, ok := e.polling.Load(id); ok {
		for _, ps := range p.(*poller.Poller).Status() {
			polled[ps.Type] = ps
		}
	}
	known, err := s.overview(ctx)
	if err != nil {
		return status, err
	}
	types := e.Selected(s.record)
	holders, err := s.holders(ctx, types)
	if err != nil {
		return status, err
	}
	settled, err := (&dueTimes{e.store, id}).Load(ctx)
	if err != nil {
		return status, err
	}
	now := time.Now()
	for _, t := range types {
		ts := TypeStatus{TypeState: known.states[t.Name], Holder: holders[t.Name], Lag: polled[t.Name].Lag}
		ts.Cron = cronOf(plan, t.Name)
		ts.Type, ts.Running = t.Name, ts.Holder != ""
		if last, ok := known.passes[t.Name]; ok {
			ts.LastPass, ts.Complete, ts.Reason, ts.Objects, ts.Withheld = last.Ended, last.Complete, last.Reason, last.Objects, last.Withheld
		}
		if schedule, ok := plan.Schedule(t.Name); ok && !s.record.Paused {
			ts.Next, ts.Due = schedule.Next(now), schedule.Next(instant.Later(s.record.Updated, settledBy(settled[t.Name], now)))
		}
		status.Types = append(status.Types, ts)
		if !ts.Unproven.IsZero() && s.since(ts.Unproven) >= unprovenFor {
			status.Unproven = append(status.Unproven, t.Name)
		}
	}
	return status, nil
}

// settledBy returns the last tick that had its pass, as it is stored. One that is ahead
// was saved under a clock that ran ahead, and says nothing.
func settledBy(tick, now time.Time) time.Time {
	if tick.After(now) {
		return time.Time{}
	}
	return tick
}

// holders returns the Options.Instance of the processes that make passes now, by type.
// A process that died is left out once this one has watched its lease for the term.
func (s *session) holders(ctx context.Context, types []genesys.ObjectType) (map[string]string, error) {
	keys := make([]string, len(types))
	for i, t := range types {
		keys[i] = leaseKey(s.record.ID, "pass", t.Name)
	}
	held, err := s.engine.leases.Holders(ctx, keys...)
	holders := map[string]string{}
	for i, t := range types {
		if h, ok := held[keys[i]]; ok {
			holders[t.Name] = s.engine.instanceOf(h)
		}
	}
	return holders, err
}
