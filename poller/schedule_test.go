package poller

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDaylightSaving spells the rule out; the oracle tests prove it at large.
func TestDaylightSaving(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, zone, cron string
		from, to         string
		want             []string
	}{
		{
			"a time in the gap fires at its end", "America/New_York", "30 2 * * *",
			"2026-03-07T12:00:00-05:00", "2026-03-09T12:00:00-04:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{
			"several times in the gap fire once, with the one at its end", "America/New_York", "*/20 2,3 * * *",
			"2026-03-08T00:00:00-05:00", "2026-03-08T03:30:00-04:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-08T03:20:00-04:00"},
		},
		{
			"a time in the repeat fires the first time round", "America/New_York", "30 1 * * *",
			"2026-11-01T00:00:00-04:00", "2026-11-02T12:00:00-05:00",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"},
		},
		{
			"on either side of the equator", "Australia/Sydney", "30 2 * * *",
			"2026-04-05T00:00:00+11:00", "2026-04-06T00:00:00+10:00",
			[]string{"2026-04-05T02:30:00+11:00"},
		},
		{
			"an hourly schedule misses no hour", "Africa/Cairo", "26 * * * *",
			"2026-10-29T22:00:00+03:00", "2026-10-30T01:00:00+02:00",
			[]string{"2026-10-29T22:26:00+03:00", "2026-10-29T23:26:00+03:00", "2026-10-29T23:26:00+02:00", "2026-10-30T00:26:00+02:00"},
		},
		{
			"a gap of half an hour", "Australia/Lord_Howe", "15 2 * * *",
			"2026-10-04T00:00:00+10:30", "2026-10-05T00:00:00+11:00",
			[]string{"2026-10-04T02:30:00+11:00"},
		},
		{
			"a gap of a whole day", "Pacific/Apia", "0 12 * * *",
			"2011-12-29T00:00:00-10:00", "2011-12-31T20:00:00+14:00",
			[]string{"2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"},
		},
		{
			"the last day of a leap year beyond the zone's table", "America/New_York", "0 20 31 12 *",
			"2040-12-31T23:30:00Z", "2042-01-02T00:00:00Z",
			[]string{"2040-12-31T20:00:00-05:00", "2041-12-31T20:00:00-05:00"},
		},
	}
	for _, tt := range tests {
		from, to := at(t, tt.from), at(t, tt.to)
		s := must(ParseSchedule(tt.cron, load(t, tt.zone)))
		var got []string
		for firing := range s.Between(from, to) {
			got = append(got, firing.Format(time.RFC3339))
		}
		require.Equal(t, tt.want, got, tt.name)
		require.Equal(t, len(tt.want), s.Count(from, to), tt.name)
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return parsed
}

// TestNextReachesTheRarestDates follows the schedules with the longest pauses through the whole calendar.
func TestNextReachesTheRarestDates(t *testing.T) {
	t.Parallel()
	for _, cron := range []string{"0 0 29 2 *", "0 0 29 2 */7", "0 0 29 2 */6", "0 0 */28 2 */4"} {
		s, o := must(ParseSchedule(cron, nil)), newOracle(cron)
		end := time.Date(2401, 1, 1, 0, 0, 0, 0, time.UTC)
		for last := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC); last.Before(end); {
			next := s.Next(last)
			require.Equal(t, o.next(last), next, "%s after %s", cron, last)
			last = next
		}
	}
}

func TestNextIsStrictlyAfter(t *testing.T) {
	t.Parallel()
	s := must(ParseSchedule("*/10 * * * *", nil))
	for after, want := range map[string]string{
		"2026-01-01T00:00:00Z":           "2026-01-01T00:10:00Z",
		"2026-01-01T00:00:00.000000001Z": "2026-01-01T00:10:00Z",
		"2026-01-01T00:09:59.999999999Z": "2026-01-01T00:10:00Z",
		"2026-01-01T05:39:59+05:30":      "2026-01-01T00:10:00Z",
	} {
		require.Equal(t, want, s.Next(at(t, after)).Format(time.RFC3339Nano), after)
	}
	require.Equal(t, "0001-01-01T00:10:00Z", s.Next(time.Time{}).Format(time.RFC3339))
}

func TestBetweenAndUpcoming(t *testing.T) {
	t.Parallel()
	s := must(ParseSchedule("0 0 * * *", nil))
	from := at(t, "2026-01-01T00:00:00Z")
	require.Len(t, slices.Collect(s.Between(from, from.AddDate(0, 0, 3))), 3, "from is in, to is not")
	require.Empty(t, slices.Collect(s.Between(from, from)))
	require.Empty(t, slices.Collect(s.Between(from.Add(1), from)))
	require.Zero(t, s.Count(from.Add(1), from))
	require.Equal(t, []time.Time{from.AddDate(0, 0, 1), from.AddDate(0, 0, 2)}, s.Upcoming(from, 2))
	require.Empty(t, s.Upcoming(from, 0))
	require.Empty(t, s.Upcoming(from, -1))
}

// TestCounts holds the arithmetic against enumeration.
func TestCounts(t *testing.T) {
	t.Parallel()
	r := newRand(t, 3)
	for range corpus(40, 400) {
		cron, loc := randomCron(r, true), load(t, zones[r.IntN(len(zones))])
		s, err := ParseSchedule(cron, loc)
		if err != nil {
			continue
		}
		from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(365 * day))))
		to := from.Add(time.Duration(r.Int64N(int64(60 * day))))
		firings := slices.Collect(s.Between(from, to))
		require.Equal(t, len(firings), s.Count(from, to), "%s in %s from %s to %s", cron, loc, from, to)
		var last time.Time
		if len(firings) > 0 {
			last = firings[len(firings)-1]
		}
		require.Equal(t, last, s.latest(from, to.Add(-1)))
	}
}

func TestFiringsPerDay(t *testing.T) {
	t.Parallel()
	const leapDays = 97.0 / 146_097 // in 400 years
	for cron, want := range map[string]float64{
		"* * * * *":          1440,
		"*/5 * * * *":        288,
		"0 9-17 * * *":       9,
		"0 0 * * 1":          1.0 / 7,
		"30 2 * * 1-5":       5.0 / 7,
		"0 0 1 * *":          4800.0 / 146_097,
		"0 0 29 2 *":         leapDays,
		"0 0 29 2 */7":       13.0 / 146_097, // 13 of the 97 are Sundays
		"0,30 0,12 1 1 *":    4 * 400.0 / 146_097,
		"0 0 31 4,6,9,11 1":  6858.0 / 146_097, // no 31st there: the Mondays
		"0 0 1-31 * 1":       1,
		"*/30 6-18/6 * 12 *": 6 * 31 * 400.0 / 146_097,
	} {
		require.InDelta(t, want, must(ParseSchedule(cron, nil)).FiringsPerDay(), 1e-12, cron)
	}

	s := must(ParseSchedule("*/15 * * * *", load(t, "Europe/London")))
	year := s.Count(at(t, "2026-01-01T00:00:00Z"), at(t, "2027-01-01T00:00:00Z"))
	require.Equal(t, 365*96, year, "a year with a gap and a repeat")
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	tests := [][2]string{
		{"* * * * *", "every minute"},
		{"*/5 * * * *", "every 5 minutes"},
		{"0,20,40 * * * *", "every 20 minutes"},
		{"0,30 0-23 * * *", "every 30 minutes"},
		{"0 * * * *", "every hour"},
		{"26 * * * *", "every hour at minute 26"},
		{"5,10,35 * * * *", "at minutes 5, 10 and 35 of every hour"},
		{"*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"},
		{"0 */2 * * *", "every 2 hours"},
		{"15 */6 * * *", "every 6 hours at minute 15"},
		{"30 2 * * *", "at 02:30 every day"},
		{"30 2 * * 1-5", "at 02:30 on weekdays"},
		{"30 2 * * sat,sun", "at 02:30 on weekends"},
		{"0 0 * * 1,4", "at 00:00 on Mondays and Thursdays"},
		{"0,30 1,13 * * *", "at 01:00, 01:30, 13:00 and 13:30 every day"},
		{"*/5 9-17 * * 1-5", "every 5 minutes from 09:00 to 17:55 on weekdays"},
		{"0 9-17 * * *", "every hour from 09:00 to 17:00"},
		{"*/15 1,5 * * *", "every 15 minutes in hours 1 and 5"},
		{"7 1,2,3,5,8,13,21 * * *", "at minute 7 in hours 1, 2, 3, 5, 8, 13 and 21 every day"},
		{"0 0 1 * *", "at 00:00 on the 1st of the month"},
		{"0 0 2,3,11,21,22 * *", "at 00:00 on the 2nd, 3rd, 11th, 21st and 22nd of the month"},
		{"0 0 1-7 * */7", "at 00:00 on Sundays among the 1st to 7th of the month"},
		{"0 0 1 * 1", "at 00:00 on the 1st of the month and on Mondays"},
		{"0 0 1-31 * 1", "at 00:00 every day"},
		{"0 0 25 12 *", "at 00:00 on the 25th of the month in December"},
		{"0 0 * 6-8 *", "at 00:00 every day in June to August"},
		{"*/10 * * 1,7 *", "every 10 minutes in January and July"},
	}
	for _, tt := range tests {
		require.Equal(t, tt[1], must(ParseSchedule(tt[0], nil)).Describe(), tt[0])
	}
}
