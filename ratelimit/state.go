package ratelimit

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A State is what a limiter knows at one moment, for people and metrics.
type State struct {
	// Limit is the effective limit.
	Limit Limit `json:"limit"`

	// Used is how many slots are taken: by requests in flight, and by those that
	// completed less than a window ago. With a ledger it is what all limiters have
	// taken, as of the last look at it.
	Used int `json:"used"`

	// InFlight is how many of them are requests in flight of this limiter.
	InFlight int `json:"in_flight"`

	// Free is how many requests could be sent at once; math.MaxInt if the limit is
	// unlimited. A freeze holds up these too.
	Free int `json:"free"`

	// NextFree is when the next slot will be free, if none is now. It is zero if
	// one is, or if that depends on requests in flight.
	NextFree time.Time `json:"next_free,omitzero"`

	// Waiting is how many callers wait for a slot, in all and by priority.
	Waiting     int `json:"waiting"`
	Interactive int `json:"interactive"`
	Background  int `json:"background"`

	// Frozen lists what the server has asked to hold back, by key. The empty key
	// stands for all requests and comes first.
	Frozen []Freeze `json:"frozen,omitempty"`
}

// A Freeze is a time in which no requests of a key are sent because of what the
// server said.
type Freeze struct {
	Key   string    `json:"key,omitempty"`
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
		fmt.Fprintf(&b, "; %d interactive and %d background wait", s.Interactive, s.Background)
	}
	for _, f := range s.Frozen {
		key := "all"
		if f.Key != "" {
			key = fmt.Sprintf("key %q", f.Key)
		}
		fmt.Fprintf(&b, "; %s frozen until %s: %s", key, f.Until.Format(time.RFC3339), f.Why)
	}
	return b.String()
}

// State returns the present state.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	s := State{
		Limit:       l.limit,
		InFlight:    l.flights.count,
		Used:        l.flights.count + l.cooling.len(),
		Waiting:     l.waiting,
		Interactive: l.queues[Interactive].n,
		Background:  l.queues[Background].n,
		Frozen:      l.freezes(now),
	}
	for _, k := range l.keys {
		s.Interactive += k.parked[Interactive].n
		s.Background += k.parked[Background].n
	}
	if l.limit.N == 0 {
		s.Free = math.MaxInt
		return s
	}
	var next int64 = never
	if l.cooling.len() > 0 {
		next = l.cooling.at(0) + l.window
	}
	if l.book != nil {
		s.Used, next = l.book.usage(l, now)
	}
	s.Free = max(0, l.limit.N-s.Used)
	if s.Free == 0 && next != never {
		s.NextFree = l.time(next)
	}
	return s
}

func (l *Limiter) freezes(now int64) []Freeze {
	var list []Freeze
	if l.frozen > now {
		list = append(list, Freeze{"", l.time(l.frozen), l.frozenWhy})
	}
	if s := &l.server; s.known && s.count >= max(s.allowed, 1) {
		list = append(list, Freeze{"", l.time(s.end), fmt.Sprintf("the server has counted %d requests of %d", s.count, s.allowed)})
	}
	all := len(list)
	for key, k := range l.keys {
		list = append(list, Freeze{key, l.time(k.until), k.why})
	}
	slices.SortFunc(list[all:], func(a, b Freeze) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// usage returns how many slots are taken by all limiters, by what is known, and
// when one of them is free again.
func (b *book) usage(l *Limiter, now int64) (used int, next int64) {
	c := l.draft(now)
	c.want, c.ahead = 0, 0
	own := l.flights.count + len(b.spent)
	if !b.hasRead {
		return own, never
	}
	a, err := readAccount(b.content, c)
	if err != nil {
		return own, never
	}
	var v verdict
	a.prune(c)
	cooling, total := a.tally(c, &v)
	if h := a.Holders[b.id]; h != nil {
		total -= h.Held
	}
	next = never
	if len(cooling) > 0 {
		next = cooling[0].free*int64(time.Millisecond) - b.anchor
	}
	if b.stock.len() > 0 {
		next = min(next, b.stock.at(0))
	}
	// A slot of the stock that may not be used yet is not free either.
	for i := b.stock.len() - 1; i >= 0 && b.stock.at(i) > now; i-- {
		own++
	}
	return own + int(total), next
}
