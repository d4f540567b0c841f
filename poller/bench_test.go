package poller

import (
	"context"
	"fmt"
	"testing"
	"time"
)

var benchSchedules = []string{"* * * * *", "*/5 * * * *", "0 9 * * 1-5", "59 23 31 12 *", "0 0 29 2 *"}

func BenchmarkNext(b *testing.B) {
	for _, zone := range []string{"UTC", "America/New_York"} {
		loc := load(b, zone)
		for _, cron := range benchSchedules {
			b.Run(zone+"/"+cron, func(b *testing.B) {
				s := must(ParseSchedule(cron, loc))
				t := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
				b.ReportAllocs()
				for b.Loop() {
					t = s.Next(t)
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		must(ParseSchedule("*/5 8-18 * * MON-FRI", nil))
	}
}

func BenchmarkCountYear(b *testing.B) {
	s := must(ParseSchedule("* * * * *", load(b, "America/New_York")))
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		s.Count(from, from.AddDate(1, 0, 0))
	}
}

func BenchmarkFiringsPerDay(b *testing.B) {
	s := must(ParseSchedule("*/5 8-18 1-7 * */7", nil))
	for b.Loop() {
		s.FiringsPerDay()
	}
}

// BenchmarkMinute is the work of one minute for a plan of 306 types: its ticks and the runs of jobs that do nothing.
func BenchmarkMinute(b *testing.B) {
	plans := map[string]func(i int) string{
		"every minute":     func(int) string { return "* * * * *" },
		"every 5 minutes":  func(int) string { return "*/5 * * * *" },
		"hourly, all else": func(i int) string { return fmt.Sprintf("%d * %d-31 * *", i%60, 1+i/60) },
	}
	for name, cron := range plans {
		b.Run(name, func(b *testing.B) {
			var entries []Entry
			var types []string
			for i := range 306 {
				types = append(types, fmt.Sprintf("type%d", i))
				entries = append(entries, Entry{types[i], cron(i)})
			}
			plan, err := NewPlan(entries, &PlanOptions{Location: load(b, "America/New_York")})
			if err != nil {
				b.Fatal(err)
			}
			p := New(func(context.Context, Firing) error { return nil }, &Options{Spread: 30 * time.Second})
			p.SetPlan(plan, types)
			if err := p.begin(nil); err != nil {
				b.Fatal(err)
			}
			now := clockTime()
			for b.Loop() {
				now = now.Add(time.Minute)
				p.tick(now, false)
				p.workers++
				p.work(b.Context())
			}
		})
	}
}
