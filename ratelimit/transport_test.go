package ratelimit

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func request(t *testing.T) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example.com/", http.NoBody)
}

func TestTransportEndsWithTheBody(t *testing.T) {
	for name, tt := range map[string]struct {
		body io.Reader
		use  func(io.ReadCloser)
	}{
		"closed": {strings.NewReader("x"), func(b io.ReadCloser) { _ = b.Close() }},
		"read":   {strings.NewReader("x"), func(b io.ReadCloser) { _, _ = io.ReadAll(b) }},
		"failed": {iotest.ErrReader(io.ErrUnexpectedEOF), func(b io.ReadCloser) { _, _ = b.Read(make([]byte, 1)) }},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustNew(t, Limits{Minute: 10}, nil)
			rt := l.Transport(roundTripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(tt.body)}, nil
			}))
			resp, err := rt.RoundTrip(request(t))
			require.NoError(t, err)
			require.Equal(t, 1, l.State().InFlight)
			tt.use(resp.Body)
			require.Equal(t, 0, l.State().InFlight)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 1, l.State().Used)
		})
	}
}

func TestTransportWithoutResponse(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		used int
	}{
		"sent, then broken":   {io.ErrUnexpectedEOF, 1},
		"no connection":       {&net.OpError{Op: "dial", Err: errors.New("refused")}, 0},
		"the proxy is broken": {&net.OpError{Op: "proxyconnect", Err: errors.New("refused")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustNew(t, Limits{Minute: 10}, nil)
			rt := l.Transport(roundTripper(func(*http.Request) (*http.Response, error) { return nil, tt.err }))
			resp, err := rt.RoundTrip(request(t))
			require.ErrorIs(t, err, tt.err)
			require.Nil(t, resp)
			require.Equal(t, tt.used, l.State().Used)
			require.Equal(t, 0, l.State().InFlight)
		})
	}
}

// The server may have counted a request that could not be sent a second time.
func TestTransportSentOnceThenNoConnection(t *testing.T) {
	l := mustNew(t, Limits{Minute: 10}, nil)
	rt := l.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(req.Context()).GotConn(httptrace.GotConnInfo{})
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
	}))
	_, err := rt.RoundTrip(request(t))
	require.Error(t, err)
	require.Equal(t, 1, l.State().Used)
}

func TestTransportWithoutSlot(t *testing.T) {
	l := mustNew(t, Limits{Minute: 10}, nil)
	rt := l.Transport(roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return nil, io.EOF
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &closeRecorder{Reader: strings.NewReader("x")}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://api.example.com/", body)
	require.NoError(t, err)
	_, err = rt.RoundTrip(req)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, body.closed, "a RoundTripper closes the body in any case")
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error {
	c.closed = true
	return nil
}

// breakingServer breaks the connection of the second request that arrives.
func breakingServer(t *testing.T) (server *httptest.Server, arrived *atomic.Int32) {
	t.Helper()
	arrived = new(atomic.Int32)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if arrived.Add(1) != 2 {
			return
		}
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(server.Close)
	return server, arrived
}

// net/http sends a request again when a kept connection breaks before the answer.
// The server may have counted both.
func TestTransportCountsWhatNetHTTPSendsAgain(t *testing.T) {
	server, arrived := breakingServer(t)
	l := mustNew(t, Limits{Minute: 10}, nil)
	client := &http.Client{Transport: l.Transport(server.Client().Transport)}
	require.NoError(t, fetch(t, client, server.URL))
	require.NoError(t, fetch(t, client, server.URL))
	require.EqualValues(t, 3, arrived.Load())
	require.Equal(t, 3, l.State().Used)
	require.Equal(t, 0, l.State().InFlight)
}

func TestTransportSendsNothingAgainWithoutSlot(t *testing.T) {
	server, arrived := breakingServer(t)
	l := mustNew(t, Limits{Minute: 2}, nil)
	client := &http.Client{Transport: l.Transport(server.Client().Transport), Timeout: 30 * time.Second}
	require.NoError(t, fetch(t, client, server.URL))
	err := fetch(t, client, server.URL)
	_, ok := errors.AsType[*DeadlineError](err)
	require.True(t, ok, "%v", err)
	require.EqualValues(t, 2, arrived.Load())
}

func fetch(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(WithPriority(t.Context(), Interactive), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}
