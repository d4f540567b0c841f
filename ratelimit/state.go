package ratelimit

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/printable"
)

// A State is what a limiter knows at one moment, for people and metrics.
type State struct {
	// Limit is the effective limit.
	Limit Limit `json:"limit"`

	// Used is how many slots are taken: by requests in flight, and by those that
	// completed less than a window ago. With a ledger those of other processes count
	// as well, as of the last look at it.
	Used int `json:"used"`

	// InFlight is how many of them are requests in flight of this limiter.
	InFlight int `json:"in_flight"`

	// Free is how many requests could be sent at once; math.MaxInt if the limit is
	// unlimited. A freeze holds up these too.
	Free int `json:"free"`

	// NextFree is when the next slot will be free, if none is now. It is zero if
	// one is, or if that depends on requests in flight.
	NextFree time.Time `json:"next_free,omitzero"`

	// Waiting is how many callers wait for a slot.
	Waiting int `json:"waiting"`

	// Frozen lists what the server has asked to hold back, by route. The empty route
	// stands for all requests and comes first. See [Limiter.Thaw].
	Frozen []Freeze `json:"frozen,omitempty"`
}

// A Freeze is a time in which no requests of a route are sent because of what the server said.
type Freeze struct {
	// Route is a method and a path such as "GET /api/v2/queues/*/members", in which
	// "*" stands for an identifier. Empty: all requests.
	Route string    `json:"route,omitempty"`
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
}

// String explains in one line what is left, who waits, for what and until when.
func (s State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d used, %d in flight", s.Limit, s.Used, s.InFlight)
	if s.Limit.N > 0 {
		fmt.Fprintf(&b, ", %d free", s.Free)
	}
	if !s.NextFree.IsZero() {
		fmt.Fprintf(&b, ", next at %s", s.NextFree.Format(time.RFC3339))
	}
	if s.Waiting > 0 {
		fmt.Fprintf(&b, "; %d wait", s.Waiting)
	}
	for _, f := range s.Frozen {
		what := cmp.Or(f.Route, "all")
		fmt.Fprintf(&b, "; %s frozen until %s: %s", what, f.Until.Format(time.RFC3339), f.Why)
	}
	return printable.Text(b.String())
}

// State returns the present state.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	s := State{
		Limit:    l.limit,
		InFlight: l.inFlight.n,
		Used:     l.taken(),
		Waiting:  l.waiters.n(),
	}
	for route, z := range l.freezes {
		if z.until > now {
			s.Frozen = append(s.Frozen, Freeze{route, l.time(z.until), z.why})
		}
	}
	slices.SortFunc(s.Frozen, func(a, b Freeze) int { return strings.Compare(a.Route, b.Route) })
	if l.limit.N == 0 {
		s.Free = math.MaxInt
		return s
	}
	next := l.share.others.next
	if l.cooling.n > 0 {
		next = min(next, l.cooling.at(0)+int64(l.limit.Window))
	}
	s.Used += l.share.others.slots
	s.Free = max(0, l.limit.N-s.Used)
	if s.Free == 0 && next != never {
		s.NextFree = l.time(next)
	}
	return s
}
