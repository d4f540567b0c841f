package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

const scope = "github.com/cxsync/cxsync/environment/telemetry"

// Metrics are the instruments of one engine.
type Metrics struct {
	meter                   metric.Meter
	requests, took, commits metric.Float64Histogram
	passes, changes         metric.Int64Counter
	gauges                  gauges
}

// New makes the instruments, with a provider such as that of otel.GetMeterProvider.
func New(provider metric.MeterProvider) (*Metrics, error) {
	if provider == nil {
		return nil, errors.New("telemetry: a meter provider is required")
	}
	m := &Metrics{meter: provider.Meter(scope)}
	var errs [5]error
	seconds := metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
	m.requests, errs[0] = m.meter.Float64Histogram("http.client.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Tries of requests to the org and its login, until the answer begins."), seconds)
	m.took, errs[1] = m.meter.Float64Histogram("cxsync.pass.duration", metric.WithUnit("s"),
		metric.WithDescription("Passes over one type, the waits for the quota included."), metric.WithExplicitBucketBoundaries(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600))
	m.commits, errs[2] = m.meter.Float64Histogram("cxsync.store.commit.duration", metric.WithUnit("s"),
		metric.WithDescription("Commits of the store."), seconds)
	m.passes, errs[3] = m.meter.Int64Counter("cxsync.passes", metric.WithUnit("{pass}"),
		metric.WithDescription("Passes over one type that ended."))
	m.changes, errs[4] = m.meter.Int64Counter("cxsync.changes", metric.WithUnit("{change}"),
		metric.WithDescription("Changes that passes recorded."))
	return m, errors.Join(append(errs[:], m.gauges.make(m.meter))...)
}

// Options returns options that measure requests and passes, and do what opts does.
func (m *Metrics) Options(opts environment.Options) environment.Options {
	return telling(opts, m.request, m.pass)
}

// telling returns options that tell of requests and passes, and then do what opts does.
func telling(opts environment.Options, request func(context.Context, environment.RequestEvent), pass func(environment.PassEvent)) environment.Options {
	requested, observer := opts.Requested, opts.Observer
	opts.Requested = func(ctx context.Context, e environment.RequestEvent) {
		request(ctx, e)
		if requested != nil {
			requested(ctx, e)
		}
	}
	opts.Observer = func(e environment.PassEvent) {
		pass(e)
		if observer != nil {
			observer(e)
		}
	}
	return opts
}

// about returns the attributes of an environment with others.
func about(id int64, name string, others ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(others, of(id, name)...)...)
}

// of returns the attributes that name an environment.
func of(id int64, name string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.Int64("cxsync.environment.id", id), attribute.String("cxsync.environment.name", name)}
}

func (m *Metrics) request(ctx context.Context, e environment.RequestEvent) {
	m.requests.Record(ctx, e.Took.Seconds(), about(e.Environment, e.Name, requestAttributes(e)...))
}

// requestAttributes says what was asked and answered, in the words of the semantic conventions.
func requestAttributes(e environment.RequestEvent) []attribute.KeyValue {
	attributes := []attribute.KeyValue{attribute.String("http.request.method", e.Method), attribute.String("server.address", e.Host)}
	switch {
	case e.Err != nil:
		attributes = append(attributes, attribute.String("error.type", errorType(e.Err)))
	default:
		attributes = append(attributes, attribute.Int("http.response.status_code", e.Status))
		if e.Status >= 400 {
			attributes = append(attributes, attribute.String("error.type", strconv.Itoa(e.Status)))
		}
	}
	return attributes
}

// errorType names an error by what it is, never by its text, which may differ each time.
func errorType(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "_OTHER"
}

func (m *Metrics) pass(e environment.PassEvent) {
	ctx := context.Background()
	result, came, typeAttr := e.Result, outcome(e), attribute.String("cxsync.type", e.Type)
	m.took.Record(ctx, e.Took.Seconds(), about(e.Environment, e.Name, came))
	m.passes.Add(ctx, 1, about(e.Environment, e.Name, came, typeAttr))
	for kind, n := range map[history.Kind]int{
		history.KindImported: result.Imported, history.KindCreated: result.Created, history.KindUpdated: result.Updated,
		history.KindDeleted: result.Deleted, history.KindRestored: result.Restored,
	} {
		if n > 0 {
			m.changes.Add(ctx, int64(n), about(e.Environment, e.Name, typeAttr, attribute.String("cxsync.change.kind", string(kind))))
		}
	}
}

// outcome says what came of a pass.
func outcome(e environment.PassEvent) attribute.KeyValue {
	text := "complete"
	switch {
	case e.Err != nil:
		text = "error"
	case e.Result.Unavailable != "":
		text = "unavailable"
	case !e.Result.Complete:
		text = "incomplete"
	}
	return attribute.String("cxsync.pass.outcome", text)
}

// Store returns a store whose commits are measured. It has the powers of s that an engine uses.
func (m *Metrics) Store(s storage.Store) storage.Store {
	t := timed{s, m}
	many, hasMany := s.(storage.ManyGetter)
	alone, isAlone := s.(storage.Exclusive)
	switch {
	case hasMany && isAlone:
		return struct {
			timed
			storage.ManyGetter
			storage.Exclusive
		}{t, many, alone}
	case hasMany:
		return struct {
			timed
			storage.ManyGetter
		}{t, many}
	case isAlone:
		return struct {
			timed
			storage.Exclusive
		}{t, alone}
	}
	return t
}

// timed is a store whose commits are measured.
type timed struct {
	storage.Store
	metrics *Metrics
}

// Commit implements storage.Store.
func (t timed) Commit(ctx context.Context, b *storage.Batch) error {
	began := time.Now()
	err := t.Store.Commit(ctx, b)
	var attributes []attribute.KeyValue
	switch {
	case errors.Is(err, storage.ErrConflict):
		attributes = append(attributes, attribute.String("error.type", "conflict"))
	case err != nil:
		attributes = append(attributes, attribute.String("error.type", errorType(err)))
	}
	t.metrics.commits.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attributes...))
	return err
}

// Watch has the state of the engine's environments read whenever metrics are collected, until
// unwatch is called: before the store is closed. Of what a caller may see by
// environment.Options.Authorize, with the context of the collection.
func (m *Metrics) Watch(engine *environment.Engine) (unwatch func() error, err error) {
	if engine == nil {
		return nil, errors.New("telemetry: an engine is required")
	}
	r, err := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		var problems []error
		for record, err := range engine.All(ctx) {
			var status environment.Status
			if err == nil {
				status, err = engine.Status(ctx, record.ID)
			}
			switch {
			case errors.Is(err, environment.ErrNotFound): // it is being deleted
			case err != nil: // of one environment, which hides no other
				problems = append(problems, fmt.Errorf("telemetry: %w", err))
			default:
				m.gauges.observe(o, status)
			}
		}
		return errors.Join(problems...)
	}, m.gauges.all()...)
	if err != nil {
		return nil, err
	}
	return r.Unregister, nil
}
