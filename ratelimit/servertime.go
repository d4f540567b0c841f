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

// hear takes in the Date of an answer to a request sent at sent and answered now, unless the
// answer has an Age: then a cache repeats one of long ago.
func (c *serverClock) hear(h http.Header, sent, now int64) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || h.Get("Age") != "" {
		return
	}
	at := date.UnixNano()
	*c = serverClock{true, at - now - dateSlack, at - sent + dateGrain + dateSlack}
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
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	l.hearDate(resp.Header, int64(sent.Sub(l.base)), now)
	l.pump(now)
}

// hearDate takes in the server's time. The first time, the ledger is worth a look: what others
// had used may be free by now.
func (l *Limiter) hearDate(h http.Header, sent, now int64) {
	wasKnown := l.share.clock.isKnown
	l.share.clock.hear(h, sent, now)
	if !wasKnown && l.share.clock.isKnown {
		l.share.notBefore, l.share.lookAt = now, now
	}
}
