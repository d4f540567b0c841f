package ratelimit

import (
	"time"

	"golang.org/x/time/rate"
)

// A spread spreads background requests evenly over the window. Without a rate
// limiter it spreads nothing.
type spread struct {
	rate   *rate.Limiter
	unused int // tokens that were given back
}

func newSpread(limit Limit, burst int) spread {
	if limit.N == 0 || burst <= 0 {
		return spread{}
	}
	return spread{rate: rate.NewLimiter(rate.Limit(float64(limit.N)/limit.Window.Seconds()), burst)}
}

// take takes a token for a request, if there is one.
func (s *spread) take(now time.Time) bool {
	if s.rate == nil {
		return true
	}
	if s.unused > 0 {
		s.unused--
		return true
	}
	return s.rate.AllowN(now, 1)
}

// giveBack returns the token of a request that was never sent.
func (s *spread) giveBack() {
	if s.rate != nil {
		s.unused++
	}
}

// ready is how many of n requests could go at once, the next one among them.
func (s *spread) ready(now time.Time, n int) int {
	if s.rate == nil {
		return n
	}
	return min(n, s.unused+1+max(0, int(s.rate.TokensAt(now))))
}

// wait returns how long it takes until there is a token for the request after
// the next k ones.
func (s *spread) wait(now time.Time, k int) int64 {
	if s.rate == nil {
		return 0
	}
	missing := float64(k+1-s.unused) - s.rate.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	wait := missing / float64(s.rate.Limit()) * float64(time.Second)
	return int64(wait) + int64(time.Microsecond) // its float64 may round down
}
