package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

const clientSecret = "S3cret-of-the-test"

var testKey = base64.StdEncoding.EncodeToString(make([]byte, 32))

func testService(t *testing.T, org *genesystest.Org, store storage.Store, secret string) *service {
	t.Helper()
	c := org.Config()
	record := environment.Record{
		Name: "Test", BaseURL: c.BaseURL, LoginURL: c.LoginURL, ClientID: c.ClientID,
		ClientSecret: environment.NewSecret(secret), RateLimitMinute: 250, Types: []string{"routing.skills"},
	}
	vault, err := newVault(testKey, nil)
	require.NoError(t, err)
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Transport: org.Transport()})
	require.NoError(t, err)
	_, err = engine.Put(t.Context(), record, nil)
	require.NoError(t, err)
	return &service{engine: engine, logger: slog.New(slog.DiscardHandler), imports: map[int64]lastImport{}}
}

// send sends a request to the handler, checks the status and that the answer is
// JSON without the client secret, and decodes it into v.
func send(t *testing.T, h http.Handler, request string, status int, v any) {
	t.Helper()
	var method, url string
	_, err := fmt.Sscan(request, &method, &url)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, url, nil)
	r.Host = "127.0.0.1:8088"
	h.ServeHTTP(w, r)
	require.Equal(t, status, w.Code, "%s: %s", request, w.Body)
	require.NotContains(t, w.Body.String(), clientSecret, request)
	if v == nil {
		v = new(map[string]any)
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), v), "%s: %s", request, w.Body)
}

func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{ClientSecret: clientSecret, Latency: time.Second})
		s := testService(t, org, memory.New(), clientSecret)
		h := s.handler(t.Context())

		send(t, h, "GET /healthz", http.StatusServiceUnavailable, nil)
		var records []environment.Record
		send(t, h, "GET /environments", http.StatusOK, &records)
		require.Len(t, records, 1)
		require.Equal(t, "Test", records[0].Name)

		send(t, h, "POST /environments/1/import", http.StatusAccepted, nil)
		send(t, h, "POST /environments/1/import", http.StatusConflict, nil)
		var st status
		send(t, h, "GET /environments/1/status", http.StatusOK, &st)
		require.True(t, st.Import.Running)
		s.jobs.Wait()
		st = status{}
		send(t, h, "GET /environments/1/status", http.StatusOK, &st)
		require.Equal(t, lastImport{Types: 1}, st.Import)
		require.Positive(t, st.Types[0].Objects)
		require.True(t, st.Types[0].Complete)
		var forecast environment.Forecast
		send(t, h, "GET /environments/1/forecast", http.StatusOK, &forecast)
		require.True(t, forecast.Fits)

		for i := range 5 {
			_, err := org.Create("routing.skills", map[string]any{"name": fmt.Sprint("Skill ", i)})
			require.NoError(t, err)
		}
		send(t, h, "POST /environments/1/import", http.StatusAccepted, nil)
		s.jobs.Wait()
		var names []string
		pages, p := 0, page{}
		for ; pages == 0 || len(p.Changes) > 0; pages++ {
			send(t, h, fmt.Sprintf("GET /environments/1/changes?limit=2&after=%d", p.Next), http.StatusOK, &p)
			for _, c := range p.Changes {
				names = append(names, c.Name)
			}
		}
		require.ElementsMatch(t, []string{"Skill 0", "Skill 1", "Skill 2", "Skill 3", "Skill 4"}, names)
		require.Equal(t, 4, pages)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/history?since=1h", nil))
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), `created  routing.skills "Skill 4"`)
	})
}

func TestRefusals(t *testing.T) {
	s := testService(t, genesystest.New(nil), memory.New(), clientSecret)
	h := s.handler(t.Context())
	for request, status := range map[string]int{
		"GET /environments/2/status":            http.StatusNotFound,
		"GET /environments/2/changes":           http.StatusNotFound,
		"GET /environments/2/forecast":          http.StatusNotFound,
		"POST /environments/2/import":           http.StatusNotFound,
		"GET /environments/Test/status":         http.StatusBadRequest,
		"GET /environments/1/changes?after=-1":  http.StatusBadRequest,
		"GET /environments/1/changes?limit=all": http.StatusBadRequest,
	} {
		send(t, h, request, status, nil)
	}
}

// The org refuses the secret here, so that its errors are among the answers.
func TestRefusedSecretStaysSecret(t *testing.T) {
	s := testService(t, genesystest.New(nil), memory.New(), clientSecret)
	h := s.handler(t.Context())
	send(t, h, "POST /environments/1/import", http.StatusAccepted, nil)
	s.jobs.Wait()
	var st status
	send(t, h, "GET /environments/1/status", http.StatusOK, &st)
	require.NotEmpty(t, st.Import.Error)
	require.False(t, st.Import.Running)
}

func TestServeEndsWithNothingGoingOn(t *testing.T) {
	store := memory.New()
	s := testService(t, genesystest.New(nil), store, genesystest.ClientSecret)
	listener, err := cli.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx, listener) }()

	url := "http://" + listener.Addr().String()
	for _, r := range []struct {
		method, path string
		status       int
	}{{http.MethodGet, "/healthz", http.StatusOK}, {http.MethodPost, "/environments/1/import", http.StatusAccepted}} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, url+r.path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, r.status, resp.StatusCode)
	}
	interrupt()
	require.NoError(t, <-done)
	require.False(t, s.polling.Load())
	require.False(t, s.imports[1].Running)
	require.NoError(t, store.Close())
	_, err = new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.Error(t, err)
}

func TestHostsOfOtherMachinesAreRefused(t *testing.T) {
	h := testService(t, genesystest.New(nil), memory.New(), clientSecret).handler(t.Context())
	for host, status := range map[string]int{
		"localhost:8088": http.StatusOK, "127.0.0.1": http.StatusOK, "[::1]:8088": http.StatusOK,
		"rebound.example:8088": http.StatusForbidden, "10.0.0.1:8088": http.StatusForbidden, "": http.StatusForbidden,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/environments", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, status, w.Code, host)
	}
}

func TestListenTakesLoopbackOnly(t *testing.T) {
	_, err := cli.Listen(t.Context(), "0.0.0.0:0")
	require.ErrorContains(t, err, "not a loopback address")
}

func TestRecordsAndSecretsOfFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "record.json")
	require.NoError(t, os.WriteFile(name, []byte(`{"name": "Contoso", "base_url": "mypurecloud.ie", "client_id": "id", "client_secret": "`+clientSecret+`"}`), 0o600))
	records, err := readRecords([]string{name})
	require.NoError(t, err)

	vault, err := newVault("", records)
	require.NoError(t, err)
	stored, err := vault.Seal(t.Context(), records[0], records[0].ClientSecret)
	require.NoError(t, err)
	require.Empty(t, stored)
	secret, err := vault.Open(t.Context(), environment.Record{Name: "contoso"}, nil)
	require.NoError(t, err)
	require.Equal(t, clientSecret, secret.Reveal())
	_, err = vault.Open(t.Context(), environment.Record{Name: "Other"}, nil)
	require.ErrorContains(t, err, "CXSYNC_KEY")

	_, err = newVault("no base64!", records)
	require.ErrorContains(t, err, "CXSYNC_KEY")
	require.NoError(t, os.WriteFile(name, []byte(`{"client_secret": "`+clientSecret+`", "rate_limit_minute": -1}`), 0o600))
	_, err = readRecords([]string{name})
	require.ErrorContains(t, err, "rate_limit_minute")
	require.NotContains(t, err.Error(), clientSecret)
}
