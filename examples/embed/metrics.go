package main

import (
	"net/http"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/cxsync/cxsync/environment/telemetry"
)

// A meter measures an engine for Prometheus.
type meter struct {
	metrics *telemetry.Metrics
	handler http.Handler // of /metrics
}

func newMeter() (*meter, error) {
	registry := client.NewRegistry()
	exporter, err := prometheus.New(prometheus.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	metrics, err := telemetry.New(metric.NewMeterProvider(metric.WithReader(exporter)))
	return &meter{metrics, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}, err
}
