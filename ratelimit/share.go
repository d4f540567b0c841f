package ratelimit

import (
	"math"
	"math/rand/v2"
	"time"
)

// A limiter starts no request later than grantTerm after it has written to the ledger. So the slots
// of a process that is gone become free.
const grantTerm = time.Minute

// A share is what one limiter has of the quota: what its grant says. Without a ledger, or
// without a limit, the grant is all there is, for ever.
//
// With a ledger the limiter takes at most so many slots as its grant says, each of
// which is free again one window after its request, by its own monotonic clock. In addition it
// starts at most as many requests as it has announced in the ledger. Both hold until the next
// renewal (renew.go), which is written to the ledger before the limiter relies on it.
type share struct {
	id     string // of the holder
	starts int    // requests that have started, ever
	grant  grant
	open   int // requests that were in flight or might start, as the ledger has it
	others others
	seen   map[entry]int64 // since when what a holder wrote has been there
	clock  serverClock
	wall   int64         // what the wall clock showed at the limiter's base, in Unix nanoseconds
	skew   time.Duration // added to the wall clock, by tests
	renewal
}

// A grant is what a limiter may use.
type grant struct {
	slots int   // so many may be taken
	upTo  int   // so many requests may have started, ever
	until int64 // and none from then on, which is one grantTerm after it was drafted
}

// others is what the other holders had at the last look at the ledger.
type others struct {
	isKnown bool
	isLive  bool // one of them may give something up at any time
	slots   int
	next    int64 // when they may have less by mere passing of time
}

// An entry is what a holder has written at one time.
type entry struct {
	id  string
	rev int64
}

// startsLeft is how many requests may start, as far as the ledger knows.
func (s *share) startsLeft(now int64) int {
	if now >= s.grant.until {
		return 0
	}
	return max(0, s.grant.upTo-s.starts)
}

// revoke takes the grant away, and the one that is on its way: whatever the ledger says, it has
// to be asked anew. Where there is none to be asked, the grant is all there is.
func (l *Limiter) revoke() {
	s := &l.share
	s.grant, s.drafted = grant{}, grant{until: s.drafted.until}
	s.notBefore, s.lookAt = 0, 0
	if l.limit.N == 0 {
		s.grant = grant{math.MaxInt, math.MaxInt, never}
	} else if l.opts.Ledger == nil {
		s.grant, s.others = grant{l.limit.N, math.MaxInt, never}, others{isKnown: true, next: never}
	}
}

// horizon is the time for which a limiter asks ahead: a twentieth of the window, and less
// than a grantTerm.
func (l *Limiter) horizon() int64 { return int64(min(l.limit.Window/20, grantTerm/2)) }

// term is how long after a renewal all requests are over that it allows to start.
func (l *Limiter) term() int64 { return int64(grantTerm + l.opts.HoldTimeout) }

// see finds out how long ago each holder wrote, at least: as long as this limiter has seen it
// unchanged, by its own monotonic clock, or the time that has passed by the server's.
func (s *share) see(r *record, now int64) {
	seen := make(map[entry]int64, len(r.Holders))
	for id, h := range r.Holders {
		e := entry{id, h.Rev}
		since, ok := s.seen[e]
		if !ok {
			since = now
		}
		seen[e] = since
		h.elapsed = max(now-since, s.clock.since(h.At, now))
	}
	s.seen = seen
}

// weigh looks at the other holders, and removes those of which nothing is left. It returns
// the slots of those that ask for nothing, and how many each of the others could use. Who has
// been silent for long asks for nothing: those whose callers wait write more often.
func (l *Limiter) weigh(r *record, now int64) (fixed int, demands []int) {
	all := others{isKnown: true, next: never}
	for id, h := range r.Holders {
		if id == l.share.id {
			continue
		}
		n, less := h.slots(int64(l.limit.Window))
		switch isLive := h.elapsed < 10*l.horizon() && h.Open+h.Want > 0; {
		case isLive:
			demands = append(demands, n+h.Want)
			all.isLive = true
		case n == 0:
			delete(r.Holders, id)
		default:
			fixed += n
		}
		all.slots += n
		all.next = min(all.next, now+less)
	}
	l.share.others = all
	return fixed, demands
}

// portion decides how many slots this limiter may take beyond those in use, negative
// where the quota is overdrawn, and how many of its own, which will be free within the horizon, it
// may use again.
//
// While all holders together want more than there is, each is to get the same. One that has
// more gives up slots as they become free: it uses so many of them again that from now on it
// sends no more than any other.
func (l *Limiter) portion(now int64, want, fixed int, demands []int) (grow, soon int, isYielding bool) {
	taken := l.taken()
	grow = l.limit.N - l.share.others.slots - taken
	soon = l.cooling.before(now + l.horizon() - int64(l.limit.Window))
	level := fairLevel(l.limit.N-fixed, append(demands, taken+want))
	fair := math.Floor(level + rand.Float64()) // rounded at random, so that fractions even out
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

// noticeLeap makes the limiter ask the ledger, and the server for its time, when the wall
// clock has leapt forward: the machine may have slept, and others may take this process for
// dead, although its monotonic clock has stood still. That is all a wall clock is good for here.
func (l *Limiter) noticeLeap(now, wall int64) {
	const leap = int64(time.Second) // how far it may run from the monotonic clock at a time
	s := &l.share
	d := wall + int64(s.skew) - now - s.wall
	if d <= leap && -d <= leap {
		return
	}
	s.wall += d
	if d > 0 {
		l.revoke()
		s.clock = serverClock{}
	}
}
