package ratelimit

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// Transport returns a RoundTripper that takes a slot for each request before base sends it, with
// the priority of the request's context, and that lets the limiter observe the response. The slot
// is in use until the body of the response has been read to its end, has failed or is closed.
//
// Put it below whatever retries and redirects, so that each try takes a slot. When
// net/http itself sends a request again because a kept connection turned out to be
// closed, that takes another slot too. A nil base is [http.DefaultTransport].
func (l *Limiter) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{l, base}
}

type transport struct {
	limiter *Limiter
	base    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	route := routeOf(req)
	permit, err := t.limiter.acquire(req.Context(), route)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(req.Context())
	x := &exchange{limiter: t.limiter, route: route, ctx: ctx, cancel: cancel, permit: permit}
	trace := &httptrace.ClientTrace{GotConn: x.sending}
	resp, err := t.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		return nil, x.fail(err)
	}
	x.mu.Lock()
	permit = x.permit
	x.mu.Unlock()
	permit.observe(resp, route)
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.Body == nil || resp.Body == http.NoBody {
		x.done()
		return resp, nil
	}
	x.body, resp.Body = resp.Body, x
	return resp, nil
}

// An exchange is one request with its response. It is the body of its response, and ends when
// that is read to the end, fails or is closed.
type exchange struct {
	limiter *Limiter
	route   string
	ctx     context.Context //nolint:containedctx // lives as long as the request it belongs to
	cancel  context.CancelFunc
	body    io.ReadCloser

	mu     sync.Mutex
	isSent bool
	permit Permit // for the last time that it was sent
	noSlot error  // why the request may not be sent again
}

// sending is called when the request is about to be written to a connection: again only when
// the last one has broken.
func (x *exchange) sending(info httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.isSent {
		x.isSent = true
		return
	}
	x.permit.Done()
	x.permit, x.noSlot = x.limiter.acquire(x.ctx, x.route)
	if x.noSlot == nil {
		return
	}
	x.cancel()
	if conn, ok := info.Conn.(*tls.Conn); !ok || conn.ConnectionState().NegotiatedProtocol != "h2" {
		_ = info.Conn.Close() // a request that is cancelled may still be written; not to this
	}
}

// fail ends a request that has no response and returns the reason. Only where no connection
// came about is it certain that nothing was sent.
func (x *exchange) fail(err error) error {
	defer x.done()
	x.mu.Lock()
	defer x.mu.Unlock()
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && !x.isSent {
		x.permit.Cancel()
	}
	return cmp.Or(x.noSlot, err)
}

func (x *exchange) done() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.permit.Done()
	x.cancel()
}

// Read implements [io.Reader].
func (x *exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	if err != nil {
		x.done()
	}
	return n, err
}

// Close implements [io.Closer].
func (x *exchange) Close() error {
	defer x.done()
	return x.body.Close()
}
