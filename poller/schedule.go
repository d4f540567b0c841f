package poller

import (
	"iter"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// How firings are found. A schedule is a set of wall times: some minutes, in some hours, on some
// dates. Each set is a word of bits, so the next wall time is found by shifting and counting zeros,
// without trying minutes one by one; a calendar finds the next date, however rare.
//
// A wall time becomes an instant by the offset of its zone, and offsets change. So time is cut into
// periods of one offset (zone). Within a period wall times and instants run alike. Where two periods
// meet, the clock jumps over wall times, which then fire at the border, or it shows some twice, and
// then only a schedule that leaves no hour out fires the second time as well.

// Schedule is a parsed CRON expression in a location. It is immutable and safe for concurrent use.
type Schedule struct {
	text    string // the normal form
	loc     *time.Location
	minutes set // of an hour, never empty
	hours   set // of a day, never empty
	dates   *calendar
}

// ParseSchedule reads a CRON expression; see the package documentation for the grammar. A nil loc
// is UTC. The error joins one [*ParseError] for each field at fault.
func ParseSchedule(cron string, loc *time.Location) (*Schedule, error) {
	specs, err := parse(cron)
	if err != nil {
		return nil, err
	}
	if loc == nil {
		loc = time.UTC
	}
	texts := make([]string, len(specs))
	for i, spec := range specs {
		texts[i] = spec.text
	}
	text := strings.Join(texts, " ")
	if !gronx.IsValid(text) { // the grammar is narrower than that of gronx, which has the last word
		return nil, &ParseError{cron, "expression", 1, "gronx does not accept " + strconv.Quote(text)}
	}
	return &Schedule{
		text:    text,
		loc:     loc,
		minutes: specs[minute].set,
		hours:   specs[hour].set,
		dates:   newCalendar(&specs),
	}, nil
}

// String returns the expression in normal form: five fields, single spaces, numbers without leading
// zeros.
func (s *Schedule) String() string { return s.text }

// Location returns the location whose wall clock the schedule follows.
func (s *Schedule) Location() *time.Location { return s.loc }

// Next returns the first firing strictly after the given time, in the schedule's location. There is
// always one, since ParseSchedule refuses what can never fire.
func (s *Schedule) Next(after time.Time) time.Time {
	z := zoneAt(after, s.loc)
	from := z.wall(after).Truncate(time.Minute).Add(time.Minute)
	if !s.everyHour() && from.Before(z.expected) { // the second time round
		from = ceilMinute(z.expected)
	}
	for wall := s.nextWall(from); !wall.IsZero(); {
		t := wall.Add(-z.offset)
		if z.end.IsZero() || t.Before(z.end) {
			return t.In(s.loc)
		}
		next := zoneAt(z.end, s.loc)
		start := next.wall(z.end)
		if wall.Before(start) { // the clock jumps over it
			return z.end.In(s.loc)
		}
		if s.everyHour() && start.Before(next.expected) {
			wall = s.nextWall(ceilMinute(start))
		}
		z = next
	}
	return time.Time{}
}

// All yields every firing strictly after the given time, in order and without end.
func (s *Schedule) All(after time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t := s.Next(after); !t.IsZero() && yield(t); t = s.Next(t) {
		}
	}
}

// Between yields the firings in [from, to), in order.
func (s *Schedule) Between(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t := range s.All(from.Add(-1)) {
			if !t.Before(to) || !yield(t) {
				return
			}
		}
	}
}

// Upcoming returns the first n firings strictly after the given time.
func (s *Schedule) Upcoming(after time.Time, n int) []time.Time {
	times := make([]time.Time, 0, max(n, 0))
	for t := range s.All(after) {
		if len(times) >= n {
			break
		}
		times = append(times, t)
	}
	return times
}

// Count returns the number of firings in [from, to). It takes microseconds for a year, however many
// they are.
func (s *Schedule) Count(from, to time.Time) int {
	n := 0
	for from.Before(to) {
		z := zoneAt(from, s.loc)
		end := to
		if !z.end.IsZero() && z.end.Before(to) {
			end = z.end
		}
		first := z.wall(from)
		if z.start.Equal(from) && s.countWalls(z.expected, first) > 0 && s.countWalls(first, first.Add(1)) == 0 {
			n++ // the end of the gap fires for what is in the gap
		}
		if !s.everyHour() && first.Before(z.expected) {
			first = z.expected
		}
		n += s.countWalls(first, z.wall(end))
		from = end
	}
	return n
}

// FiringsPerDay returns the mean number of firings a day, over the 400 years in which the calendar
// repeats. What a change of the clock adds or takes away is left out; [Schedule.Count] has it.
func (s *Schedule) FiringsPerDay() float64 {
	const days = 400*365 + 97
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	return float64(s.countWalls(from, from.AddDate(400, 0, 0))) / days
}

// latest returns the last firing in [from, to], or the zero time.
func (s *Schedule) latest(from, to time.Time) time.Time {
	var last time.Time
	for back := time.Hour; ; back *= 2 {
		start := to.Add(-back)
		if start.Before(from) {
			start = from
		}
		for t := range s.Between(start, to.Add(1)) {
			last = t
		}
		if !last.IsZero() || !start.After(from) {
			return last
		}
	}
}

// equal reports whether two schedules have the same firings because they say the same.
func (s *Schedule) equal(other *Schedule) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.text == other.text && s.loc.String() == other.loc.String()
}

// everyHour tells whether no hour of a day is left out; a repeated hour then counts as one more.
func (s *Schedule) everyHour() bool { return s.hours == span(0, 23) }

// nextWall is the first wall time at or after from, a whole minute.
func (s *Schedule) nextWall(from time.Time) time.Time {
	today := from.Truncate(day)
	date := s.dates.next(today)
	if date.Equal(today) {
		if m, ok := s.nextMinute(int(from.Sub(today) / time.Minute)); ok {
			return date.Add(time.Duration(m) * time.Minute)
		}
		date = s.dates.next(today.Add(day))
	}
	if date.IsZero() {
		return date
	}
	m, _ := s.nextMinute(0)
	return date.Add(time.Duration(m) * time.Minute)
}

// nextMinute is the first due minute of the day at or after m.
func (s *Schedule) nextMinute(m int) (int, bool) {
	h := m / 60
	if rest := s.minutes.from(m % 60); s.hours.has(h) && rest != 0 {
		return h*60 + rest.first(), true
	}
	later := s.hours.from(h + 1)
	return later.first()*60 + s.minutes.first(), later != 0
}

// countWalls is the number of wall times in [from, to).
func (s *Schedule) countWalls(from, to time.Time) int {
	if !from.Before(to) {
		return 0
	}
	from, to = ceilMinute(from), ceilMinute(to)
	perDay := s.minutes.count() * s.hours.count()
	return perDay*s.dates.count(from.Truncate(day), to.Truncate(day)) + s.countEarlier(to) - s.countEarlier(from)
}

// countEarlier is the number of wall times before wall on its date.
func (s *Schedule) countEarlier(wall time.Time) int {
	if !s.dates.has(wall) {
		return 0
	}
	n := (s.hours &^ s.hours.from(wall.Hour())).count() * s.minutes.count()
	if s.hours.has(wall.Hour()) {
		n += bits.OnesCount64(uint64(s.minutes &^ s.minutes.from(wall.Minute())))
	}
	return n
}
