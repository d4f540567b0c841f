package poller

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
)

var full = flag.Bool("full", false, "test the whole corpora and a whole virtual year")

// oracle matches an expression minute by minute. It shares no code with the package.
type oracle struct {
	sets     [5][64]bool
	both     bool // a day field begins with *
	hourly   bool
	original string
}

func newOracle(cron string) *oracle {
	o := &oracle{original: cron}
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}
	parts := strings.Fields(cron)
	for i, part := range parts {
		for item := range strings.SplitSeq(part, ",") {
			body, stepText, stepped := strings.Cut(item, "/")
			step := 1
			if stepped {
				step, _ = strconv.Atoi(stepText)
			}
			low, high := bounds[i][0], bounds[i][1]
			if body != "*" {
				a, b, isRange := strings.Cut(body, "-")
				low, _ = strconv.Atoi(a)
				if high = low; isRange {
					high, _ = strconv.Atoi(b)
				}
			}
			for n := low; n <= high; n += step {
				o.sets[i][n] = true
			}
		}
	}
	o.both = parts[2][0] == '*' || parts[4][0] == '*'
	o.hourly = !slices.Contains(o.sets[1][:24], false)
	return o
}

// clock is what a clock shows, taken apart.
type clock struct {
	minute, hour, day, month, weekday int
	whole                             bool // at second 0
}

func clockOf(wall time.Time) clock {
	return clock{wall.Minute(), wall.Hour(), wall.Day(), int(wall.Month()), int(wall.Weekday()), wall.Second() == 0}
}

func (o *oracle) matchesDate(c clock) bool {
	dom := o.sets[2][c.day]
	dow := o.sets[4][c.weekday] || c.weekday == 0 && o.sets[4][7]
	return o.sets[3][c.month] && (o.both && dom && dow || !o.both && (dom || dow))
}

func (o *oracle) matches(c clock) bool {
	return c.whole && o.sets[0][c.minute] && o.sets[1][c.hour] && o.matchesDate(c)
}

// next walks the days, and the minutes of the days that match. The zero time means never within 40 years.
func (o *oracle) next(after time.Time) time.Time {
	t := after.UTC().Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(41, 0, 0); t.Before(end); {
		switch {
		case !o.matchesDate(clockOf(t)):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case o.matches(clockOf(t)):
			return t
		default:
			t = t.Add(time.Minute)
		}
	}
	return time.Time{}
}

// randomCron writes an expression of POSIX forms, with steps when asked.
func randomCron(r *rand.Rand, steps bool) string {
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}
	stars := [5]int{20, 35, 50, 65, 50} // per cent
	var parts []string
	for i, bound := range bounds {
		low, high := bound[0], bound[1]
		if r.IntN(100) < stars[i] {
			text := "*"
			if steps && r.IntN(2) == 0 {
				text = fmt.Sprintf("*/%d", 1+r.IntN(high))
			}
			parts = append(parts, text)
			continue
		}
		var items []string
		for range 1 + r.IntN(4) {
			a, b := low+r.IntN(high-low+1), low+r.IntN(high-low+1)
			item := strconv.Itoa(a)
			if r.IntN(3) == 0 {
				item = fmt.Sprintf("%d-%d", min(a, b), max(a, b))
				if steps && r.IntN(2) == 0 {
					item += fmt.Sprintf("/%d", 1+r.IntN(high))
				}
			}
			items = append(items, item)
		}
		parts = append(parts, strings.Join(items, ","))
	}
	return strings.Join(parts, " ")
}

func newRand(t *testing.T, seed uint64) *rand.Rand {
	t.Helper()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func corpus(quick, whole int) int {
	if *full {
		return whole
	}
	return quick
}

func TestNextAgreesWithBruteForceInUTC(t *testing.T) {
	t.Parallel()
	epoch := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, steps := range []bool{false, true} {
		r := newRand(t, 7)
		never := 0
		for range corpus(1500, 20_000) {
			cron := randomCron(r, steps)
			want := newOracle(cron)
			s, err := ParseSchedule(cron, nil)
			if err != nil {
				never++
				require.ErrorContains(t, err, "never fires", cron)
				require.True(t, want.next(epoch).IsZero(), "%s was refused but fires", cron)
				continue
			}
			at := epoch.Add(time.Duration(r.Int64N(int64(100*365*day)) + r.Int64N(int64(time.Minute))))
			for range 3 {
				next := s.Next(at)
				require.Equal(t, want.next(at), next, "%s after %s", cron, at)
				at = next
			}
			require.Equal(t, s.String(), must(ParseSchedule(s.String(), nil)).String())
		}
		t.Logf("steps %v: %d expressions refused because they never fire", steps, never)
	}
}

func must(s *Schedule, err error) *Schedule {
	if err != nil {
		panic(err)
	}
	return s
}

var zones = []string{
	"America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "Africa/Cairo",
	"Europe/London", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca",
}

func load(tb testing.TB, name string) *time.Location {
	tb.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(tb, err)
	return loc
}

// transitions are the instants at which the clock of a location changes, up to 2045.
func transitions(loc *time.Location) []time.Time {
	var all []time.Time
	t := time.Date(1850, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
	for {
		_, end := t.ZoneBounds()
		if end.IsZero() || end.Year() > 2045 {
			return all
		}
		_, before := t.Zone()
		if _, after := end.Zone(); before != after {
			all = append(all, end)
		}
		if t = end; t.UTC().YearDay() == 366 { // where ZoneBounds gives an end that is not after t
			t = t.AddDate(0, 0, 1)
		}
	}
}

// window is what the clock shows, instant by instant, around a transition.
type window struct {
	from, to time.Time // what is compared; the instants begin earlier, to know what has been shown
	instants []moment
}

type moment struct {
	t       time.Time
	shows   clock
	again   bool    // it has shown this before
	skipped []clock // the whole minutes that it jumps over here and never shows
}

func newWindow(at time.Time, before, after, warmUp, step time.Duration) *window {
	w := &window{from: at.Add(-before), to: at.Add(after)}
	var walls []time.Time
	shown := map[int64]bool{}
	for t := w.from.Add(-warmUp); t.Before(w.to); t = t.Add(step) {
		_, offset := t.Zone()
		wall := t.UTC().Add(time.Duration(offset) * time.Second)
		w.instants = append(w.instants, moment{t: t, shows: clockOf(wall), again: shown[wall.Unix()]})
		walls = append(walls, wall)
		shown[wall.Unix()] = true
	}
	for i := 1; i < len(walls); i++ {
		for wall := walls[i-1].Add(step); wall.Before(walls[i]); wall = wall.Add(step) {
			if wall.Second() == 0 && !shown[wall.Unix()] {
				w.instants[i].skipped = append(w.instants[i].skipped, clockOf(wall))
			}
		}
	}
	return w
}

// firings applies the written rule to every instant of the window.
func (w *window) firings(o *oracle) []time.Time {
	var all []time.Time
	for _, i := range w.instants {
		if i.t.Before(w.from) {
			continue
		}
		if o.matches(i.shows) && (!i.again || o.hourly) || slices.ContainsFunc(i.skipped, o.matches) {
			all = append(all, i.t)
		}
	}
	return all
}

func TestNextAgreesWithBruteForceAroundTransitions(t *testing.T) {
	t.Parallel()
	r := newRand(t, 11)
	type pair struct {
		cron string
		o    *oracle
	}
	var pairs []pair
	for len(pairs) < corpus(300, 2000) {
		cron := randomCron(r, len(pairs)%2 == 1)
		if _, err := ParseSchedule(cron, nil); err == nil {
			pairs = append(pairs, pair{cron, newOracle(cron)})
		}
	}
	for _, name := range zones {
		loc := load(t, name)
		schedules := make([]*Schedule, len(pairs))
		for i, p := range pairs {
			schedules[i] = must(ParseSchedule(p.cron, loc))
		}
		changes, compared := transitions(loc), 0
		for n, at := range changes {
			if n%8 != 0 && !*full {
				continue
			}
			_, after := at.Zone()
			_, before := at.Add(-1).Zone()
			warmUp := time.Hour + max(0, time.Duration(before-after)*time.Second)
			var w *window
			var sample int
			if before%60 != 0 || after%60 != 0 { // local mean time: second by second
				w, sample = newWindow(at, time.Hour, 2*time.Hour, warmUp, time.Second), corpus(1, 20)
			} else {
				w, sample = newWindow(at, 16*time.Hour, 30*time.Hour, warmUp, time.Minute), corpus(3, len(pairs))
			}
			for range sample {
				i := compared % len(pairs)
				compared++
				want := w.firings(pairs[i].o)
				got := slices.Collect(schedules[i].Between(w.from, w.to))
				if d := firstDifference(want, got); d != "" {
					t.Fatalf("%s, %s, around %s: %s", name, pairs[i].cron, at, d)
				}
				require.Equal(t, len(want), schedules[i].Count(w.from, w.to), "count of %s %s around %s", name, pairs[i].cron, at)
			}
		}
		t.Logf("%s: %d transitions, %d comparisons", name, len(changes), compared)
	}
}

// firstDifference describes where two lists of times part.
func firstDifference(want, got []time.Time) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			return fmt.Sprintf("unwanted %s", got[i])
		case i >= len(got):
			return fmt.Sprintf("missing %s", want[i])
		case !want[i].Equal(got[i]):
			return fmt.Sprintf("want %s, got %s", want[i], got[i])
		}
	}
	return ""
}
