package environment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// What an outage of the org costs. A request that fails for good has been tried for about a
// minute. If the org is down, the next one would fail in the same way, and a pass over 500 objects
// would take a working day. So failures are counted, in each pass and in each session: after one,
// requests are tried once only, until one is answered; after three in a row the pass ends.

// outage counts the requests in a row that failed for good.
type outage struct{ failures atomic.Int32 }

// orgIsDown is how many failures in a row are the org's, and not those of what was asked for.
const orgIsDown = 3

// answered ends the outage.
func (o *outage) answered() { o.failures.Store(0) }

// An outageError ends an import, which otherwise goes on past a type that fails: the org does not
// answer, or does not let the client in, so the next type would fare alike.
type outageError struct{ err error }

func (e *outageError) Error() string { return e.err.Error() }
func (e *outageError) Unwrap() error { return e.err }

// ends returns the error that ends the pass because of an error of the client, or nil if that error
// is about the one thing that was asked for and the pass can go on. It counts failures.
func (s *session) ends(ctx context.Context, err error) error {
	other := new(OtherOrgError)
	refusal := new(genesys.AuthError)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &other):
		return other
	case errors.As(err, &refusal):
		return &readError{&outageError{err}}
	case !errors.Is(err, genesys.ErrOutage):
		return nil
	}
	s.outage.failures.Add(1)
	if r, ok := ctx.Value(readingKey{}).(*reading); ok && r.outage.failures.Add(1) >= orgIsDown {
		return &readError{&outageError{err}}
	}
	return nil
}

// unreadable is the error of a request without which there is nothing to read, such as the first
// page of a list.
func (s *session) unreadable(err error) error {
	if errors.Is(err, genesys.ErrOutage) && s.outage.failures.Load() >= orgIsDown {
		err = &outageError{err}
	}
	return &readError{err}
}

// patience is how long a request waits for an answer to begin if the request before it failed.
const patience = 10 * time.Second

// errQuiet is the cause with which a request ends that patience ran out for.
var errQuiet = errors.New("nobody answers")

// patient is a RoundTripper that lets the client try a request again as it likes, unless the
// request before failed for good: then a failure is a onceError, which is not tried again.
type patient struct {
	session *session
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	reading, _ := r.Context().Value(readingKey{}).(*reading)
	failed := p.session.outage.failures.Load() > 0 || reading != nil && reading.outage.failures.Load() > 0
	if failed {
		ctx, quiet := context.WithCancelCause(r.Context())
		defer time.AfterFunc(patience, func() { quiet(errQuiet) }).Stop()
		r = r.WithContext(ctx) // it ends with the request's own
	}
	resp, err := p.base.RoundTrip(r)
	switch {
	case err == nil && !isFailure(resp.StatusCode):
		p.session.outage.answered()
		if reading != nil {
			reading.outage.answered()
		}
	case err == nil && failed:
		resp.Body.Close()
		return nil, &onceError{fmt.Errorf("%d, as the request before", resp.StatusCode)}
	case err != nil && failed && (errors.Is(err, genesys.ErrOutage) || errors.Is(context.Cause(r.Context()), errQuiet)):
		return nil, &onceError{err}
	}
	return resp, err
}

// isFailure reports whether a status is one of a service that does not work.
func isFailure(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// onceError is the failure of a request that is not tried again.
type onceError struct{ err error }

func (e *onceError) Error() string { return e.err.Error() }

// Is matches genesys.ErrOutage.
func (e *onceError) Is(target error) bool { return target == genesys.ErrOutage }
