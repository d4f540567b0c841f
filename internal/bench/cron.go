package main

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/adhocore/gronx"
	"github.com/robfig/cron/v3"

	"github.com/cxsync/cxsync/poller"
)

var (
	robfigCron = named("robfig/cron", "github.com/robfig/cron/v3")
	gronxCron  = named("gronx", "github.com/adhocore/gronx")
)

// A next finds the firing after a time.
type next func(time.Time) time.Time

// nexts returns what parses an expression once, and gronx, which parses it at each call.
func nexts(expr string, loc *time.Location) (ours, robfig, gron next, err error) {
	schedule, err := poller.ParseSchedule(expr, loc)
	if err != nil {
		return nil, nil, nil, err
	}
	peer, err := cron.ParseStandard(expr)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("robfig: %q: %w", expr, err)
	}
	gron = func(t time.Time) time.Time {
		next, err := gronx.NextTickAfter(expr, t, false)
		if err != nil {
			return time.Time{}
		}
		return next
	}
	return schedule.Next, peer.Next, gron, nil
}

func cronRows(r *run) ([]row, error) {
	rows, err := nextRows(r)
	if err != nil {
		return nil, err
	}
	posix, err := posixRows(r.pick(500, 6000))
	if err != nil {
		return nil, err
	}
	lost, err := lostRows(r.pick(1, 3))
	return append(append(rows, posix...), lost...), err
}

func nextRows(r *run) (rows []row, err error) {
	for _, zone := range []string{"UTC", "America/New_York"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return nil, err
		}
		for _, expr := range []string{"* * * * *", "0 * * * *", "0 9 * * 1-5", "59 23 31 12 *", "0 0 29 2 *"} {
			ours, robfig, gron, err := nexts(expr, loc)
			if err != nil {
				return nil, err
			}
			more, err := r.timed("next firing of "+expr+", "+zone,
				contender{"cxsync", follow(ours, loc)}, contender{robfigCron, follow(robfig, loc)}, contender{gronxCron, follow(gron, loc)})
			if err != nil {
				return nil, err
			}
			rows = append(rows, more...)
		}
	}
	return rows, nil
}

// follow goes from firing to firing.
func follow(next next, loc *time.Location) func(*testing.B) {
	return func(b *testing.B) {
		b.Helper()
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, loc)
		t := start
		for b.Loop() {
			if t = next(t); t.IsZero() {
				b.Fatal("no next firing")
			}
			if t.Year() > 2090 { // 2100 has no 29 February, and robfig gives up after five years
				t = start
			}
		}
	}
}
