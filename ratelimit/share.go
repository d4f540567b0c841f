package ratelimit

import (
	"fmt"
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
// The limiter keeps to its grant exactly as one without a ledger keeps to its limit:
// it takes at most so many slots, each of which is free again one window after its
// request, by its own monotonic clock. In addition it starts at most as many requests
// as it has written down ahead. Both hold until the next renewal, which is written to
// the ledger before the limiter relies on it (renew.go).
type share struct {
	ledger  Ledger
	id      string // of the holder
	term    int64  // from a renewal until all requests are over that it allows to start
	grant   grant
	others  others
	seen    map[string]sighting
	clock   serverClock
	wall    wallClock
	demand  demand
	look    look
	rest    rest
	renewal renewal
}

// A grant is what a limiter may use.
type grant struct {
	slots  int   // so many may be taken
	starts int   // so many requests may start
	until  int64 // and none from then on
}

// look is when a renewal makes sense again that could give more.
type look struct {
	starts int64
	slots  int64
}

// others is what the other holders had at the last look at the ledger.
type others struct {
	isKnown bool
	isLive  bool // one of them may give something up at any time
	count   int
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
	started int   // ever
	ahead   int   // before a renewal after the next can help
	used    int   // since began
	began   int64 // when the last renewal did
	latency int64 // of that renewal
}

func newShare(ledger Ledger, hold time.Duration, base time.Time) *share {
	return &share{
		ledger: ledger,
		id:     fmt.Sprintf("%016x", rand.Uint64()),
		term:   int64(lease + hold),
		seen:   map[string]sighting{},
		wall:   wallClock{anchor: base.UnixNano()},
	}
}

// full is what a holder stands for that nobody can read.
func (s *share) full() *holder {
	return &holder{Share: maxCount, Open: maxCount, Term: milli(s.term) + 1}
}

// mayStart reports whether a request may start, as far as the ledger knows.
func (s *share) mayStart(now int64) bool { return s.grant.starts > 0 && now < s.grant.until }

func (s *share) start() {
	s.grant.starts--
	s.demand.started++
	s.demand.used++
	s.rest.isActive = true
}

// undoStart takes back the start of a request that was never sent.
func (s *share) undoStart() {
	s.grant.starts++
	s.demand.started--
}

// revoke takes the grant away: whatever the ledger says, it has to be asked anew.
func (s *share) revoke() {
	s.grant = grant{}
	s.renewal.epoch++
	s.look = look{}
}

// lookBy makes the next renewal possible at an instant.
func (s *share) lookBy(at int64) {
	s.look.starts, s.look.slots = min(s.look.starts, at), min(s.look.slots, at)
}

// elapsed is how long ago a holder wrote, at least, in milliseconds: as long as this
// limiter has seen it unchanged, by its own monotonic clock, or the time that has
// passed by the server's.
func (s *share) elapsed(id string, h *holder, now int64) int64 {
	var watched int64
	if seen, ok := s.seen[id]; ok && seen.rev == h.Rev {
		watched = (now - seen.since) / int64(time.Millisecond)
	}
	return max(watched, s.clock.since(h.At, now))
}

// see notes what is new in a record.
func (s *share) see(r *record, now int64) {
	for id, h := range r.Holders {
		if seen, ok := s.seen[id]; !ok || seen.rev != h.Rev {
			s.seen[id] = sighting{h.Rev, now}
		}
	}
	for id := range s.seen {
		if r.Holders[id] == nil {
			delete(s.seen, id)
		}
	}
}

// weigh looks at the other holders, and removes those of which nothing is left. It
// returns the slots of those that ask for nothing, and how many the others could use.
func (s *share) weigh(r *record, now int64, limit Limit) (fixed int, demands []int) {
	s.others = others{isKnown: true, next: never}
	window := limit.Window.Milliseconds()
	for id, h := range r.Holders {
		if id == s.id {
			continue
		}
		elapsed := s.elapsed(id, h, now)
		isLive := elapsed < limit.silence().Milliseconds() && id != unreadable
		n := h.slots(elapsed, window)
		switch {
		case isLive:
			demands = append(demands, n+h.Want)
		case n == 0:
			delete(r.Holders, id)
			continue
		default:
			fixed += n
		}
		s.others.count++
		s.others.slots += n
		s.others.isLive = s.others.isLive || isLive
		if in := h.shrinksIn(elapsed, window); in < never/int64(time.Millisecond) {
			s.others.next = min(s.others.next, now+in*int64(time.Millisecond))
		}
	}
	return fixed, demands
}

// horizon is the time for which a limiter asks ahead: a twentieth of the window, but
// some renewals at least, and less than a lease.
func (l *Limiter) horizon() int64 {
	d := min(max(l.limit.Window/20, time.Second), lease/4)
	return min(max(int64(d), 4*l.share.demand.latency), int64(lease/2))
}

// measure begins a renewal: the requests since the last one tell how many to expect.
func (d *demand) measure(now, horizon int64, limit Limit) {
	perNano := float64(d.used) / float64(max(now-d.began, horizon/4))
	d.ahead = int(min(perNano*float64(horizon), float64(max(4, limit.N/20))))
	d.used, d.began = 0, now
}

// silence is how long a holder has written nothing when nobody makes room for its
// callers any more. Those that wait write more often.
func (l Limit) silence() time.Duration { return min(max(l.Window/2, 30*time.Second), 5*time.Minute) }

// pollEvery is how long to wait before looking whether others have given something up:
// a second, and twice as long after each look in vain, up to a thirtieth of the window.
func (l *Limiter) pollEvery() int64 {
	s := l.share
	d := min(time.Second<<s.renewal.polls, max(l.limit.Window/30, time.Second), time.Minute)
	s.renewal.polls = min(s.renewal.polls+1, 10)
	return int64(d)/2 + rand.Int64N(int64(d))
}

// wanted is how many slots the callers that wait could use at once.
func (l *Limiter) wanted(now int64) int {
	if l.freezes.endsAt(now, "") > now || !l.server.room(l.inFlight.unanswered()) {
		return 0
	}
	background := l.waiters.queues[Background].n
	if background > 0 {
		background = l.spread.ready(l.time(now), background) + l.reserve(now, Background) // which has to stay free
	}
	return l.waiters.queues[Interactive].n + background
}

// supply starts a renewal if one is needed, and returns when to see to it again.
func (l *Limiter) supply(now int64) (again int64) {
	s := l.share
	if s.renewal.busy != nil || l.limit.N == 0 {
		return never
	}
	starts, slots := s.grant.starts, s.grant.slots-l.taken()
	if now >= s.grant.until {
		starts = 0
	}
	again = never
	wanted := l.wanted(now)
	if wanted > starts || s.demand.ahead > 0 && starts <= s.demand.ahead/2 {
		again = s.look.starts
	}
	if wanted > slots {
		again = min(again, s.look.slots)
	}
	if again > now {
		if l.inFlight.count > 0 { // one of which nobody reports the end
			again = min(again, l.inFlight.oldest+int64(l.opts.HoldTimeout))
		}
		return again
	}
	l.startRenewal(now, false)
	return never
}

// A wallClock notices that the machine has slept: others may take this process for
// dead by then, although its monotonic clock has stood still.
type wallClock struct {
	anchor int64         // Unix nanoseconds at the limiter's base
	skew   time.Duration // added to the wall clock, by tests
}

// noticeLeap makes the limiter ask the ledger, and the server for its time, when the
// wall clock has leapt forward. That is all a wall clock is good for here.
func (s *share) noticeLeap(now, wall int64) {
	d := wall + int64(s.wall.skew) - now - s.wall.anchor
	if d <= int64(leap) && -d <= int64(leap) {
		return
	}
	s.wall.anchor += d
	if d > 0 {
		s.revoke()
		s.clock = serverClock{}
	}
}
