package poller

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Describe puts the schedule in plain English, such as "every 5 minutes" or "at 02:30 on weekdays".
// It describes the firings, however they are written, and leaves the location out.
func (s *Schedule) Describe() string {
	times, days := s.describeTimes(), s.describeDays()
	if days == "" && strings.HasPrefix(times, "at ") && !s.everyHour() {
		days = "every day"
	}
	text := strings.TrimSpace(times + " " + days)
	if months := s.dates.months; months != span(1, 12) {
		text += " in " + joinRuns(months, func(m int) string { return time.Month(m).String() })
	}
	return text
}

// describeTimes says at which times of a day the schedule fires, as briefly as its sets allow: as an
// interval, as a few times, or as minutes of some hours.
func (s *Schedule) describeTimes() string {
	everyMinutes, regular := interval(s.minutes, 60)
	hours := s.hours
	switch {
	case s.everyHour() && regular:
		return every(everyMinutes, "minute")
	case s.everyHour() && s.minutes == 1:
		return "every hour"
	case s.everyHour() && s.minutes.count() == 1:
		return fmt.Sprintf("every hour at minute %d", s.minutes.first())
	case s.everyHour():
		return fmt.Sprintf("at minutes %s of every hour", join(s.minutes.values(), strconv.Itoa))
	}
	if n, ok := interval(hours, 24); ok && s.minutes.count() == 1 {
		if s.minutes == 1 {
			return every(n, "hour")
		}
		return fmt.Sprintf("%s at minute %d", every(n, "hour"), s.minutes.first())
	}
	if s.minutes.count()*hours.count() <= 6 {
		return "at " + join(s.timesOfDay(), timeOfDay)
	}
	what := fmt.Sprintf("at minutes %s of the hour", join(s.minutes.values(), strconv.Itoa))
	switch {
	case regular:
		what = every(everyMinutes, "minute")
	case s.minutes.count() == 1 && contiguous(hours):
		what = "every hour"
	case s.minutes.count() == 1:
		what = fmt.Sprintf("at minute %d", s.minutes.first())
	}
	if contiguous(hours) {
		first, last := hours.first()*60+s.minutes.first(), hours.last()*60+s.minutes.last()
		return fmt.Sprintf("%s from %s to %s", what, timeOfDay(first), timeOfDay(last))
	}
	return fmt.Sprintf("%s in hours %s", what, join(hours.values(), strconv.Itoa))
}

// timesOfDay returns the firings of a day, in minutes after midnight.
func (s *Schedule) timesOfDay() []int {
	var times []int
	for _, h := range s.hours.values() {
		for _, m := range s.minutes.values() {
			times = append(times, h*60+m)
		}
	}
	return times
}

// describeDays says on which days the schedule fires, "" for every day.
func (s *Schedule) describeDays() string {
	c := s.dates
	everyDay, everyWeekday := c.days == span(1, 31), c.weekdays == span(0, 6)
	days := "on the " + joinRuns(c.days, ordinal) + " of the month"
	switch {
	case everyDay && everyWeekday || !c.both && (everyDay || everyWeekday):
		return ""
	case everyDay:
		return "on " + weekdayNames(c.weekdays)
	case everyWeekday:
		return days
	case c.both:
		return "on " + weekdayNames(c.weekdays) + " among the " + joinRuns(c.days, ordinal) + " of the month"
	}
	return days + " and on " + weekdayNames(c.weekdays)
}

func weekdayNames(days set) string {
	switch days {
	case span(1, 5):
		return "weekdays"
	case 1 | 1<<6:
		return "weekends"
	}
	return join(days.values(), func(d int) string { return time.Weekday(d).String() + "s" })
}

// interval finds n when the set is 0, n, 2n and so on, and n divides the whole: otherwise the last
// step of an hour or a day is another one, and "every n minutes" would be wrong.
func interval(s set, whole int) (n int, ok bool) {
	if !s.has(0) || s.count() == 1 {
		return 0, false
	}
	n = s.from(1).first()
	var regular set
	for v := 0; v < whole; v += n {
		regular |= 1 << v
	}
	return n, s == regular && whole%n == 0
}

func contiguous(s set) bool { return s == span(s.first(), s.last()) }

func every(n int, unit string) string {
	if n == 1 {
		return "every " + unit
	}
	return fmt.Sprintf("every %d %ss", n, unit)
}

func timeOfDay(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

func ordinal(n int) string {
	suffix := "th"
	if n/10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// joinRuns writes three or more members in a row as "first to last".
func joinRuns(s set, name func(int) string) string {
	if s.count() > 2 && contiguous(s) {
		return name(s.first()) + " to " + name(s.last())
	}
	return join(s.values(), name)
}

func join(values []int, name func(int) string) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case i > 0 && i == len(values)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(name(v))
	}
	return b.String()
}
