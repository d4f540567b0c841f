package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/cxsync/cxsync/history"
)

// The pause after a failed delivery starts with the first and doubles up to the second.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// A sender posts changes to a URL.
type sender struct {
	url    string
	client *http.Client
	logger *slog.Logger
}

// newSender returns a sender that uses transport, or http.DefaultTransport if it is nil.
func newSender(to string, transport http.RoundTripper, logger *slog.Logger) (*sender, error) {
	if u, err := url.Parse(to); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("-url is no URL such as https://example.com/hook")
	}
	return &sender{to, &http.Client{
		Transport: transport,
		Timeout:   30 * time.Second,
		// A redirect may turn the POST into a GET, which delivers nothing.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, logger}, nil
}

// deliver posts a change until it is accepted or ctx ends.
func (s *sender) deliver(ctx context.Context, c history.Change) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%d-%d", c.Environment, c.Seq)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := s.post(ctx, key, body)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := pause/2 + rand.N(pause/2)
		s.logger.Warn("delivery failed", "change", key, "again in", wait, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
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
		fmt.Fprintf(out, "%s  %s\n", r.Header.Get("Idempotency-Key"), body)
	})}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return "http://" + listener.Addr().String() + "/hook", nil
}
