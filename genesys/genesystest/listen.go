package genesystest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// A Server is an org that listens on a socket.
type Server struct {
	URL string // http://127.0.0.1:40123, of the login host and the API host at once

	org    *Org
	server *http.Server
	served chan error
}

// Listen serves the org on an address such as "127.0.0.1:0", which takes a free
// port, until Close or the end of the context.
func (o *Org) Listen(ctx context.Context, addr string) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errorf("%w", err)
	}
	s := &Server{
		URL: "http://" + l.Addr().String(), org: o,
		server: &http.Server{Handler: o, ReadHeaderTimeout: 10 * time.Second},
		served: make(chan error, 1),
	}
	go func() { s.served <- s.server.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = s.Close() }) //nolint:contextcheck // the context has ended; closing takes its own time
	return s, nil
}

// Config returns what a client needs to reach the server.
func (s *Server) Config() genesys.Config {
	c := s.org.Config()
	c.BaseURL, c.LoginURL = s.URL, s.URL
	return c
}

// Close lets the requests under way finish, for five seconds at most, and ends the server.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	return err
}

// Wait returns when the server has ended, with the reason unless that was Close or the context.
func (s *Server) Wait() error {
	err := <-s.served
	s.served <- err
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
