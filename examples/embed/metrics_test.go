package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// Prometheus gets what was measured, and whoever looks after the process the verdict on each environment.
func TestMetricsAndHealth(t *testing.T) {
	m, err := newMeter()
	require.NoError(t, err)
	org := genesystest.New(nil)
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	opts := m.metrics.Options(environment.Options{Vault: vault, Transport: org.Transport()})
	engine, err := environment.Open(m.metrics.Store(memory.New()), &opts)
	require.NoError(t, err)
	_, err = m.metrics.Watch(engine)
	require.NoError(t, err)
	env, err := engine.Create(t.Context(), environment.Record{
		Name: "Test", BaseURL: org.BaseURL(), ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret), Types: []string{"Queues"},
	})
	require.NoError(t, err)
	org.Fail("routing.queues", genesystest.Garbage(), -1)
	_, err = engine.Poll(t.Context(), env.ID)
	require.Error(t, err)

	s := &service{engine: engine, more: map[string]http.Handler{"GET /metrics": m.handler}}
	s.polling.Store(true)
	w := httptest.NewRecorder()
	s.handler(t.Context()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Regexp(t, `(?m)^cxsync_passes_total\{.*cxsync_environment_name="Test".*cxsync_type="routing.queues".*\} 1$`, w.Body.String())
	require.Regexp(t, `(?m)^cxsync_health(_ratio)?\{.*cxsync_verdict="failing".*\} 1$`, w.Body.String())
	require.Regexp(t, `(?m)^http_client_request_duration_seconds_count\{.*http_response_status_code="200".*\} `, w.Body.String())

	var health struct {
		Environments []environment.Health
	}
	send(t, s.handler(t.Context()), "GET /healthz", http.StatusOK, &health)
	require.Len(t, health.Environments, 1)
	require.Equal(t, environment.VerdictFailing, health.Environments[0].Verdict)
	require.Len(t, health.Environments[0].Types, 1)
}
