package genesys

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
)

// A clock keeps the time of the org: that of the Date header of its answers, and the
// time since by this machine's monotonic clock.
//
// Date has whole seconds, and an answer travels. One that was sent for at s and came
// at r, with the date D, was made between the two, when the org's time was at least D
// and less than a second more. So at r the org's time is between D and D + 1s + (r-s).
// Each answer gives such bounds, and the org's time is within all of them: the more
// answers, the closer. Between answers the bounds widen by what a monotonic clock may
// be off.
//
// An answer that contradicts what is known (the clock of one of the org's servers is
// wrong, or this machine was suspended) is believed when this machine's wall clock
// agrees with it, or when several answers in a row agree with each other, more of them
// if the wall clock is against them. So is the very first one. Until then nothing
// changes.
type clock struct {
	warn func(string, ...slog.Attr)

	mu      sync.Mutex
	known   bounds // zero before an answer was believed
	rival   bounds // what the last answers say that contradict known
	votes   int    // how many those are
	missing bool   // an answer had no date that can be read, and none had one before
	leaps   int64
	warned  map[string]bool
}

const (
	clockDrift    = 2000        // one part in so many is what a monotonic clock may be off
	clockSlack    = time.Second // what servers of one org may be apart
	clockAgree    = time.Minute // what a wall clock may be off that confirms an answer
	clockVotes    = 3           // answers that suffice without one
	clockStubborn = 30          // and where it confirms what is known
)

// bounds say that the org's time at a moment, of which at has the monotonic reading,
// was between lo and hi.
type bounds struct{ at, lo, hi time.Time }

func (b bounds) zero() bool { return b.at.IsZero() }

// on returns what the bounds are at a later moment.
func (b bounds) on(at time.Time) bounds {
	passed := at.Sub(b.at)
	drift := passed / clockDrift
	return bounds{at, b.lo.Add(passed - drift), b.hi.Add(passed + drift)}
}

// wallAgrees reports whether this machine's wall clock is about within the bounds.
func (b bounds) wallAgrees() bool {
	wall := b.at.Round(0)
	return wall.After(b.lo.Add(-clockAgree)) && wall.Before(b.hi.Add(clockAgree))
}

// meet returns what is within both bounds, which are of one moment; if they are less
// than clockSlack apart, what is between them and in both.
func (b bounds) meet(o bounds) (bounds, bool) {
	m := bounds{b.at, instant.Later(b.lo, o.lo), instant.Earlier(b.hi, o.hi)}
	if m.lo.Before(m.hi) {
		return m, true
	}
	if m.lo.Sub(m.hi) <= clockSlack {
		return bounds{b.at, instant.Earlier(b.lo, o.lo), instant.Later(b.hi, o.hi)}, true
	}
	return bounds{}, false
}

// note takes down an answer to what was sent at sent and has just come.
func (c *clock) note(sent, received time.Time, header http.Header) {
	date, err := http.ParseTime(header.Get("Date"))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if c.known.zero() && !c.missing {
			c.missing = true
			c.warnOnce("the org's answers have no Date: times are those of this machine, and nothing expires")
		}
		return
	}
	said := bounds{received, date, date.Add(time.Second + received.Sub(sent))}
	if !c.known.zero() {
		if now, ok := c.known.on(received).meet(said); ok {
			c.known, c.rival, c.votes = now, bounds{}, 0
			return
		}
	}
	c.hear(said)
}

// hear weighs an answer that nothing known confirms. Such answers are collected as a rival as long as
// they agree with each other; the first one that does not begins a new rival with one vote, and one
// that agrees with what is known ends it (note). The rival takes over once the wall clock is for it or
// it has votes enough.
func (c *clock) hear(said bounds) {
	agreed, ok := bounds{}, false
	if !c.rival.zero() {
		agreed, ok = c.rival.on(said.at).meet(said)
	}
	if !ok {
		agreed, c.votes = said, 0
	}
	c.rival = agreed
	c.votes++
	confirmed, needed := said.wallAgrees(), clockVotes
	if !c.known.zero() && c.known.on(said.at).wallAgrees() {
		needed = clockStubborn // two witnesses are against it
	}
	if !c.known.zero() && c.votes == 1 {
		c.leaps++
		c.warnOnce("the org's time leaps: an answer contradicts those before it",
			slog.Duration("by", said.lo.Sub(c.known.on(said.at).lo)))
	}
	if !confirmed && c.known.zero() {
		c.warnOnce("the clock of this machine or that of the org is wrong; the org's counts",
			slog.Duration("org_ahead", said.lo.Sub(said.at.Round(0))))
	}
	if confirmed || c.votes >= needed {
		c.known, c.rival, c.votes, c.missing = agreed, bounds{}, 0, false
	}
}

// warnOnce logs a warning the first time only: a wrong clock shows with every answer.
func (c *clock) warnOnce(text string, attrs ...slog.Attr) {
	if !c.warned[text] {
		c.warned[text] = true
		c.warn(text, attrs...)
	}
}

// Now returns between which two times it is in the org now, from the Date of its
// answers. Confirmed says that answers of this run say so. Before there are enough of
// them the times are zero: that takes one answer, or three if this machine's clock is
// off by more than a minute. If the answers have no Date, the times are those of this
// machine, and not confirmed.
func (c *Client) Now() (earliest, latest time.Time, confirmed bool) {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	now := time.Now()
	if c.clock.known.zero() {
		if c.clock.missing && c.clock.rival.zero() {
			return now, now, false
		}
		return time.Time{}, time.Time{}, false
	}
	b := c.clock.known.on(now)
	return b.lo, b.hi, true
}

func (c *clock) leapsSoFar() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaps
}

func (c *Client) newClock() *clock {
	return &clock{warned: map[string]bool{}, warn: func(text string, attrs ...slog.Attr) {
		c.opts.Logger.LogAttrs(context.Background(), slog.LevelWarn, text, attrs...)
	}}
}
