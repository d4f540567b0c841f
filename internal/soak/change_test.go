package soak_test

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
)

// update changes the record of an environment, if there is a process to do it.
func (m *month) update(o *monthOrg, change func(*environment.Record)) bool {
	for _, p := range m.procs {
		if p == nil || p.store.isDead() {
			continue
		}
		r, err := p.engine.Get(p.ctx, o.record.ID)
		if err == nil {
			change(&r)
			_, err = p.engine.Update(p.ctx, r, nil)
		}
		if p.store.isDead() {
			return false
		}
		require.NoError(m.t, err)
		return true
	}
	return false
}

// changeRules ignores the toggled members, or compares them again.
func (m *month) changeRules(o *monthOrg) {
	ignore := m.random.IntN(2) == 0
	from := monthRule{time.Now(), ignore}
	ok := m.update(o, func(r *environment.Record) {
		r.Ignore = nil
		for _, mt := range o.types {
			if ignore && mt.toggled != "" {
				r.Ignore = append(r.Ignore, environment.IgnoreRule{Type: mt.Name, Field: mt.toggled})
			}
		}
	})
	if ok {
		o.rules = append(o.rules, from)
		m.counts["rules changed"]++
	}
}

// changePlan draws other schedules for some types, for a while.
func (m *month) changePlan(o *monthOrg) {
	crons := []string{"*/5 * * * *", "*/15 * * * *", "2 * * * *", "off", "0 */8 * * *", "@daily"}
	ok := m.update(o, func(r *environment.Record) {
		for i := range r.Polling {
			if r.Polling[i].Type != poller.AllObjects && o.byName[r.Polling[i].Type].Parent == "" && m.random.IntN(6) == 0 && r.Polling[i].Type != "users" {
				r.Polling[i].Cron = crons[m.random.IntN(len(crons))]
			}
		}
	})
	if ok {
		m.counts["plans changed"]++
		m.at(m.soon(12*time.Hour), func() { m.update(o, func(r *environment.Record) { r.Polling = o.record.Polling }) })
	}
}

// changeLimit draws another quota of the same window, or goes back to the first one.
func (m *month) changeLimit(o *monthOrg) {
	part := []float64{1, 0.5, 0.2, 0.1}[m.random.IntN(4)]
	var limits ratelimit.Limits
	ok := m.update(o, func(r *environment.Record) {
		first := o.record
		r.RateLimitMinute, r.RateLimitHour = int(part*float64(first.RateLimitMinute)), int(part*float64(first.RateLimitHour))
		r.RateLimitDay = int(part * part * float64(first.RateLimitDay))
		limits = ratelimit.Limits{Minute: r.RateLimitMinute, Hour: r.RateLimitHour, Day: r.RateLimitDay}
	})
	if ok {
		limit, err := limits.Effective()
		require.NoError(m.t, err)
		o.limits = append(o.limits, monthLimit{time.Now(), limit})
		m.counts["limits changed"]++
	}
}

// with calls f with a process that lives.
func (m *month) with(f func(*monthProcess) error) {
	for _, p := range m.procs {
		if p != nil && !p.store.isDead() {
			p.inside(func() {
				if err := f(p); !p.store.isDead() {
					require.NoError(m.t, err)
				}
			})
			return
		}
	}
}

func (m *month) pause(o *monthOrg) {
	m.with(func(p *monthProcess) error { return p.engine.Pause(p.ctx, o.record.ID) })
	m.counts["paused"]++
	m.at(m.soon(5*time.Hour), func() {
		m.with(func(p *monthProcess) error { return p.engine.Resume(p.ctx, o.record.ID) })
	})
}

// wrongSecret lets a person make a mistake, and mend it.
func (m *month) wrongSecret(o *monthOrg) {
	put := func(secret string) {
		m.update(o, func(r *environment.Record) { r.ClientSecret = environment.NewSecret(secret) })
		o.RevokeTokens()
	}
	put("wrong")
	m.counts["wrong secret"]++
	m.at(m.soon(2*time.Hour), func() { put(o.Config().ClientSecret) })
}

// look asks for a pass, or for an import, while everything else goes on.
func (m *month) look(o *monthOrg) {
	m.lookAt(o, m.random.IntN(5) == 0, o.types[m.random.IntN(len(o.types))].Name, o.types[m.random.IntN(len(o.types))].Name)
}

func (m *month) lookAt(o *monthOrg, whole bool, names ...string) {
	m.with(func(p *monthProcess) error {
		p.wg.Go(func() {
			var err error
			if whole {
				_, err = p.engine.Import(p.ctx, o.record.ID, nil)
			} else {
				_, err = p.engine.Poll(p.ctx, o.record.ID, names...)
			}
			if monthUnexpected(err) && p.ctx.Err() == nil {
				m.t.Errorf("%s: a look at %v: %v", o.record.Name, names, err)
			}
		})
		return nil
	})
	m.counts["looked"]++
}

// monthUnexpected reports whether an error is one that no trouble explains.
func monthUnexpected(err error) bool {
	return errors.Is(err, environment.ErrNotFound) || errors.Is(err, history.ErrBody) || errors.Is(err, genesys.ErrNoGet) || errors.Is(err, context.Canceled)
}
