package poller

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/adhocore/gronx"
)

// calendar knows on which dates a schedule fires. Dates are midnights in UTC, whatever the schedule's location.
type calendar struct {
	expr     string // midnight of the dates, for gronx
	days     set
	months   set
	weekdays set
	both     bool // a date must match days and weekdays, not one of them

	// gronx reads its expression at each call, so its last answers are kept, by the low bits of the day's number.
	memo [4]atomic.Pointer[hop]
}

// hop is an answer of gronx: to is the first date at or after from.
type hop struct{ from, to time.Time }

const day = 24 * time.Hour

func newCalendar(specs *[5]fieldSpec) *calendar {
	days, months, weekdays := specs[dayOfMonth], specs[month], specs[dayOfWeek]
	return &calendar{
		expr:     "0 0 " + days.text + " " + months.text + " " + weekdays.text,
		days:     days.set,
		months:   months.set,
		weekdays: weekdays.set,
		both:     days.star || weekdays.star,
	}
}

// next is the first date at or after date.
func (c *calendar) next(date time.Time) time.Time {
	slot := &c.memo[date.Unix()/int64(day/time.Second)&3]
	if h := slot.Load(); h != nil && h.from.Equal(date) {
		return h.to
	}
	to, err := gronx.NextTickAfter(c.expr, date, true)
	if err != nil {
		return time.Time{} // never for an expression that parse accepts
	}
	slot.Store(&hop{date, to})
	return to
}

// month gives the dates within a month as bits 1 to 31.
func (c *calendar) month(year int, m time.Month) uint32 {
	if !c.months.has(int(m)) {
		return 0
	}
	weekday := int(time.Date(year, m, 1, 0, 0, 0, 0, time.UTC).Weekday())
	var onWeekday uint32
	for d := 1; d <= 31; d++ {
		if c.weekdays.has(weekday) {
			onWeekday |= 1 << d
		}
		weekday = (weekday + 1) % 7
	}
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

func daysIn(year int, m time.Month) int {
	return time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
