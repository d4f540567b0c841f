package main

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// A contender is timed.
type contender struct {
	name string // with the version, unless it is ours
	loop func(b *testing.B)
}

// A timing is what a contender took for one operation.
type timing struct {
	seconds float64 // of CPU, garbage collection included
	allocs  int64
}

func (t timing) figure() figure { return figure{t.seconds, "s"} }

// compete times contenders, which take turns, and returns the median of each.
func (r *run) compete(contenders ...contender) ([]timing, error) {
	runs := make([][]timing, len(contenders))
	for range r.pick(1, 3) {
		for i, c := range contenders {
			var cpu float64
			result := testing.Benchmark(func(b *testing.B) {
				b.Helper()
				b.ReportAllocs()
				before := cpuSeconds()
				c.loop(b)
				cpu = cpuSeconds() - before
			})
			if result.N == 0 || cpu == 0 {
				return nil, fmt.Errorf("%s failed", c.name)
			}
			runs[i] = append(runs[i], timing{cpu / float64(result.N), result.AllocsPerOp()})
		}
	}
	medians := make([]timing, len(contenders))
	for i := range runs {
		medians[i] = median(runs[i], func(t timing) float64 { return t.seconds })
	}
	return medians, nil
}

// timed returns a row for each contender but the first, which is ours.
func (r *run) timed(what string, contenders ...contender) ([]row, error) {
	times, err := r.compete(contenders...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var rows []row
	for i, peer := range contenders[1:] {
		rows = append(rows, row{
			what: what, ours: times[0].figure(), peer: peer.name, theirs: times[i+1].figure(),
			note: fmt.Sprintf("%s allocations, theirs %s", grouped(float64(times[0].allocs)), grouped(float64(times[i+1].allocs))),
		})
	}
	return rows, nil
}

func median[T any](all []T, by func(T) float64) T {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b T) int {
		switch x, y := by(a), by(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return sorted[len(sorted)/2]
}

// named returns a peer's name with the version of the module that this program was built with.
func named(name, module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return name + " " + strings.TrimPrefix(m.Version, "v")
		}
	}
	return name
}
