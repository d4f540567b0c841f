package poller

import (
	"math/bits"
	"time"
)

// calendar knows on which dates a schedule fires. Dates are midnights in UTC, whatever the
// schedule's location. It works on whole months: the dates of one month are the bits of a word,
// made of the days of the month and of the weekdays, which repeat each seven bits.
type calendar struct {
	days     set
	months   set
	weekdays set  // Sunday is 0
	both     bool // a date must match days and weekdays; otherwise one of them is enough
}

const day = 24 * time.Hour

func newCalendar(specs *[5]fieldSpec) *calendar {
	days, months, weekdays := specs[dayOfMonth], specs[month], specs[dayOfWeek]
	return &calendar{
		days:     days.set,
		months:   months.set,
		weekdays: weekdays.set,
		both:     days.star || weekdays.star,
	}
}

// next is the first date at or after date. There is one, or parse would have refused the expression.
func (c *calendar) next(date time.Time) time.Time {
	year, m, d := date.Date()
	dates := c.month(year, m) >> d << d
	for dates == 0 {
		if m++; m > time.December {
			year, m = year+1, time.January
		}
		dates = c.month(year, m)
	}
	return time.Date(year, m, bits.TrailingZeros32(dates), 0, 0, 0, 0, time.UTC)
}

// month gives the dates within a month as bits 1 to 31.
func (c *calendar) month(year int, m time.Month) uint32 {
	if !c.months.has(int(m)) {
		return 0
	}
	const weeks = (1<<42 - 1) / (1<<7 - 1) // each seventh bit
	first := time.Date(year, m, 1, 0, 0, 0, 0, time.UTC).Weekday()
	onWeekday := uint32(c.weekdays * weeks >> first << 1)
	matching := uint32(c.days) | onWeekday
	if c.both {
		matching = uint32(c.days) & onWeekday
	}
	return matching & uint32(span(1, daysIn(year, m)))
}

// has tells whether a schedule fires on a date.
func (c *calendar) has(date time.Time) bool {
	return c.month(date.Year(), date.Month())>>date.Day()&1 == 1
}

// count is the number of dates in [from, to).
func (c *calendar) count(from, to time.Time) int {
	n := 0
	year, m := from.Year(), from.Month()
	for year < to.Year() || m < to.Month() {
		n += bits.OnesCount32(c.month(year, m))
		if m++; m > time.December {
			year, m = year+1, time.January
		}
	}
	return n + c.earlier(to) - c.earlier(from)
}

// earlier is the number of dates before date in its month.
func (c *calendar) earlier(date time.Time) int {
	return bits.OnesCount32(c.month(date.Year(), date.Month()) & uint32(span(1, date.Day()-1)))
}

// daysIn returns how many days a month has.
func daysIn(year int, m time.Month) int {
	return time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
