package environment

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
)

// What a plan will take of the quota. A type takes its firings a day times the requests of a pass
// without changes; a pass measures the latter (TypeState.Requests), so after the first import a
// forecast rests on measurement. Beside the passes there are the audits and the day's look at the
// permissions. Edits, retries and imports are not forecast: a proposed plan leaves room for them.

const (
	// serverPerMinute is the service's own default limit for a client-credentials token.
	serverPerMinute = 300
	// headroom is the share of the quota that a proposed plan uses at most; the rest is for edits,
	// retries and imports.
	headroom = 0.8
	// ownPerDay is what an environment takes for itself: what the client may read, and which org it
	// is of.
	ownPerDay = 2 * float64(24*time.Hour/accessFor)
	// horizon is how far ahead the worst minute is looked for: every day of any month.
	horizon = 31 * 24 * time.Hour
)

// A Forecast compares an environment's plan with its quota.
type Forecast struct {
	Types       []TypeForecast  `json:"types"`         // the polled ones, the most expensive first
	Unpolled    []string        `json:"unpolled"`      // selected types that no schedule polls
	Audits      float64         `json:"audits"`        // requests a day for audits; see Record.AuditMinutes
	PerDay      float64         `json:"per_day"`       // requests of all types, and for audits
	LimitPerDay float64         `json:"limit_per_day"` // what the limit and the service allow in a day
	Limit       ratelimit.Limit `json:"limit"`
	Fits        bool            `json:"fits"` // PerDay is at most LimitPerDay

	// WorstMinute is when the most requests fall due together in the coming 31
	// days, and Backlog how long they take to be sent at an even pace: in JSON a
	// number of nanoseconds.
	WorstMinute         time.Time     `json:"worst_minute,omitzero"`
	WorstMinuteRequests float64       `json:"worst_minute_requests"`
	Backlog             time.Duration `json:"backlog"`

	// Proposal is the most frequent plan found that takes at most 80 % of the quota, if this one
	// does not fit: its entries with a slower default, or a slower default alone. It is empty if
	// the plan fits or nothing does.
	Proposal []poller.Entry `json:"proposal,omitempty"`
}

// A TypeForecast is what one type takes.
type TypeForecast struct {
	Type     string  `json:"type"`
	Cron     string  `json:"cron"`     // its schedule, in the record's time zone
	Firings  float64 `json:"firings"`  // passes a day, over a year
	Requests float64 `json:"requests"` // of one pass in which nothing has changed
	Measured bool    `json:"measured"` // by the last pass; else estimated
	PerDay   float64 `json:"per_day"`

	schedule *poller.Schedule
}

// Forecast returns what the environment's plan will take of its quota. The requests of a pass are
// known from the last one; for a type that was never read they are one, or one for each known
// object that it is listed under. It makes no request.
func (e *Engine) Forecast(ctx context.Context, id int64) (Forecast, error) {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpRead, s.record, s.record)
	}
	if err != nil {
		return Forecast{}, err
	}
	return s.forecast(ctx)
}

func (s *session) forecast(ctx context.Context) (Forecast, error) {
	known, err := s.overview(ctx)
	if err != nil {
		return Forecast{}, err
	}
	var costs []TypeForecast
	for _, t := range s.engine.Selected(s.record) {
		costs = append(costs, known.cost(t))
	}
	limit, err := s.record.limits().Effective()
	if err != nil {
		return Forecast{}, err
	}
	audits, err := s.auditCost(ctx)
	if err != nil {
		return Forecast{}, err
	}
	f, err := s.engine.reckon(s.record, costs, limit, audits)
	if err != nil {
		return f, err
	}
	f.worstMinute()
	if f.Fits {
		return f, nil
	}
	f.Proposal, err = s.engine.propose(s.record, costs, limit, audits)
	return f, err
}

// reckon compares the plan of a record with a limit. costs has what one pass over each selected type
// takes, audits what they take in a day.
func (e *Engine) reckon(r Record, costs []TypeForecast, limit ratelimit.Limit, audits float64) (Forecast, error) {
	f := Forecast{
		Types: []TypeForecast{}, Unpolled: []string{}, Limit: limit, LimitPerDay: serverPerMinute * 24 * 60,
		Audits: audits, PerDay: ownPerDay + audits,
	}
	if limit.N > 0 {
		f.LimitPerDay = min(f.LimitPerDay, float64(limit.N)*float64(24*time.Hour)/float64(limit.Window))
	}
	plan, err := r.plan(e.opts.Catalogue)
	if err != nil {
		return f, err
	}
	firings := map[*poller.Schedule]float64{} // types of one plan entry share a schedule
	for _, cost := range costs {
		schedule, ok := plan.Schedule(cost.Type)
		if !ok {
			f.Unpolled = append(f.Unpolled, cost.Type)
			continue
		}
		if _, ok := firings[schedule]; !ok {
			firings[schedule] = schedule.FiringsPerDay()
		}
		cost.schedule, cost.Cron, cost.Firings = schedule, schedule.String(), firings[schedule]
		cost.PerDay = cost.Firings * cost.Requests
		f.PerDay += cost.PerDay
		f.Types = append(f.Types, cost)
	}
	slices.SortStableFunc(f.Types, func(a, b TypeForecast) int { return cmp.Compare(b.PerDay, a.PerDay) })
	f.Fits = f.PerDay <= f.LimitPerDay
	return f, nil
}

// worstMinute finds the minute of the horizon in which the most requests fall due.
func (f *Forecast) worstMinute() {
	perFiring := map[*poller.Schedule]float64{}
	for _, t := range f.Types {
		perFiring[t.schedule] += t.Requests
	}
	due := map[time.Time]float64{}
	now := time.Now().UTC()
	for schedule, requests := range perFiring {
		for minute := range schedule.Between(now, now.Add(horizon)) {
			due[minute] += requests
		}
	}
	for minute, requests := range due {
		if requests > f.WorstMinuteRequests || requests == f.WorstMinuteRequests && minute.Before(f.WorstMinute) {
			f.WorstMinute, f.WorstMinuteRequests = minute, requests
		}
	}
	limit := ratelimit.Limit{N: serverPerMinute, Window: time.Minute}
	if f.Limit.N > 0 && float64(f.Limit.N)/float64(f.Limit.Window) < float64(limit.N)/float64(limit.Window) {
		limit = f.Limit
	}
	f.Backlog = time.Duration(f.WorstMinuteRequests / float64(limit.N) * float64(limit.Window)).Round(time.Second)
}

// cadences are what a proposal chooses the default schedule from, the most frequent first.
var cadences = []string{
	"*/5 * * * *", "*/10 * * * *", "*/15 * * * *", "*/30 * * * *",
	"0 * * * *", "0 */2 * * *", "0 */4 * * *", "0 */6 * * *", "0 */12 * * *", "0 3 * * *",
}

// propose looks for the most frequent default schedule that leaves the headroom: first beside the
// plan's own entries for single types, then with only those of them that turn a type off. It
// returns nil if there is none.
func (e *Engine) propose(r Record, costs []TypeForecast, limit ratelimit.Limit, audits float64) ([]poller.Entry, error) {
	overrides := slices.DeleteFunc(slices.Clone(r.Polling), func(p poller.Entry) bool { return isAllObjects(p.Type) })
	off := slices.DeleteFunc(slices.Clone(overrides), func(p poller.Entry) bool { return !isOff(p.Cron) })
	for _, kept := range [][]poller.Entry{overrides, off} {
		for _, cron := range cadences {
			plan := append([]poller.Entry{{Type: poller.AllObjects, Cron: cron}}, kept...)
			r.Polling = plan
			f, err := e.reckon(r, costs, limit, audits)
			if err != nil {
				return nil, err
			}
			if f.PerDay <= headroom*f.LimitPerDay {
				return plan, nil
			}
		}
	}
	return nil, nil
}
