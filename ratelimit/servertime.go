package ratelimit

import (
	"net/http"
	"time"
)

// A serverClock tells the server's time, from the Date of its last answer and the monotonic
// time since. It is what lasts over a restart: the time that has passed since another process
// wrote something is the difference of the server's time then and now.
type serverClock struct {
	isKnown     bool
	early, late int64 // at an instant t of the limiter, it is t+early to t+late, in Unix nanoseconds
}

const (
	dateGrain = int64(time.Second) // a Date is cut to whole seconds
	dateSlack = int64(time.Second) // the servers of one service may differ by as much
)

// hear takes in the Date of an answer to a request sent at sent and answered now. It reports
// whether the time was unknown before.
func (c *serverClock) hear(h http.Header, sent, now int64) bool {
	if h.Get("Age") != "" {
		return false // a cache repeats an answer of long ago
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return false
	}
	wasKnown := c.isKnown
	at := date.UnixNano()
	*c = serverClock{true, at - now - dateSlack, at - sent + dateGrain + dateSlack}
	return !wasKnown
}

// latest returns the server's time at the latest, or 0.
func (c *serverClock) latest(now int64) int64 {
	if !c.isKnown {
		return 0
	}
	return now + c.late
}

// since returns for how long at least it has been later than a time that latest returned, in
// this process or another.
func (c *serverClock) since(at, now int64) int64 {
	if !c.isKnown || at == 0 {
		return 0
	}
	return max(0, now+c.early-at)
}

// ObserveDate takes in the server's time from an answer that took no slot, such as one of its
// login service, to a request that was sent at the time given. A limiter with a ledger needs
// the server's time after a restart: before the first answer it uses only what nobody can have
// used before. The answers that [Limiter.Transport] sees tell it as well.
func (l *Limiter) ObserveDate(resp *http.Response, sent time.Time) {
	if l.share == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hearDate(resp.Header, int64(sent.Sub(l.base)), l.tick())
}

// hearDate takes in the server's time. The first time, callers that wait may find that what
// others had used is free by now.
func (l *Limiter) hearDate(h http.Header, sent, now int64) {
	if l.share.clock.hear(h, sent, now) {
		l.share.notBefore, l.share.lookAt = now, now
		l.pump(now)
	}
}
