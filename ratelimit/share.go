package ratelimit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

const (
	// lease is how long after it has written to the ledger a limiter may start
	// requests. So the slots of a process that is gone are free one day.
	lease = time.Minute

	// ledgerTimeout ends one renewal. It is well below lease.
	ledgerTimeout = 20 * time.Second

	// leap is how far the wall clock may run from the monotonic one at a time.
	leap = time.Second
)

// A share is the part of a limiter in a quota that it shares through a ledger.
//
// The limiter keeps to its grant exactly as one without a ledger keeps to its limit: it takes
// at most so many slots, each of which is free again one window after its request, by its own
// monotonic clock. In addition it starts at most as many requests as it has written down
// ahead. Both hold until the next renewal (renew.go), which is written to the ledger before
// the limiter relies on it.
type share struct {
	ledger Ledger
	id     string // of the holder
	term   int64  // from a renewal until all requests are over that it allows to start
	grant  grant
	open   open
	others others
	seen   map[string]sighting
	clock  serverClock
	wall   int64         // what the wall clock showed at the limiter's base, in Unix nanoseconds
	skew   time.Duration // added to the wall clock, by tests
	demand demand
	renewal
}

// A grant is what a limiter may use.
type grant struct {
	slots  int   // so many may be taken
	starts int   // so many requests may start
	until  int64 // and none from then on, which is one lease after it was drafted
}

// open is how many requests were in flight or might start as the ledger has it, and when they
// are over by themselves.
type open struct {
	n     int
	until int64
}

// others is what the other holders had at the last look at the ledger.
type others struct {
	isKnown bool
	isLive  bool // one of them may give something up at any time
	slots   int
	next    int64 // when they may have less by mere passing of time
}

// A sighting is since when what a holder wrote has been there.
type sighting struct {
	rev   int64
	since int64
}

// demand is how many requests have started, and how many are expected to start soon.
type demand struct {
	starts int   // ever
	before int   // of them, before the last renewal began
	began  int64 // when that was
	ahead  int   // before a renewal after the next can help
}

func newShare(ledger Ledger, hold time.Duration, base time.Time) *share {
	return &share{
		ledger: ledger,
		id:     fmt.Sprintf("%016x", rand.Uint64()),
		term:   int64(lease + hold),
		seen:   map[string]sighting{},
		wall:   base.UnixNano(),
	}
}

// mayStart reports whether a request may start, as far as the ledger knows.
func (s *share) mayStart(now int64) bool { return s.grant.starts > 0 && now < s.grant.until }

// started notes the start of n requests, or of -1 that was never sent.
func (s *share) started(n int) {
	s.grant.starts -= n
	s.demand.starts += n
}

// revoke takes the grant away: whatever the ledger says, it has to be asked anew.
func (s *share) revoke() {
	s.grant = grant{}
	s.epoch++
	s.notBefore, s.lookAt = 0, 0
}

// measure begins a renewal: the requests since the last one tell how many to expect.
func (d *demand) measure(now, horizon int64, limit Limit) {
	perNano := float64(d.starts-d.before) / float64(max(now-d.began, horizon/4, 1))
	d.ahead = max(0, int(min(perNano*float64(horizon), float64(max(4, limit.N/20)))))
	d.before, d.began = d.starts, now
}

// horizon is the time for which a limiter asks ahead: a twentieth of the window, and less
// than a lease.
func (l *Limiter) horizon() int64 {
	return int64(min(l.limit.Window/20, lease/2))
}

// silence is how long a holder has written nothing when nobody makes room for its callers any
// more. Those that wait write more often.
func (l *Limiter) silence() int64 { return 10 * l.horizon() }

// elapsed is how long ago a holder wrote, at least: as long as this limiter has seen it
// unchanged, by its own monotonic clock, or the time that has passed by the server's.
func (s *share) elapsed(id string, h *holder, now int64) int64 {
	var watched int64
	if seen, ok := s.seen[id]; ok && seen.rev == h.Rev {
		watched = now - seen.since
	}
	return max(watched, s.clock.since(h.At, now))
}

// see notes what is new in a record.
func (s *share) see(r *record, now int64) {
	seen := make(map[string]sighting, len(r.Holders))
	for id, h := range r.Holders {
		seen[id] = sighting{h.Rev, now}
		if old, ok := s.seen[id]; ok && old.rev == h.Rev {
			seen[id] = old
		}
	}
	s.seen = seen
}

// weigh looks at the other holders, and removes those of which nothing is left. It returns
// the slots of those that ask for nothing, and how many each of the others could use.
func (l *Limiter) weigh(r *record, now int64) (fixed int, demands []int) {
	s := l.share
	s.others = others{isKnown: true, next: never}
	for id, h := range r.Holders {
		if id == s.id {
			continue
		}
		elapsed := s.elapsed(id, h, now)
		n, less := h.slots(elapsed, int64(l.limit.Window))
		switch isLive := elapsed < l.silence() && h.Open+h.Want > 0; {
		case isLive:
			demands = append(demands, n+h.Want)
			s.others.isLive = true
		case n == 0:
			delete(r.Holders, id)
		default:
			fixed += n
		}
		s.others.slots += n
		s.others.next = min(s.others.next, now+less)
	}
	return fixed, demands
}

// portion decides how many slots this limiter may take beyond those in use, which is less than
// none where the quota is overdrawn, and how many of its own it may use again that will be free
// within the horizon.
//
// While all holders together want more than there is, each is to get the same. One that has
// more gives up slots as they become free: it uses so many of them again that from now on it
// sends no more than any other.
func (l *Limiter) portion(now int64, want, fixed int, demands []int) (grow, soon int, isYielding bool) {
	taken := l.taken()
	grow = l.limit.N - l.share.others.slots - taken
	soon = l.cooling.before(now + l.horizon() - int64(l.limit.Window))
	level := fairLevel(l.limit.N-fixed, append(demands, taken+want))
	fair := math.Floor(level + rand.Float64()) // a part of a slot is had for a part of the time
	switch {
	case math.IsInf(level, 1):
	case float64(taken) <= fair:
		grow = min(grow, int(fair)-taken)
	default:
		had := l.share.grant.slots
		keep := float64(max(0, had-taken)) * level / float64(max(had, 1))
		return min(grow, int(keep+rand.Float64())), 0, true
	}
	return grow, soon, false
}

// wanted is how many slots the callers that wait could use at once.
func (l *Limiter) wanted(now int64) int {
	interactive, background := l.waiters.queues[Interactive].Len(), l.waiters.queues[Background].Len()
	if background > 0 {
		turns := 1 + max(0, int(l.spread.TokensAt(l.time(now))))
		background = min(background, turns) + l.reserve(now, Background) // which has to stay free
	}
	return interactive + background
}

// noticeLeap makes the limiter ask the ledger, and the server for its time, when the wall
// clock has leapt forward: the machine may have slept, and others may take this process for
// dead, although its monotonic clock has stood still. That is all a wall clock is good for here.
func (s *share) noticeLeap(now, wall int64) {
	d := wall + int64(s.skew) - now - s.wall
	if d <= int64(leap) && -d <= int64(leap) {
		return
	}
	s.wall += d
	if d > 0 {
		s.revoke()
		s.clock = serverClock{}
	}
}
