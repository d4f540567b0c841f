package poller

import "time"

// zone is a period in which a location keeps one offset. Wall times are held in UTC, where no hour
// is special.
type zone struct {
	offset     time.Duration
	start, end time.Time // [start, end); zero when unbounded

	// expected is what the clock would have shown at start, had it not changed: it jumped over the
	// wall times from there on, or it repeats those before. Zero when start is.
	expected time.Time
}

// zoneAt returns the period that t lies in.
func zoneAt(t time.Time, loc *time.Location) zone {
	t = t.In(loc)
	_, offset := t.Zone()
	z := zone{offset: time.Duration(offset) * time.Second}
	z.start, z.end = t.ZoneBounds()
	if !z.end.IsZero() && !z.end.After(t) {
		// Beyond a location's table of changes, ZoneBounds ends each year after 365 days; the clock
		// does not change on the day that leap years have left.
		z.end = t.Truncate(day).Add(day)
	}
	if !z.start.IsZero() {
		_, before := z.start.Add(-1).Zone()
		z.expected = z.start.UTC().Add(time.Duration(before) * time.Second)
	}
	return z
}

// wall is what the clock shows at t, an instant within the period.
func (z zone) wall(t time.Time) time.Time { return t.UTC().Add(z.offset) }

// ceilMinute rounds up to a whole minute.
func ceilMinute(t time.Time) time.Time {
	return t.Add(time.Minute - 1).Truncate(time.Minute)
}
