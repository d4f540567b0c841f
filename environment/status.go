package environment

import (
	"context"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
)

// A Status tells how an environment is doing.
type Status struct {
	Record Record          `json:"record"`
	Quota  ratelimit.State `json:"quota"`
	Types  []TypeStatus    `json:"types"` // the selected object types

	// Unproven names the types of which no pass has proven for a week what is
	// gone: a deletion may not be on record. TypeStatus.Reason says why.
	Unproven []string `json:"unproven"`

	Clock ClockStatus `json:"clock"`

	Audits AuditStatus `json:"audits"`

	// Client counts what the client of this process did since it began or the record changed.
	Client genesys.Stats `json:"client"`
}

// A ClockStatus tells what this process knows of the org's time, which changes and
// passes are recorded with.
type ClockStatus struct {
	Now       time.Time `json:"now,omitzero"`    // at latest; zero before an answer came
	Confirmed bool      `json:"confirmed"`       // whether answers say so; nothing expires before that
	Leaps     int64     `json:"leaps,omitempty"` // answers that contradicted those before
}

// unprovenFor is how long a type may go without a proof before Status names it.
const unprovenFor = 7 * 24 * time.Hour

// A TypeStatus tells how one object type is doing.
type TypeStatus struct {
	TypeState
	LastPass time.Time `json:"last_pass,omitzero"` // end of the last pass that was not cut off
	Complete bool      `json:"complete"`           // whether that pass could prove absences
	Reason   string    `json:"reason,omitempty"`   // why not
	Objects  int       `json:"objects"`
	Withheld int       `json:"withheld"`      // absent objects that are not recorded as deleted; see AcceptRemovals for those that complete walks missed
	Cron     string    `json:"cron"`          // its schedule, in the record's time zone; "off" if nothing polls it
	Next     time.Time `json:"next,omitzero"` // next scheduled pass
	Due      time.Time `json:"due,omitzero"`  // the first tick that has had no pass yet: ahead, or behind if it is late

	Running bool   `json:"running,omitempty"` // whether a pass is made, by any process; of one that died, for Options.Lease after the first look
	Holder  string `json:"holder,omitempty"`  // the Options.Instance of that process

	// While Run polls the environment, how late the pending or last pass is, as
	// far as this process knows.
	Lag time.Duration `json:"lag,omitempty"` // in JSON a number of nanoseconds
}

// Status returns how an environment and its object types are doing. It makes
// no request.
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
