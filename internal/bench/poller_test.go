package bench

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/adhocore/gronx"
	"github.com/robfig/cron/v3"

	"github.com/cxsync/cxsync/poller"
)

// BenchmarkNextFiring follows a schedule from firing to firing. cxsync and robfig parse once; gronx parses at each call.
func BenchmarkNextFiring(b *testing.B) {
	for _, zone := range []string{"UTC", "America/New_York"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			b.Fatal(err)
		}
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, loc)
		for _, expr := range []string{"* * * * *", "0 * * * *", "0 9 * * 1-5", "59 23 31 12 *", "0 0 29 2 *"} {
			ours, err := poller.ParseSchedule(expr, loc)
			if err != nil {
				b.Fatal(err)
			}
			robfig, err := cron.ParseStandard(expr)
			if err != nil {
				b.Fatal(err)
			}
			peers := []struct {
				name string
				next func(time.Time) time.Time
			}{
				{"cxsync", ours.Next},
				{"robfig", robfig.Next},
				{"gronx", func(t time.Time) time.Time {
					next, err := gronx.NextTickAfter(expr, t, false)
					if err != nil {
						b.Fatal(err)
					}
					return next
				}},
			}
			for _, peer := range peers {
				b.Run(zone+"/"+expr+"/"+peer.name, func(b *testing.B) {
					b.ReportAllocs()
					t := start
					for n := 0; b.Loop(); n++ {
						if n%10 == 0 { // stay where robfig looks, which gives up after five years
							t = start
						}
						t = peer.next(t)
					}
				})
			}
		}
	}
}
