package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/history"
)

// retry has a change posted again until it is accepted.
var retry = &environment.FollowOptions{Retry: time.Second, RetryMax: time.Minute}

// A sender posts changes to a URL.
type sender struct {
	url    string
	client *http.Client
}

// newSender returns a sender that uses transport, or http.DefaultTransport if it is nil.
func newSender(to string, transport http.RoundTripper) (*sender, error) {
	if u, err := url.Parse(to); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("-url is no URL such as https://example.com/hook")
	}
	return &sender{to, &http.Client{
		Transport: transport,
		Timeout:   30 * time.Second,
		// A redirect may turn the POST into a GET, which delivers nothing.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// deliver posts a change once.
func (s *sender) deliver(ctx context.Context, c history.Change) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.post(ctx, fmt.Sprintf("%d-%d", c.Environment, c.Seq), body)
}

// post tries once. Any answer but a 2xx is an error.
func (s *sender) post(ctx context.Context, key string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := s.client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err // without the URL, which may hold a token
	} else if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // lets the connection be used again
	if resp.StatusCode/100 != 2 {
		return errors.New(resp.Status)
	}
	return nil
}

// receive starts a receiver that prints what it gets until ctx ends. It refuses
// every fourth request. It returns its URL.
func receive(ctx context.Context, out io.Writer) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	requests := 0 // come one at a time, as a change waits for the one before
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests%4 == 0 {
			http.Error(w, "out of order", http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
		if err != nil {
			return
		}
		fmt.Fprintf(cli.JSON(out), "%s  %s\n", r.Header.Get("Idempotency-Key"), body)
	})}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return "http://" + listener.Addr().String() + "/hook", nil
}
