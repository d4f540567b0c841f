package environment

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A RequestEvent tells of one try of a request, logins included.
type RequestEvent struct {
	Environment int64  // its ID
	Name        string // of the environment
	Method      string
	Host        string
	Status      int           // of the answer; 0 without one
	Took        time.Duration // until the answer began
	Err         error         // why there is no answer
}

// A Traffic counts the requests of an environment over the last 24 hours that this process sent, by
// the clock of this machine.
type Traffic struct {
	Began    time.Time        `json:"began"`    // nothing is known of before
	Quarters []TrafficQuarter `json:"quarters"` // those with requests, the oldest first
}

// A TrafficQuarter counts the requests of a quarter of an hour.
type TrafficQuarter struct {
	Start     time.Time `json:"start"`
	Requests  int       `json:"requests"`  // tries that reached the network; logins do not count
	Throttled int       `json:"throttled"` // of them answered 429
}

// Traffic returns what an environment has asked of its org in the last 24 hours.
func (e *Engine) Traffic(ctx context.Context, id int64) (Traffic, error) {
	if _, err := e.Get(ctx, id); err != nil {
		return Traffic{}, err
	}
	s, err := e.session(ctx, id)
	if err != nil {
		return Traffic{}, err
	}
	return s.traffic.since(time.Now()), nil
}

const (
	quarter  = 15 * time.Minute
	quarters = int64(24 * time.Hour / quarter)
)

// traffic counts requests in a ring with a place for each quarter of an hour of the day, so that it
// takes the same memory for ever. A place whose start is older than a day is free. It outlives the
// session, whose record may change often.
type traffic struct {
	began time.Time

	mu   sync.Mutex
	ring [quarters]TrafficQuarter
}

// add counts an answer with that status, 0 if there was none.
func (c *traffic) add(now time.Time, status int) {
	start := now.UTC().Truncate(quarter)
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.ring[start.Unix()/int64(quarter/time.Second)%quarters]
	if !q.Start.Equal(start) {
		*q = TrafficQuarter{Start: start}
	}
	q.Requests++
	if status == http.StatusTooManyRequests {
		q.Throttled++
	}
}

func (c *traffic) since(now time.Time) Traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := Traffic{Began: c.began, Quarters: []TrafficQuarter{}}
	newest := now.UTC().Truncate(quarter)
	for i := range quarters {
		start := newest.Add(-time.Duration(quarters-1-i) * quarter)
		if q := c.ring[start.Unix()/int64(quarter/time.Second)%quarters]; q.Start.Equal(start) && q.Requests > 0 {
			t.Quarters = append(t.Quarters, q)
		}
	}
	return t
}

// watched is a RoundTripper that calls Options.Requested for each request and counts it in traffic.
type watched struct {
	session *session
	traffic *traffic // nil for logins, which take nothing of the quota
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := w.base.RoundTrip(r)
	e := RequestEvent{
		Environment: w.session.record.ID, Name: w.session.record.Name, Method: r.Method, Host: r.URL.Host, Took: time.Since(began), Err: err,
	}
	if err == nil {
		e.Status = resp.StatusCode
	}
	if w.traffic != nil {
		w.traffic.add(time.Now(), e.Status)
	}
	if w.session.engine.opts.Requested != nil {
		w.session.engine.opts.Requested(r.Context(), e)
	}
	return resp, err
}
