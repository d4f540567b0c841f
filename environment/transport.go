package environment

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cxsync/cxsync/ratelimit"
)

// RoundTrippers around the limiter, and what they keep for each pass; session.connect says in which
// order they are.

// A reading is what the requests of one pass, or of one reading of the audits, have in common. It
// travels in their context.
type reading struct {
	requests atomic.Int64            // how many got a slot of the quota
	outage   outage                  // failures in a row within this pass
	stop     context.CancelCauseFunc // ends the pass
}

type readingKey struct{}

// withReading returns a context for the requests of one pass.
func withReading(ctx context.Context) (context.Context, *reading) {
	r := new(reading)
	ctx, r.stop = context.WithCancelCause(ctx)
	return context.WithValue(ctx, readingKey{}, r), r
}

// dated lets the limiter see the date of a login, which comes before the first request
// that counts: after a restart it tells how much of the quota is free by now.
type dated struct {
	limiter *ratelimit.Limiter
	base    http.RoundTripper
}

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	resp, err := d.base.RoundTrip(r)
	if err == nil {
		d.limiter.ObserveDate(resp, sent)
	}
	return resp, err
}

// counting counts the requests of a reading; it is below the limiter, so retries count and requests
// that got no slot do not.
type counting struct{ base http.RoundTripper }

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if reading, ok := r.Context().Value(readingKey{}).(*reading); ok {
		reading.requests.Add(1)
	}
	return c.base.RoundTrip(r)
}

// punctual ends what could only wait. A reading whose next request would come after the caller's
// deadline ends as by the deadline itself: it says nothing about the org. And where one request of
// a reading has failed, the next whose limit is used up is not tried again. It is above the
// limiter, which learns from each answer.
type punctual struct{ base http.RoundTripper }

func (p punctual) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.base.RoundTrip(r)
	reading, ok := r.Context().Value(readingKey{}).(*reading)
	if ok && tooLate(err) {
		reading.stop(err)
	}
	if ok && err == nil && resp.StatusCode == http.StatusTooManyRequests && reading.outage.isOn() {
		return nil, once(resp)
	}
	return resp, err
}

// tooLate reports whether a request was not sent because the quota has no slot
// for it before the caller's deadline.
func tooLate(err error) bool {
	_, ok := errors.AsType[*ratelimit.DeadlineError](err)
	return ok
}
