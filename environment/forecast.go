package environment

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
)

// A Forecast holds an environment's plan against its quota.
type Forecast struct {
	Types       []TypeForecast  `json:"types"`         // the most expensive first
	PerDay      float64         `json:"per_day"`       // requests of all types
	LimitPerDay float64         `json:"limit_per_day"` // what the limit allows in a day; 0 when unlimited
	Limit       ratelimit.Limit `json:"limit"`
	Fits        bool            `json:"fits"`
}

// A TypeForecast is what one object type takes.
type TypeForecast struct {
	Type     string  `json:"type"`
	Firings  float64 `json:"firings"`  // passes a day, over a year
	Requests float64 `json:"requests"` // of one pass
	Measured bool    `json:"measured"` // by the last pass; else estimated
	PerDay   float64 `json:"per_day"`
}

// Forecast returns what the environment's plan will take of its quota. The
// requests of a pass are those of the last one; for a type that was never read
// it is one, or one for each known object that the type is listed under.
func (e *Engine) Forecast(ctx context.Context, id int64) (Forecast, error) {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpRead, s.record)
	}
	if err != nil {
		return Forecast{}, err
	}
	return e.forecast(ctx, s)
}

func (e *Engine) forecast(ctx context.Context, s *session) (Forecast, error) {
	var f Forecast
	plan, err := poller.NewPlan(s.record.polling(), &poller.PlanOptions{Resolve: resolver(e.types)})
	if err != nil {
		return f, err
	}
	if f.Limit, err = s.record.limits().Effective(); err != nil {
		return f, err
	}
	for _, t := range e.Selected(s.record) {
		schedule, ok := plan.Schedule(t.Name)
		if !ok {
			continue
		}
		tf := TypeForecast{Type: t.Name, Firings: schedule.FiringsPerDay()}
		if tf.Requests, tf.Measured, err = s.requestsPerPass(ctx, t); err != nil {
			return f, err
		}
		tf.PerDay = tf.Firings * tf.Requests
		f.PerDay += tf.PerDay
		f.Types = append(f.Types, tf)
	}
	slices.SortStableFunc(f.Types, func(a, b TypeForecast) int { return cmp.Compare(b.PerDay, a.PerDay) })
	if f.Limit.N > 0 {
		f.LimitPerDay = float64(f.Limit.N) * float64(24*time.Hour) / float64(f.Limit.Window)
	}
	f.Fits = f.Limit.N == 0 || f.PerDay <= f.LimitPerDay
	return f, nil
}

func (s *session) requestsPerPass(ctx context.Context, t genesys.ObjectType) (n float64, measured bool, err error) {
	state, err := s.typeState(ctx, t.Name)
	if err != nil || state.Requests > 0 {
		return float64(state.Requests), true, err
	}
	if t.Parent == "" {
		return float64(max(1, len(t.Variants))), false, nil
	}
	last, ok, err := s.history.LastPass(ctx, t.Parent)
	if err != nil || !ok {
		return 1, false, err
	}
	return float64(last.Objects), false, nil
}

// dearest names the types that take the most.
func (f Forecast) dearest() []string {
	var names []string
	for _, t := range f.Types {
		names = append(names, t.Type)
	}
	return names
}
