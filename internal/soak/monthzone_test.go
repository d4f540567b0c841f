package soak_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// Two environments of the month follow the wall clock of a zone. The month begins shortly before the summer time of
// Sao Paulo ends, which shows the last hour of a Saturday twice, and thirty days reach the end of winter in Vienna,
// which has no third hour on a Sunday. What polls when is found by looking at the clock each minute.

var monthZones = [3]string{"America/Sao_Paulo", "", "Europe/Vienna"}

// monthBegins is the instant at which a month begins.
func monthBegins(full bool) time.Time {
	at := time.Date(2000, time.February, 27, 0, 0, 0, 0, time.UTC) // Sao Paulo turns back the clock at 02:00 UTC
	if full {
		return at.Add(-24 * time.Hour)
	}
	return at
}

// planZones asks when everything is polled next, at random instants and every ten minutes around a change of the clock.
func (m *month) planZones() {
	dice := rand.New(rand.NewPCG(*monthSeed, 51))
	for _, o := range m.orgs {
		zone := o.record.Location()
		if o.record.TimeZone == "" {
			continue
		}
		var when []time.Time
		for range 8 {
			when = append(when, time.Now().Add(time.Duration(dice.Int64N(int64(time.Until(m.ends))))))
		}
		for at := time.Now().Truncate(time.Hour); at.Before(m.ends); at = at.Add(time.Hour) {
			if _, offset := at.In(zone).Zone(); offset != monthOffset(at.Add(time.Hour), zone) {
				m.counts["changes of the clock"]++
				for d := -time.Hour; d < 3*time.Hour; d += 10 * time.Minute {
					when = append(when, at.Add(d+time.Duration(1+dice.Int64N(int64(time.Minute)-1))))
				}
			}
		}
		for _, at := range when {
			if at.After(time.Now()) && at.Before(m.ends) {
				m.at(at, func() { m.askSchedule(o, zone) })
			}
		}
	}
}

func monthOffset(at time.Time, zone *time.Location) int {
	_, offset := at.In(zone).Zone()
	return offset
}

// askSchedule holds when each type is polled next, and which tick has had no pass yet, against the wall clock.
func (m *month) askSchedule(o *monthOrg, zone *time.Location) {
	engine := m.reader(o)
	now := time.Now()
	status, err := engine.Status(m.t.Context(), o.record.ID)
	require.NoError(m.t, err)
	require.NoError(m.t, engine.Close(m.t.Context()))
	for _, t := range status.Types {
		if t.Next.IsZero() || t.Cron == "off" {
			continue
		}
		cron := newMonthCron(t.Cron)
		want := now.Truncate(time.Minute).Add(time.Minute)
		for !cron.fires(want, zone) {
			want = want.Add(time.Minute)
		}
		if !t.Next.Equal(want) {
			m.t.Errorf("%s: at %v the next pass of %s (%s) is at %v and not at %v", o.record.Name, now.In(zone), t.Type, t.Cron, t.Next.In(zone), want.In(zone))
		}
		if !t.Due.IsZero() && !cron.fires(t.Due, zone) {
			m.t.Errorf("%s: at %v a pass of %s (%s) is due since %v, which is no tick", o.record.Name, now.In(zone), t.Type, t.Cron, t.Due.In(zone))
		}
		m.counts["ticks asked"]++
	}
}

// A monthCron is a schedule that restricts hours and minutes only.
type monthCron struct{ minutes, hours []int }

func newMonthCron(text string) monthCron {
	fields := strings.Fields(strings.NewReplacer("@daily", "0 0 * * *", "@hourly", "0 * * * *").Replace(text))
	return monthCron{monthField(fields[0], 59), monthField(fields[1], 23)}
}

// monthField lists the numbers of a field: *, */15, 1-23/8, 4,16.
func monthField(text string, most int) (numbers []int) {
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		first, last, isRange := strings.Cut(span, "-")
		from, _ := strconv.Atoi(first)
		to, every := from, 1
		switch {
		case span == "*":
			to = most
		case isRange:
			to, _ = strconv.Atoi(last)
		}
		if stepped {
			every, _ = strconv.Atoi(step)
		}
		for n := from; n <= to; n += every {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// fires reports whether a tick is at an instant: the clock shows its time for the first time, or has jumped over it. What
// leaves no hour out is due whenever the clock shows its time.
func (c monthCron) fires(at time.Time, zone *time.Location) bool {
	wall := func(at time.Time) time.Time { return at.UTC().Add(time.Duration(monthOffset(at, zone)) * time.Second) }
	shows := func(w time.Time) bool {
		return slices.Contains(c.minutes, w.Minute()) && slices.Contains(c.hours, w.Hour())
	}
	now := wall(at)
	isAgain := wall(at.Add(-time.Hour)).Equal(now)
	if shows(now) && (!isAgain || len(c.hours) == 24) {
		return true
	}
	for w := wall(at.Add(-time.Minute)).Add(time.Minute); w.Before(now); w = w.Add(time.Minute) {
		if shows(w) {
			return true
		}
	}
	return false
}
