package soak_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/wrongclock"
)

// In the long form one of the processes of the month has a wrong wall clock for a week: it leaps every few hours, by
// seconds, hours, a day or years, ahead and behind. The goroutines of that process are told from those of the world and
// of the other process by their profiling label, which a goroutine hands on to those that it starts.

// skewLabel is the label of the goroutines whose wall clock is off by what setSkew sets. That is nil in a binary that
// wrongclock.Build has not built: there all clocks are right.
var (
	skewLabel = pprof.WithLabels(context.Background(), pprof.Labels("clock", "wrong"))
	setSkew   func(time.Duration)
)

// runSkewed runs this test in a binary in which a clock can be wrong.
func runSkewed(t *testing.T) {
	t.Helper()
	binary := wrongclock.Build(t)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^TestMonth$", "-test.v", "-test.timeout", "0",
		"-month", strconv.Itoa(*monthDays), "-seed", strconv.FormatUint(*monthSeed, 10))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	lives, err := cmd.StdinPipe() // it ends with this process
	require.NoError(t, err)
	defer func() { _ = lives.Close() }()
	require.NoError(t, cmd.Run())
}

// endWithParent ends the process when the one that has started it is gone.
func endWithParent() {
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(1)
}

// inside calls f by the clock of the process.
func (p *monthProcess) inside(f func()) {
	pprof.SetGoroutineLabels(p.labels)
	defer pprof.SetGoroutineLabels(context.Background())
	f()
}

// outside calls f, which is called by the process, by the right clock.
func (p *monthProcess) outside(f func()) {
	pprof.SetGoroutineLabels(context.Background())
	defer pprof.SetGoroutineLabels(p.labels)
	f()
}

// tryClock sees that only the wall clock can be set, and only that of the process.
func (m *month) tryClock() {
	p := &monthProcess{labels: skewLabel}
	began := time.Now()
	setSkew(time.Hour)
	p.inside(func() {
		timer := make(chan time.Time, 1)
		time.AfterFunc(time.Second, func() { timer <- time.Now() })
		for _, wrong := range []time.Time{time.Now(), <-timer} {
			require.InDelta(m.t, time.Hour, wrong.Round(0).Sub(began.Round(0)), float64(time.Second))
			require.InDelta(m.t, 0, wrong.Sub(began), float64(time.Second))
		}
		p.outside(func() { require.Equal(m.t, time.Second, time.Now().Round(0).Sub(began.Round(0))) })
	})
	setSkew(0)
}

// planClock draws when the clock of the process in the slot m.wrong leaps. The draws have a source of their own.
func (m *month) planClock() {
	if setSkew == nil {
		return
	}
	m.tryClock()
	dice := rand.New(rand.NewPCG(*monthSeed, 48))
	within := func(d time.Duration) time.Duration { return time.Duration(dice.Int64N(int64(d) + 1)) }
	m.wrong = dice.IntN(len(m.procs))
	left := time.Until(m.ends)
	week := min(7*24*time.Hour, left-time.Hour)
	begin := time.Now().Add(within(left - week))
	amounts := []time.Duration{3 * time.Second, 20 * time.Second, 10 * time.Minute, 5 * time.Hour, 24 * time.Hour, 3650 * 24 * time.Hour}
	for at := begin; at.Before(begin.Add(week)); at = at.Add(time.Minute + within(6*time.Hour)) {
		amount := amounts[m.counts["clock leaps"]%len(amounts)]
		skew := amount/2 + within(amount/2)
		if dice.IntN(2) == 0 {
			skew = -skew
		}
		m.counts["clock leaps"]++
		m.at(at, func() { setSkew(skew) })
	}
	m.at(begin.Add(week), func() { setSkew(0) })
}
