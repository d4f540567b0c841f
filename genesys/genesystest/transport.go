package genesystest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Transport returns a RoundTripper that answers for the org's hosts in memory:
// no sockets, no goroutines, so that it works inside testing/synctest. Latency
// and slow bodies pass on that clock, and a request's context ends them.
func (o *Org) Transport() http.RoundTripper { return transport{o} }

type transport struct{ org *Org }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := t.check(r); err != nil {
		return nil, err
	}
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	rep := t.org.answer(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if rep.reset {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	body := &memoryBody{ctx: r.Context(), rest: bytes.NewReader(rep.body), slow: rep.slow}
	if rep.cut {
		body.rest, body.end = bytes.NewReader(rep.body[:len(rep.body)/2]), io.ErrUnexpectedEOF
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", rep.status, http.StatusText(rep.status)), StatusCode: rep.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: t.org.dated(rep.header), Body: body, ContentLength: int64(len(rep.body)), Request: r,
	}, nil
}

// check holds what the network would: only the region's hosts are there, and each has its own paths.
func (t transport) check(r *http.Request) error {
	host := strings.ToLower(r.URL.Hostname())
	service, ok := strings.CutSuffix(host, "."+t.org.opts.Domain)
	paths, known := map[string]string{"api": "/api/", "login": "/oauth/", "downloads": "/downloads/"}[service]
	switch {
	case !ok || !known:
		return &net.DNSError{Err: "no such host beside this local org, which is " + t.org.BaseURL(), Name: host, IsNotFound: true}
	case r.URL.Scheme != "https":
		return errors.New("genesystest: the service does not speak plain http")
	case !strings.HasPrefix(r.URL.Path, paths):
		return fmt.Errorf("genesystest: %s does not serve %s", host, r.URL.Path)
	}
	return nil
}

// A memoryBody gives its second half after a while, and may end early.
type memoryBody struct {
	ctx  context.Context //nolint:containedctx // a body is read under its request's context
	rest *bytes.Reader
	slow time.Duration
	end  error
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if half := b.rest.Size() / 2; b.slow > 0 {
		if int64(b.rest.Len()) > b.rest.Size()-half {
			p = p[:min(len(p), b.rest.Len()-int(b.rest.Size()-half))]
		} else {
			if !sleep(b.ctx, b.slow) {
				return 0, b.ctx.Err()
			}
			b.slow = 0
		}
	}
	n, err := b.rest.Read(p)
	if err == io.EOF && b.end != nil {
		return n, b.end
	}
	return n, err
}

func (b *memoryBody) Close() error { return nil }
