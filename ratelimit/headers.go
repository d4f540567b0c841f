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

const maxTold = 1 << 30

// read returns what a response tells of the server's window, of which no more than
// the time given is believed.
func (h *Headers) read(resp *http.Response, most time.Duration) (t told, ok bool) {
	count, ok1 := wholeNumber(resp.Header, h.Count)
	allowed, ok2 := wholeNumber(resp.Header, h.Allowed)
	seconds, ok3 := wholeNumber(resp.Header, h.Reset)
	reset := time.Duration(seconds) * time.Second
	return told{
		count:   count,
		allowed: allowed,
		reset:   min(reset, most),
		isCut:   reset > most,
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

// retryAfter returns for how long an answer asks to send nothing more, or 0. A date is
// compared with the clock of the server that wrote it, and means nothing without it.
func retryAfter(h http.Header) time.Duration {
	if s, ok := wholeNumber(h, "Retry-After"); ok {
		return time.Duration(s) * time.Second
	}
	until, err := http.ParseTime(h.Get("Retry-After"))
	if err != nil {
		return 0
	}
	sent, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, until.Sub(sent))
}
