package main

import (
	"math"
	"runtime"
	"testing"
)

// TestRows measures what is cheap to measure, and expects a number in every row.
func TestRows(t *testing.T) {
	for _, s := range sections {
		switch s.name {
		case "window", "cron", "storage", "git", "build", "delay": // need another process, or take long
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if s.name == "written" && runtime.GOOS != "linux" {
				t.Skip("only Linux counts what a process writes")
			}
			rows, err := s.measure(&run{short: true, tmp: t.TempDir()})
			if err != nil || len(rows) == 0 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				figures := []figure{r.ours, r.theirs}
				if r.peer == nobody {
					figures = figures[:1]
				}
				for _, f := range figures {
					if math.IsNaN(f.value) || math.IsInf(f.value, 0) || f.value <= 0 {
						t.Errorf("%s, %s: the figure is %v", r.what, r.peer, f.value)
					}
				}
			}
		})
	}
}

// TestRowsOfErrors has the peers and us answer CRON expressions, of which we must get none wrong and lose no tick.
func TestRowsOfErrors(t *testing.T) {
	posix, err := posixRows(100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range posix {
		if r.ours.value != 0 {
			t.Errorf("%s: %v", r.what, r.ours)
		}
	}
}

// TestWorstWindow: no rolling minute holds more than the limit, and the quota is used.
func TestWorstWindow(t *testing.T) {
	results := worstWindows(t, 1)
	if ours := results[0]; ours.Worst > windowLimit || ours.Share < 95 {
		t.Errorf("%+v, limit is %d", ours, windowLimit)
	}
	if burst := results[1]; burst.Worst <= windowLimit {
		t.Errorf("%+v: the measurement does not see a burst", burst)
	}
}

func TestFigures(t *testing.T) {
	for want, f := range map[string]figure{
		"1.50 µs": {1.5e-6, "s"}, "250 ns": {250e-9, "s"}, "41 s": {41, "s"}, "94 B": {94, "B"}, "6.90 GB": {6.9e9, "B"},
		"105,119": {105119, ""}, "60 requests": {60, "requests"},
	} {
		if got := f.String(); got != want {
			t.Errorf("%v is written as %q, want %q", f.value, got, want)
		}
	}
	r := row{ours: figure{2, "s"}, theirs: figure{5, "s"}}
	if r.ratio() != "2.50x" {
		t.Error(r.ratio())
	}
	if r.higher = true; r.ratio() != "0.40x" {
		t.Error(r.ratio())
	}
}

// TestDelayRows reads the line that the simulation prints.
func TestDelayRows(t *testing.T) {
	line := "    delay_test.go:36: 1 days, 20000 objects, 500 edits a day: with hints mean 179 s, p95 319 s, 6539 requests a day; " +
		"without, every 30 minutes, mean 892 s, p95 1712 s, 8082 requests a day\n"
	rows, err := delayRowsOf([]byte(line))
	if err != nil || len(rows) != 3 || rows[0].ours.value != 179 || rows[1].theirs.value != 1712 || rows[2].ours.value != 6539 {
		t.Fatal(rows, err)
	}
	if _, err := delayRowsOf([]byte("ok")); err == nil {
		t.Fatal("there is no line")
	}
}
