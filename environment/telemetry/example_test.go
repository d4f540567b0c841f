package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/telemetry"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// What an engine measures, printed. A program has a metric.NewPeriodicReader with an exporter in the
// place of the ManualReader, such as stdoutmetric, which prints, or otlpmetrichttp.
func Example() {
	ctx := context.Background()
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	metrics, err := telemetry.New(provider)
	if err != nil {
		log.Fatal(err)
	}
	org := genesystest.New(nil)
	vault, _ := environment.NewKeyVault(environment.NewKey())
	opts := metrics.Options(environment.Options{Vault: vault, Transport: org.Transport()})
	engine, err := environment.Open(metrics.Store(memory.New()), &opts)
	if err != nil {
		log.Fatal(err)
	}
	unwatch, err := metrics.Watch(engine) // the gauges
	if err != nil {
		log.Fatal(err)
	}
	env, err := engine.Create(ctx, environment.Record{
		Name: "Contoso", BaseURL: org.BaseURL(), RateLimitMinute: 250, Types: []string{"Queues", "ACD skills"},
		ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := engine.Import(ctx, env.ID, nil); err != nil {
		log.Fatal(err)
	}

	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		log.Fatal(err)
	}
	var lines []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					typ, _ := p.Attributes.Value("cxsync.type")
					lines = append(lines, fmt.Sprint(m.Name, " ", typ.String(), " ", p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					if verdict, ok := p.Attributes.Value("cxsync.verdict"); ok && p.Value == 0 {
						continue // another verdict has the 1
					} else if ok {
						m.Name += " " + verdict.String()
					}
					lines = append(lines, fmt.Sprint(m.Name, " ", p.Value))
				}
			}
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	if err := errors.Join(provider.Shutdown(ctx), unwatch()); err != nil { // in this order
		log.Fatal(err)
	}
	// Output:
	// cxsync.changes routing.queues 12
	// cxsync.changes routing.skills 15
	// cxsync.health good 1
	// cxsync.objects 27
	// cxsync.passes routing.queues 1
	// cxsync.passes routing.skills 1
	// cxsync.quota.limit 250
	// cxsync.quota.used 4
	// cxsync.quota.waiting 0
	// cxsync.withheld 0
}
