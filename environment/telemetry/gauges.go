package telemetry

import (
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/cxsync/cxsync/environment"
)

// gauges show the state of an environment.
type gauges struct {
	limit, used, waiting, objects, withheld, health metric.Int64ObservableGauge
	lag, audits                                     metric.Float64ObservableGauge
}

func (g *gauges) make(meter metric.Meter) error {
	var errs []error
	for _, i := range []struct {
		gauge                   *metric.Int64ObservableGauge
		name, unit, description string
	}{
		{&g.limit, "cxsync.quota.limit", "{request}", "Requests that the window of the quota allows."},
		{&g.used, "cxsync.quota.used", "{request}", "Requests of the quota that are used."},
		{&g.waiting, "cxsync.quota.waiting", "{request}", "Requests that wait for the quota."},
		{&g.objects, "cxsync.objects", "{object}", "Objects that the last passes saw."},
		{&g.withheld, "cxsync.withheld", "{object}", "Objects that are missing, but not proven to be deleted."},
		{&g.health, "cxsync.health", "1", "1 for the verdict on the environment, 0 for the others."},
	} {
		var err error
		*i.gauge, err = meter.Int64ObservableGauge(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
		errs = append(errs, err)
	}
	var err error
	g.lag, err = meter.Float64ObservableGauge("cxsync.lag", metric.WithUnit("s"), metric.WithDescription("How late the latest pass is."))
	errs = append(errs, err)
	g.audits, err = meter.Float64ObservableGauge("cxsync.attribution.delay", metric.WithUnit("s"),
		metric.WithDescription("How long ago the newest audits are from that tell who made changes."))
	return errors.Join(append(errs, err)...)
}

func (g *gauges) all() []metric.Observable {
	return []metric.Observable{g.limit, g.used, g.waiting, g.objects, g.withheld, g.health, g.lag, g.audits}
}

// observe tells the state of one environment.
func (g *gauges) observe(o metric.Observer, s environment.Status) {
	of := about(s.Record.ID, s.Record.Name)
	objects, withheld, lag := 0, 0, time.Duration(0)
	for _, t := range s.Types {
		objects, withheld, lag = objects+t.Objects, withheld+t.Withheld, max(lag, t.Lag)
	}
	if s.Quota.Limit.N > 0 {
		o.ObserveInt64(g.limit, int64(s.Quota.Limit.N), of)
	}
	o.ObserveInt64(g.used, int64(s.Quota.Used), of)
	o.ObserveInt64(g.waiting, int64(s.Quota.Waiting), of)
	o.ObserveInt64(g.objects, int64(objects), of)
	o.ObserveInt64(g.withheld, int64(withheld), of)
	o.ObserveFloat64(g.lag, lag.Seconds(), of)
	now := time.Now()
	if tally := s.Audits.Tally; tally != nil && !tally.Until.IsZero() {
		orgNow := now
		if !s.Clock.Now.IsZero() {
			orgNow = s.Clock.Now
		}
		o.ObserveFloat64(g.audits, max(0, orgNow.Sub(tally.Until)).Seconds(), of)
	}
	is := s.Health(now).Verdict
	for _, v := range []environment.Verdict{environment.VerdictGood, environment.VerdictLate, environment.VerdictBlind, environment.VerdictFailing} {
		n := int64(0)
		if v == is {
			n = 1
		}
		o.ObserveInt64(g.health, n, about(s.Record.ID, s.Record.Name, attribute.String("cxsync.verdict", string(v))))
	}
}
