package genesystest

import (
	"net/url"
	"slices"
	"time"
)

// A Request is one that the org received.
type Request struct {
	Time   time.Time
	Method string
	Path   string // without the query, unescaped
	Query  url.Values
	Status int    // of the answer; 0 when the connection was broken
	Token  int    // number of its token, from 1 in the order of minting; 0 without a known one
	Type   string // name of the object type it was for, if any
	Fault  string // name of the fault that it met, if any
}

// Stats are counts since the org was made.
type Stats struct {
	Requests     int // of the API; token requests not included
	Tokens       int // minted
	Throttled    int // answered with 429
	MaxPerMinute int // the most requests of one token that arrived within any 60 seconds
}

type requestLog struct {
	limit    int
	requests []Request
	stats    Stats
}

func (l *requestLog) add(r Request) {
	if len(l.requests) >= 2*l.limit {
		l.requests = slices.Clone(l.requests[len(l.requests)-l.limit:])
	}
	l.requests = append(l.requests, r)
}

// Requests returns the latest requests, token requests included, oldest first.
func (o *Org) Requests() []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.log.requests
	return slices.Clone(r[max(0, len(r)-o.log.limit):])
}

// ClearRequests empties the log of requests. The counts of Stats go on.
func (o *Org) ClearRequests() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log.requests = nil
}

// Stats returns the counts so far.
func (o *Org) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.log.stats
	s.Tokens = o.access.minted
	for _, t := range o.access.tokens {
		s.MaxPerMinute = max(s.MaxPerMinute, t.rolling.most)
	}
	return s
}
