package history

import (
	"errors"
	"time"
)

// ErrNoTime reports that nothing may be removed for its age, because Options.Clock has
// not confirmed the time yet.
var ErrNoTime = errors.New("the time is not confirmed yet")

// A Clock returns between which two times it is now. It may be imprecise: what was seen
// is told to have been seen at latest, and what a pass did not see change was so at
// earliest, so spans are widened by that and never narrowed. Zero times say that it is
// not known what time it is: what is recorded then has the time of what was recorded
// last. Confirmed says that the time is not this machine's word alone; without that
// nothing is removed for its age.
type Clock = func() (earliest, latest time.Time, confirmed bool)

// localClock is the clock of this machine, believed.
func localClock() (earliest, latest time.Time, confirmed bool) {
	now := time.Now()
	return now, now, true
}

// earliest is what time it is at least: when a pass begins, as what it does not see change was so then.
// Zero if the time is not known.
func (h *History) earliest() time.Time {
	t, _, _ := h.opts.Clock()
	return plain(t)
}

// latest is what time it is at most: when a change is recorded. Zero if the time is not known.
func (h *History) latest() time.Time {
	_, t, _ := h.opts.Clock()
	return plain(t)
}

// plain returns t as it is stored: in UTC, and without the reading of the monotonic clock, which would
// make two equal times differ under ==.
func plain(t time.Time) time.Time { return t.UTC().Round(0) }
