package poller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/instant"
)

// ledger holds what a type should do, computed from its schedules alone, against the runs it has.
type ledger struct {
	cursor   time.Time // every tick up to here is accounted for
	schedule *Schedule
	earlier  []era // schedules that were in force since cursor, before the present one
	running  bool
	dropped  time.Time // when it was last turned off, which drops what was pending
	runs     int
	ticks    int
}

type era struct {
	schedule *Schedule
	from, to time.Time // ticks in (from, to]
}

// expected is the number of ticks in (cursor, due].
func (l *ledger) expected(due time.Time) int {
	n, from := 0, l.cursor
	if l.dropped.Before(due) {
		from = instant.Later(from, l.dropped)
	}
	for _, e := range l.earlier {
		if e.schedule != nil && e.from.Before(due) {
			n += e.schedule.Count(instant.Later(e.from, from).Add(1), instant.Earlier(e.to, due).Add(1))
		}
		from = instant.Later(from, e.to)
	}
	if l.schedule != nil && from.Before(due) {
		n += l.schedule.Count(from.Add(1), due.Add(1))
	}
	return n
}

func (l *ledger) change(s *Schedule, now time.Time) {
	if l.schedule.equal(s) {
		return
	}
	if s == nil {
		l.dropped = now
	}
	from := l.cursor
	if n := len(l.earlier); n > 0 {
		from = l.earlier[n-1].to
	}
	l.earlier = append(l.earlier, era{l.schedule, from, now})
	l.schedule = s
}

// year is a world of jobs, restarts and changed plans.
type year struct {
	t       *testing.T
	r       *rand.Rand // of the restarts and plans
	jobs    *rand.Rand // of the jobs
	mu      sync.Mutex
	state   *memory
	ledgers map[string]*ledger
	active  int
	calm    bool // jobs are quick and do not fail
	panics  int
	missed  int
	folded  int
}

const yearConcurrency = 8

func (y *year) job(ctx context.Context, f Firing) error {
	y.mu.Lock()
	l := y.ledgers[f.Type]
	if l.running {
		y.t.Errorf("%s runs twice at once", f.Type)
	}
	l.running = true
	if y.active++; y.active > yearConcurrency {
		y.t.Errorf("%d jobs at once", y.active)
	}
	takes, outcome := time.Duration(0), -1
	if !y.calm {
		outcome = y.jobs.IntN(200)
		switch n := y.jobs.IntN(1000); {
		case n < 3:
			takes = time.Duration(y.jobs.Int64N(int64(10 * time.Hour)))
		case n < 200:
			takes = time.Duration(y.jobs.Int64N(int64(time.Minute)))
		}
	}
	y.mu.Unlock()

	var err error
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.active--
	l.running = false
	if err != nil {
		return err // comes back as missed
	}
	y.account(l, f)
	if ctx.Err() == nil {
		switch outcome {
		case 0:
			y.panics++
			panic("now and then")
		case 1:
			return errors.New("now and then")
		}
	}
	return nil
}

// account settles the ticks of a run that ended.
func (y *year) account(l *ledger, f Firing) {
	if !f.Due.After(l.cursor) {
		y.t.Errorf("%s: due %s after %s", f.Type, f.Due, l.cursor)
	}
	want, got := l.expected(f.Due), 1+f.Coalesced
	if want != got {
		y.t.Errorf("%s: run of %s stands for %d ticks since %s, want %d (%+v)", f.Type, f.Due, got, l.cursor, want, f)
	}
	l.runs++
	l.ticks += got
	y.folded += f.Coalesced
	if f.Missed {
		y.missed++
	}
	l.cursor = f.Due
	for len(l.earlier) > 0 && !l.earlier[0].to.After(f.Due) {
		l.earlier = l.earlier[1:]
	}
}

func TestYear(t *testing.T) {
	t.Parallel()
	const types = 300
	from, span := time.Date(2000, 3, 29, 0, 0, 0, 0, time.UTC), 8*day
	if *full {
		from, span = time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC), 366*day
	}
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		y := &year{t: t, r: newRand(t, 5), jobs: newRand(t, 6), state: &memory{}, ledgers: map[string]*ledger{}}
		loc := load(t, "America/New_York")
		time.Sleep(time.Until(from))
		var names []string
		for i := range types {
			name := fmt.Sprintf("type%03d", i)
			names = append(names, name)
			y.ledgers[name] = &ledger{cursor: clockTime()}
		}
		p := New(y.job, &Options{Concurrency: yearConcurrency, Spread: 5 * time.Minute, State: y.state})
		y.setPlan(p, names, loc)
		for time.Now().Before(from.Add(span)) {
			y.live(p, names, loc)
		}
		y.finish(p)

		runs, ticks := 0, 0
		for _, l := range y.ledgers {
			runs, ticks = runs+l.runs, ticks+l.ticks
		}
		require.Positive(t, y.missed)
		require.Positive(t, y.panics)
		require.Positive(t, y.folded)
		t.Logf("%d types, %s: %d ticks in %d runs, %d of them missed ones, %d panics", types, span, ticks, runs, y.missed, y.panics)
	})
	t.Logf("took %s", time.Since(began).Round(time.Millisecond))
}

// live runs the poller for some days with changes of the plan, and stops it for a while.
func (y *year) live(p *Poller, names []string, loc *time.Location) {
	y.begin()
	stop := start(y.t, p)
	for range 1 + y.r.IntN(4) {
		time.Sleep(time.Duration(y.r.Int64N(int64(3 * day))))
		if y.r.IntN(2) == 0 {
			y.setPlan(p, names, loc)
		}
		time.Sleep(12 * time.Hour) // longer than any run, so that a restart never has to look past a change
	}
	stop()
	time.Sleep(time.Duration(y.r.Int64N(int64(day))))
}

// begin is a start: what counts is what was saved.
func (y *year) begin() {
	y.mu.Lock()
	defer y.mu.Unlock()
	for name, l := range y.ledgers {
		if saved, ok := y.state.times[name]; ok {
			if saved.Before(l.cursor) {
				y.t.Errorf("%s: saved %s, accounted for %s", name, saved, l.cursor)
			}
			if n := l.expected(saved); n != 0 {
				y.t.Errorf("%s: %d ticks were lost between %s and %s", name, n, l.cursor, saved)
			}
			l.cursor = saved
		} else {
			l.cursor = clockTime()
		}
		l.earlier, l.dropped = nil, time.Time{}
	}
}

func (y *year) setPlan(p *Poller, names []string, loc *time.Location) {
	crons := []string{"17 */6 * * *", "17 */6 * * *", "0 * * * *", "30 2 * * *", "*/30 1-3 * * 0", "0 12 1 * 1", "45 1 * * *", "off"}
	entries := []Entry{{AllObjects, "11 */4 * * *"}, {names[0], "*/5 * * * *"}, {names[1], "*/15 * * * *"}}
	for _, name := range names[2:] {
		if y.r.IntN(10) == 0 {
			entries = append(entries, Entry{name, crons[y.r.IntN(len(crons))]})
		}
	}
	plan, err := NewPlan(entries, &PlanOptions{Location: loc})
	require.NoError(y.t, err)
	synctest.Wait()
	p.SetPlan(plan, names)
	y.mu.Lock()
	defer y.mu.Unlock()
	for name, l := range y.ledgers {
		s, _ := plan.Schedule(name)
		l.change(s, clockTime())
	}
}

// finish lets everything that is due run, and finds no tick left over.
func (y *year) finish(p *Poller) {
	y.begin()
	y.calm = true
	stop := start(y.t, p)
	time.Sleep(12 * time.Hour)
	status := p.Status()
	stop()
	for _, s := range status {
		l := y.ledgers[s.Type]
		if s.Running || s.Pending {
			y.t.Errorf("%s is not idle", s.Type)
		}
		if s.Schedule != nil && l.expected(s.Next.Add(-1)) != 0 {
			y.t.Errorf("%s: ticks before %s are not accounted for", s.Type, s.Next)
		}
	}
}
