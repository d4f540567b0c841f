package telemetry_test

import (
	"context"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/telemetry"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/memory"
)

// sums adds up what was measured, by the value of an attribute: counts of histograms, values of
// counters and gauges.
func sums(t *testing.T, reader *metric.ManualReader, name string, by attribute.Key) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := map[string]int64{}
	add := func(set attribute.Set, n int64) {
		v, _ := set.Value(by)
		found[v.String()] += n
		if name != "cxsync.store.commit.duration" {
			env, _ := set.Value("cxsync.environment.name")
			require.Equal(t, "Test", env.AsString())
		}
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, int64(p.Count))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, int64(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, p.Value)
				}
			default:
				t.Fatalf("%s is a %T", name, data)
			}
		}
	}
	return found
}

// counted is a store that counts its commits.
type counted struct {
	*file.Store
	commits atomic.Int64
}

// Commit implements storage.Store.
func (c *counted) Commit(ctx context.Context, b *storage.Batch) error {
	c.commits.Add(1)
	return c.Store.Commit(ctx, b)
}

// What is measured in a run is what the org, the history and the store counted in it.
func TestMetricsAreWhatTheOrgCounted(t *testing.T) {
	reader := metric.NewManualReader()
	m, err := telemetry.New(metric.NewMeterProvider(metric.WithReader(reader)))
	require.NoError(t, err)
	inner, err := file.Open(filepath.Join(t.TempDir(), "cxsync.db"), nil)
	require.NoError(t, err)
	store := &counted{Store: inner}
	measured := m.Store(store)
	require.Implements(t, (*storage.Exclusive)(nil), measured, "the powers of the store are kept")

	org := genesystest.New(nil)
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	passes := map[string]int64{}
	opts := m.Options(environment.Options{Vault: vault, Transport: org.Transport(), Concurrency: 1, Observer: func(e environment.PassEvent) { passes[e.Type]++ }})
	engine, err := environment.Open(measured, &opts)
	require.NoError(t, err)
	unwatch, err := m.Watch(engine)
	require.NoError(t, err)
	env, err := engine.Create(t.Context(), environment.Record{
		Name: "Test", BaseURL: org.BaseURL(), ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		RateLimitMinute: 250, Types: []string{"routing.queues", "routing.skills", "routing.wrapupcodes"},
	})
	require.NoError(t, err)

	org.Fail("routing.queues", genesystest.Throttle(time.Second), 2)
	_, err = engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	_, err = org.Create("routing.skills", map[string]any{"name": "French"})
	require.NoError(t, err)
	for id := range org.Objects("routing.queues") {
		require.NoError(t, org.Update("routing.queues", id, map[string]any{"description": "Calls"}))
	}
	for id := range org.Objects("routing.wrapupcodes") {
		require.NoError(t, org.Delete("routing.wrapupcodes", id))
		break
	}
	_, err = engine.Poll(t.Context(), env.ID)
	require.NoError(t, err)
	org.Fail("routing.skills", genesystest.Garbage(), -1)
	_, err = engine.Poll(t.Context(), env.ID)
	require.Error(t, err)

	requests, throttled := map[string]int64{}, int64(0)
	for _, r := range org.Requests() {
		requests[attribute.IntValue(r.Status).String()]++
		if r.Status == http.StatusTooManyRequests {
			throttled++
		}
	}
	require.Equal(t, int64(2), throttled)
	require.Equal(t, requests, sums(t, reader, "http.client.request.duration", "http.response.status_code"))
	require.Equal(t, passes, sums(t, reader, "cxsync.passes", "cxsync.type"))
	require.Equal(t, map[string]int64{"complete": 8, "error": 1}, sums(t, reader, "cxsync.pass.duration", "cxsync.pass.outcome"))
	h, err := engine.History(t.Context(), env.ID)
	require.NoError(t, err)
	changes := map[string]int64{}
	for c, err := range h.Changes(t.Context(), history.Query{Imported: true}) {
		require.NoError(t, err)
		changes[string(c.Kind)]++
	}
	require.Len(t, changes, 4)
	require.Equal(t, changes, sums(t, reader, "cxsync.changes", "cxsync.change.kind"))
	objects := int64(0)
	for _, typ := range env.Types {
		for range org.Objects(typ) {
			objects++
		}
	}
	name := attribute.Key("cxsync.environment.id")
	require.Equal(t, map[string]int64{"1": objects}, sums(t, reader, "cxsync.objects", name))
	require.Equal(t, map[string]int64{"1": 0}, sums(t, reader, "cxsync.withheld", name))
	require.Equal(t, map[string]int64{"1": 250}, sums(t, reader, "cxsync.quota.limit", name))
	require.Equal(t, map[string]int64{"good": 0, "late": 0, "blind": 0, "failing": 1}, sums(t, reader, "cxsync.health", "cxsync.verdict"))
	used := sums(t, reader, "cxsync.quota.used", name)["1"]
	state, err := engine.Status(t.Context(), env.ID)
	require.NoError(t, err)
	require.Equal(t, int64(state.Quota.Used), used)

	require.Equal(t, map[string]int64{"1": 0}, sums(t, reader, "cxsync.quota.waiting", name))
	require.Equal(t, map[string]int64{"1": 0}, sums(t, reader, "cxsync.lag", name))
	require.Empty(t, sums(t, reader, "cxsync.attribution.delay", name), "no audits are read")
	own, err := history.Open(t.Context(), measured, env.ID, nil)
	require.NoError(t, err)
	until := state.Clock.Now.Add(-90 * time.Minute)
	require.NoError(t, own.Attribute(t.Context(), history.AuditsRead{Read: map[string]history.Span{"": {Since: until.Add(-time.Hour), Until: until}}}, nil))
	require.InDelta(t, 5400, sums(t, reader, "cxsync.attribution.delay", name)["1"], 60)

	require.NoError(t, unwatch())
	require.NoError(t, engine.Close(t.Context()))
	require.Equal(t, map[string]int64{"": store.commits.Load()}, sums(t, reader, "cxsync.store.commit.duration", "error.type"))
	require.NoError(t, inner.Close())
	require.NotContains(t, sums(t, reader, "cxsync.objects", name), "1", "nothing is asked of a store that is closed")
}

// A record that cannot be read is an error of the collection, and hides no other environment.
func TestDamagedRecord(t *testing.T) {
	reader := metric.NewManualReader()
	m, err := telemetry.New(metric.NewMeterProvider(metric.WithReader(reader)))
	require.NoError(t, err)
	store := memory.New()
	engine, err := environment.Open(store, nil)
	require.NoError(t, err)
	_, err = m.Watch(engine)
	require.NoError(t, err)
	for _, name := range []string{"First", "Second"} {
		_, err = engine.Create(t.Context(), environment.Record{Name: name, BaseURL: "usw2", ClientID: "c", RateLimitMinute: 250})
		require.NoError(t, err)
	}
	var b storage.Batch
	b.Put("environments/0000000001", []byte(`{"name":7}`))
	require.NoError(t, store.Commit(t.Context(), &b))
	var all metricdata.ResourceMetrics
	require.ErrorContains(t, reader.Collect(t.Context(), &all), "record 1 cannot be read")
	found := map[string]bool{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if data, ok := m.Data.(metricdata.Gauge[int64]); ok {
				for _, p := range data.DataPoints {
					name, _ := p.Attributes.Value("cxsync.environment.name")
					found[name.AsString()] = true
				}
			}
		}
	}
	require.Equal(t, map[string]bool{"Second": true}, found)
}

// What would fail later is refused at once.
func TestNothingToMeasure(t *testing.T) {
	_, err := telemetry.New(nil)
	require.Error(t, err)
	m, err := telemetry.New(metric.NewMeterProvider())
	require.NoError(t, err)
	_, err = m.Watch(nil)
	require.Error(t, err)
}
