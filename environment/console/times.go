package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ago puts a time into words as seen from now: "3 minutes ago", "in 2 hours".
func ago(now, t time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		if -d < 10*time.Second {
			return "just now" // clocks differ by that much
		}
		return "in " + span(-d)
	}
	if d < 10*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span puts a duration into words of one unit, rounded down.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{365 * day, "year"}, {30 * day, "month"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.size; n > 0 {
			return count(int(n), unit.name)
		}
	}
	return "less than a second"
}

// count is a number with a noun: "1 type", "12 types".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if last := len(noun) - 1; noun[last] == 'y' && !strings.ContainsRune("aeiou", rune(noun[last-1])) {
		noun = noun[:last] + "ie"
	}
	return fmt.Sprintf("%s %ss", grouped(n), noun)
}

// grouped writes a number with a comma between thousands.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

const (
	dayLayout    = "Monday, 2 January 2006"
	clockLayout  = "15:04:05"
	secondLayout = "2 Jan 2006, 15:04:05 MST"
	minuteLayout = "2 Jan 2006, 15:04 MST"
	fieldLayout  = "2006-01-02T15:04:05" // of an <input type="datetime-local">
)
