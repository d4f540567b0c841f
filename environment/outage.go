package environment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// What an outage of the org costs. A request that fails for good has been tried for about a
// minute. If the org is down, the next one would fail in the same way, and a pass over 500 objects
// would take a working day. So failures are counted, in each pass and in each session: after one,
// requests are tried once only, until one is answered; after three in a row the pass ends.
//
// A call that fails says nothing about the others. An import, which otherwise goes on past a type
// that fails, only ends once requests of two passes have failed and none was answered in between.
// And a call whose limit is used up (429) is no outage at all: it ends its own pass, soon, because
// each of its requests would wait as long as the org asks.

// outage counts the requests in a row that failed for good.
type outage struct {
	mu       sync.Mutex
	failures int
	first    *reading // whose request failed first; nil for one that belongs to none
	spread   bool     // those of another one failed, too
}

// orgIsDown is how many failures in a row are the org's, and not those of what was asked for.
const orgIsDown = 3

// answered ends the outage.
func (o *outage) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures = 0
}

// failed notes a failure of a reading, and returns how many there are in a row.
func (o *outage) failed(r *reading) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failures++; o.failures == 1 {
		o.first, o.spread = r, false
	}
	o.spread = o.spread || o.first != r
	return o.failures
}

// isOn reports whether the request before failed.
func (o *outage) isOn() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failures > 0
}

// isOfOrg reports whether no call of the org seems to work.
func (o *outage) isOfOrg() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failures >= orgIsDown && o.spread
}

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
	r, _ := ctx.Value(readingKey{}).(*reading)
	if !isLimited(err) {
		s.outage.failed(r)
	}
	if r != nil && r.outage.failed(r) >= orgIsDown {
		return s.unreadable(err)
	}
	return nil
}

// isLimited reports whether a request failed because a limit of the org is used up.
func isLimited(err error) bool {
	if once, ok := errors.AsType[*onceError](err); ok {
		return once.status == http.StatusTooManyRequests
	}
	answer, ok := errors.AsType[*genesys.APIError](err)
	return ok && answer.Status == http.StatusTooManyRequests
}

// unreadable is the error of a request without which there is nothing to read, such as the first
// page of a list.
func (s *session) unreadable(err error) error {
	if errors.Is(err, genesys.ErrOutage) && !isLimited(err) && s.outage.isOfOrg() {
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
	failed := p.session.outage.isOn() || reading != nil && reading.outage.isOn()
	if failed {
		ctx, quiet := context.WithCancelCause(r.Context())
		defer time.AfterFunc(patience, func() { quiet(errQuiet) }).Stop()
		r = r.WithContext(ctx) // it ends with the request's own
	}
	resp, err := p.base.RoundTrip(r)
	if err != nil {
		if failed && (errors.Is(err, genesys.ErrOutage) || errors.Is(context.Cause(r.Context()), errQuiet)) {
			err = &onceError{err: err}
		}
		return nil, err
	}
	if !isFailure(resp.StatusCode) {
		p.session.outage.answered()
		if reading != nil && resp.StatusCode != http.StatusTooManyRequests {
			reading.outage.answered()
		}
	}
	if failed && isFailure(resp.StatusCode) {
		return nil, once(resp)
	}
	return resp, nil
}

// isFailure reports whether a status is one of a service that does not work.
func isFailure(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// onceError is the failure of a request that is not tried again.
type onceError struct {
	err    error
	status int // of the answer; 0 without one
}

// once returns the error that stands for an answer, which it closes.
func once(resp *http.Response) error {
	_ = resp.Body.Close()
	return &onceError{fmt.Errorf("%d, as the request before", resp.StatusCode), resp.StatusCode}
}

func (e *onceError) Error() string { return e.err.Error() }

// Is matches genesys.ErrOutage.
func (e *onceError) Is(target error) bool { return target == genesys.ErrOutage }
