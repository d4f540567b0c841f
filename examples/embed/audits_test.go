package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// An event of the org's audits is taken as a hint; what is none is refused with the reason.
func TestEventsOfAudits(t *testing.T) {
	org := genesystest.New(nil)
	s := testService(t, org, memory.New(), genesystest.ClientSecret)
	post := func(body []byte) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/environments/1/audits", bytes.NewReader(body))
		w := httptest.NewRecorder()
		s.handler(t.Context()).ServeHTTP(w, r)
		return w
	}
	start := time.Now().Add(-time.Minute)
	for id := range org.Objects("routing.queues") {
		require.NoError(t, org.Update("routing.queues", id, map[string]any{"name": "Renamed"}))
		break
	}
	n := 0
	for event := range org.AuditEvents(start) {
		n++
		w := post(event)
		require.Equal(t, http.StatusAccepted, w.Code, w.Body)
		require.NotContains(t, w.Body.String(), ":0")
		break
	}
	require.Equal(t, 1, n)
	w := post([]byte(`{"detail": {}}`))
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "v2.audits")
}
