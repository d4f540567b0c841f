package ratelimit

import (
	"net/http"
	"strconv"
	"time"
)

// Headers names the response headers in which a server tells its window. All
// three hold whole numbers; a response in which one is missing or is anything
// else tells nothing.
type Headers struct {
	Count   string // requests counted in the window, this one included
	Allowed string // requests allowed in the window
	Reset   string // seconds until the window begins anew
}

// GenesysHeaders returns the names that Genesys Cloud uses.
func GenesysHeaders() Headers {
	return Headers{
		Count:   "Inin-Ratelimit-Count",
		Allowed: "Inin-Ratelimit-Allowed",
		Reset:   "Inin-Ratelimit-Reset",
	}
}

const (
	maxTold   = 1 << 30
	maxFreeze = day // longer ones are taken for mistakes, and cut
)

// read returns what a response tells of the server's window.
func (h *Headers) read(resp *http.Response) (t told, ok bool) {
	count, ok1 := wholeNumber(resp.Header, h.Count)
	allowed, ok2 := wholeNumber(resp.Header, h.Allowed)
	reset, ok3 := wholeNumber(resp.Header, h.Reset)
	return told{
		count:   count,
		allowed: allowed,
		reset:   min(time.Duration(reset)*time.Second, maxFreeze),
		refused: resp.StatusCode == http.StatusTooManyRequests,
	}, ok1 && ok2 && ok3
}

// wholeNumber reads a header that holds digits only. Numbers beyond any sense
// count as the largest that makes sense.
func wholeNumber(from http.Header, name string) (n int, ok bool) {
	if name == "" {
		return 0, false
	}
	s := from.Get(name)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return maxTold, s != ""
	}
	return min(n, maxTold), true
}

// retryAfter returns for how long a response asks to send nothing more, or 0.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	if s, ok := wholeNumber(resp.Header, "Retry-After"); ok {
		return min(time.Duration(s)*time.Second, maxFreeze)
	}
	until, err := http.ParseTime(resp.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		now = sent // a date by the server's clock is compared with the server's clock
	}
	return max(0, min(until.Sub(now), maxFreeze))
}
