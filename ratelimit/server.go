package ratelimit

import (
	"net/http"
	"time"
)

// The response headers in which Genesys Cloud tells its window. All three hold whole numbers;
// a response in which one is missing, or is anything else, tells nothing.
const (
	countHeader   = "Inin-Ratelimit-Count"   // requests counted in the window, this one included
	allowedHeader = "Inin-Ratelimit-Allowed" // requests allowed in the window
	resetHeader   = "Inin-Ratelimit-Reset"   // seconds until the window begins anew
)

// A told is what one response says about the server's own window.
type told struct {
	count   int
	allowed int
	reset   time.Duration // from the response until the window begins anew
}

// readWindow returns what a response tells of the server's window, of which no more than the
// time given is believed.
func readWindow(h http.Header, most time.Duration) (t told, ok bool) {
	count, ok1 := wholeNumber(h, countHeader)
	allowed, ok2 := wholeNumber(h, allowedHeader)
	seconds, ok3 := wholeNumber(h, resetHeader)
	reset := min(time.Duration(seconds)*time.Second, most)
	return told{count, allowed, reset}, ok1 && ok2 && ok3
}

// coarse is the grain of the instants a server tells: it counts whole seconds, and does not
// say whether it rounds up or down.
const coarse = int64(time.Second)

// A serverWindow follows the window a server tells of in its responses. It has room for as
// many requests as the server allows, less those that it has counted and those on their way.
// What one response tells is never forgotten before the window is over, so that late responses
// loosen nothing. The zero serverWindow is one of which nothing is known.
type serverWindow struct {
	end     int64 // the latest instant at which it may end; 0: the server has told nothing of it
	allowed int
	count   int // the highest count told
	own     int // the most of count that can be requests of this limiter
}

// hasRoom reports whether one more request fits, where others are on their way.
func (s *serverWindow) hasRoom(inFlight int) bool {
	return s.end == 0 || s.count+inFlight < s.allowed
}

// roll forgets a window that is over. It reports whether other clients were seen in it, or it
// was full: then there may be less room in the next one than there seems.
func (s *serverWindow) roll(now int64, inFlight int) (isTight bool) {
	if s.end == 0 || now < s.end {
		return false
	}
	isTight = s.count > s.own || !s.hasRoom(inFlight)
	*s = serverWindow{own: inFlight}
	return isTight
}

// tell takes in a response that arrived now to a request sent at sent, one of those in flight.
func (s *serverWindow) tell(sent, now int64, inFlight int, t told) {
	earliest, latest := sent+int64(t.reset)-coarse, now+int64(t.reset)+coarse
	switch {
	case s.end == 0:
		s.end, s.allowed, s.count = latest, t.allowed, t.count
	case earliest > s.end: // it is the next window already
		*s = serverWindow{latest, t.allowed, t.count, inFlight}
	default:
		s.end, s.allowed = max(s.end, latest), min(s.allowed, t.allowed)
		s.count = max(s.count, t.count)
	}
}
