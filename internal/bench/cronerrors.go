package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// A field is one field of a CRON expression and what it stands for.
type field struct {
	text string
	set  map[int]bool // nil: any
}

// randomField makes a field of POSIX: any, or a list of numbers and ranges.
func randomField(rng *rand.Rand, low, high int) field {
	if rng.IntN(2) == 0 {
		return field{text: "*"}
	}
	f := field{set: map[int]bool{}}
	var items []string
	for range 1 + rng.IntN(3) {
		from := low + rng.IntN(high-low+1)
		to := from
		item := strconv.Itoa(from)
		if rng.IntN(3) == 0 {
			to += rng.IntN(high - from + 1)
			item = fmt.Sprintf("%d-%d", from, to)
		}
		for n := from; n <= to; n++ {
			f.set[n] = true
		}
		items = append(items, item)
	}
	f.text = strings.Join(items, ",")
	return f
}

func (f field) has(n int) bool { return f.set == nil || f.set[n] }

// An expression is five fields.
type expression [5]field

func randomExpression(rng *rand.Rand) (e expression) {
	for i, r := range [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}} {
		e[i] = randomField(rng, r[0], r[1])
	}
	return e
}

func (e expression) String() string {
	return strings.Join([]string{e[0].text, e[1].text, e[2].text, e[3].text, e[4].text}, " ")
}

// matchesDay follows POSIX: of the two fields for days either is enough if both are restricted.
func (e expression) matchesDay(t time.Time) bool {
	day, weekday := e[2].has(t.Day()), e[4].has(int(t.Weekday()))
	if e[2].set != nil && e[4].set != nil {
		return e[3].has(int(t.Month())) && (day || weekday)
	}
	return e[3].has(int(t.Month())) && day && weekday
}

// bruteForce looks at one minute after the other, in UTC. It returns false if there is no firing in four years.
func (e expression) bruteForce(after time.Time) (time.Time, bool) {
	t := after.Truncate(time.Minute).Add(time.Minute)
	for end := after.AddDate(4, 0, 0); t.Before(end); {
		if !e.matchesDay(t) {
			t = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
			continue
		}
		if e[0].has(t.Minute()) && e[1].has(t.Hour()) {
			return t, true
		}
		t = t.Add(time.Minute)
	}
	return t, false
}

// posixRows counts wrong answers to random expressions of POSIX.
func posixRows(n int) ([]row, error) {
	rng := rand.New(rand.NewPCG(1, 0))
	var wrong [3]int
	for asked := 0; asked < n; {
		e := randomExpression(rng)
		after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rng.Int64N(int64(4 * 365 * 24 * time.Hour))))
		want, ok := e.bruteForce(after)
		if !ok {
			continue
		}
		asked++
		ours, robfig, gron, err := nexts(e.String(), time.UTC)
		if err != nil {
			return nil, err
		}
		for i, next := range []next{ours, robfig, gron} {
			if !next(after).Equal(want) {
				wrong[i]++
			}
		}
	}
	return errorRows(fmt.Sprintf("CRON, wrong of %s POSIX expressions, UTC", grouped(float64(n))), wrong, "against brute force, minute by minute"), nil
}

// lostRows counts the ticks of hourly schedules that get lost where clocks change.
func lostRows(years int) ([]row, error) {
	var lost [3]int
	total := 0
	for _, zone := range []string{"America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "Africa/Cairo"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return nil, err
		}
		for _, minute := range []int{0, 26, 45} {
			ours, robfig, gron, err := nexts(fmt.Sprintf("%d * * * *", minute), loc)
			if err != nil {
				return nil, err
			}
			ticks := hourlyTicks(loc, minute, years)
			total += len(ticks)
			for i, next := range []next{ours, robfig, gron} {
				lost[i] += missing(ticks, next, loc)
			}
		}
	}
	what := fmt.Sprintf("CRON, lost of %s hourly ticks in 4 zones", grouped(float64(total)))
	return errorRows(what, lost, fmt.Sprintf("2026 to %d, every change of the clocks included", 2025+years)), nil
}

// hourlyTicks returns every instant at which a clock shows the minute.
func hourlyTicks(loc *time.Location, minute, years int) (ticks []time.Time) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := start; t.Before(start.AddDate(years, 0, 0)); t = t.Add(time.Minute) {
		if t.In(loc).Minute() == minute {
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// missing counts the ticks that a chain of firings leaves out.
func missing(ticks []time.Time, next next, loc *time.Location) (n int) {
	t := ticks[0].Add(-time.Minute).In(loc)
	for _, tick := range ticks {
		for t.Before(tick) {
			after := next(t)
			if !after.After(t) {
				return n + len(ticks)
			}
			t = after
		}
		if !t.Equal(tick) {
			n++
		}
	}
	return n
}

func errorRows(what string, wrong [3]int, note string) (rows []row) {
	for i, peer := range []string{robfigCron, gronxCron} {
		rows = append(rows, row{what: what, ours: figure{float64(wrong[0]), ""}, peer: peer, theirs: figure{float64(wrong[i+1]), ""}, note: note})
	}
	return rows
}
