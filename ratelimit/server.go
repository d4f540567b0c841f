package ratelimit

import "time"

// A told is what one response says about the server's own window.
type told struct {
	count   int           // requests it has counted, this one included
	allowed int           // its ceiling
	reset   time.Duration // from the response until it begins anew
	isCut   bool          // reset is less than the response said
	refused bool          // the request was
}

// coarse is the grain of the instants a server tells: it counts whole seconds,
// and does not say whether it rounds up or down.
const coarse = time.Second

// A serverWindow follows the window a server tells of in its responses: it has
// room for allowed less count requests until it resets. What one response tells
// is never forgotten before the reset, so that late responses loosen nothing.
//
// The window that follows is assumed to be as long and as large, and empty,
// until a response tells otherwise. Where others use the quota too, the first
// request of a window goes alone: its answer tells what they took.
type serverWindow struct {
	known   bool // the server has told of a window
	isCut   bool // it ends later than end says
	assumed bool // the present one is an assumption
	allowed int
	count   int   // the highest count told
	blind   int   // requests that ended without an answer and may not be in count
	blindAt int64 // when the last of them ended
	end     int64 // the latest instant at which it may end
	length  int64 // the longest reset told
	own     int   // the most of count that can be this limiter's requests
	wary    int   // windows in which to expect other clients
	probe   bool  // one request at a time until the first answer
}

// room reports whether one more request fits, where unanswered requests are on
// the way.
func (s *serverWindow) room(unanswered int) bool {
	if !s.known {
		return true
	}
	if s.probe && unanswered > 0 {
		return false
	}
	allowed := s.allowed
	if s.assumed {
		allowed = max(allowed, 1) // or no answer would ever tell otherwise
	}
	return s.count+s.blind+unanswered < allowed
}

// waryFor is for how many windows others are expected after they were seen.
const waryFor = 60

// roll begins the next window when the present one is over.
func (s *serverWindow) roll(now int64, unanswered int) {
	if !s.known || now < s.end {
		return
	}
	s.probe = s.wary > 0 || s.isCut && s.count >= s.allowed
	s.wary = max(0, s.wary-1)
	s.assumed, s.count, s.blind, s.own = true, 0, 0, unanswered
	s.end = now + s.length + int64(coarse)
}

// tell takes in a response that arrived now to a request sent at sent.
func (s *serverWindow) tell(sent, now int64, unanswered int, t told) {
	earliest := sent + int64(t.reset-coarse)
	latest := now + int64(t.reset+coarse)
	if sent >= s.blindAt {
		s.blind = 0 // the server counted them before this request, if at all
	}
	switch {
	case !s.known:
		s.known = true
		s.allowed, s.count, s.end = t.allowed, t.count, latest
	case earliest > s.end:
		s.allowed, s.count, s.end = t.allowed, t.count, latest
		s.own = unanswered + 1
	case s.assumed:
		s.allowed, s.count, s.end = t.allowed, max(s.count, t.count), latest
	default:
		s.allowed, s.count, s.end = min(s.allowed, t.allowed), max(s.count, t.count), max(s.end, latest)
	}
	s.assumed, s.probe, s.isCut = false, false, t.isCut
	s.length = max(s.length, int64(t.reset))
	if s.count > s.own || t.refused {
		s.wary = waryFor
	}
}

// missed takes in a request that ended without an answer.
func (s *serverWindow) missed(now int64) {
	if s.known {
		s.blind++
		s.blindAt = now
		s.probe = false
	}
}
