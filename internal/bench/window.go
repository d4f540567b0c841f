package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/cxsync/cxsync/ratelimit"
)

// Strictness is measured in virtual time: a greedy client sends for half an hour
// under a limit of 60 a minute, with a latency of 0.02 to 0.22 s each way, and
// what counts is what arrives in the worst rolling minute.
const (
	windowLimit  = 60
	windowLength = 30 * time.Minute
)

// A windowResult is what came of one limiter.
type windowResult struct {
	Name  string
	Worst int     // requests in the worst rolling minute
	Share float64 // of the quota, in percent
}

// windowRows runs this program again, as a test, because virtual time is to be had in a test only.
func windowRows(r *run) ([]row, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.tmp, "windows.json")
	out, err := exec.Command(self, "-windows", file, fmt.Sprintf("-short=%v", r.short)).CombinedOutput() //nolint:noctx // it ends by itself
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var results []windowResult
	if err := json.Unmarshal(data, &results); err != nil {
		return nil, err
	}
	var rows []row
	ours := results[0]
	for _, peer := range results[1:] {
		rows = append(rows, row{
			what: "limiter, worst rolling minute for N=60", ours: figure{float64(ours.Worst), "requests"},
			peer: peer.Name, theirs: figure{float64(peer.Worst), "requests"},
			note: fmt.Sprintf("quota used: %.1f %%, theirs %.1f %%", ours.Share, peer.Share),
		})
	}
	return rows, nil
}

// windowsChild measures and exits.
func windowsChild(file string, short bool) {
	testing.Main(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "windows", F: func(t *testing.T) {
		t.Helper()
		data, err := json.Marshal(worstWindows(t, map[bool]uint64{true: 1, false: 5}[short]))
		if err == nil {
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}}}, nil, nil)
}

// take waits for a request's turn and returns what to call when it is over.
type take func(context.Context) (done func(), err error)

func nothing() {}

func waits(w waiter) take {
	return func(ctx context.Context) (func(), error) { return nothing, w.Wait(ctx) }
}

func takes(l uber.Limiter) take {
	return func(ctx context.Context) (func(), error) {
		l.Take()
		return nothing, ctx.Err()
	}
}

// worstWindows measures our limiter, which comes first, and the peers.
func worstWindows(t *testing.T, seeds uint64) (results []windowResult) {
	t.Helper()
	for _, limiter := range []struct {
		name string
		new  func() take
	}{
		{"cxsync", func() take {
			l, err := ratelimit.New(ratelimit.Limits{Minute: windowLimit}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return func(ctx context.Context) (func(), error) {
				p, err := l.Acquire(ctx)
				return p.Done, err
			}
		}},
		{timeRate + ", burst N", func() take { return waits(rate.NewLimiter(windowLimit/60.0, windowLimit)) }},
		{timeRate + ", burst 1", func() take { return waits(rate.NewLimiter(windowLimit/60.0, 1)) }},
		{uberLimit, func() take { return takes(uber.New(windowLimit, uber.Per(time.Minute))) }},
		{uberLimit + ", no slack", func() take { return takes(uber.New(windowLimit, uber.Per(time.Minute), uber.WithoutSlack)) }},
		{"exact log", func() take { return waits(newExactLog(windowLimit, time.Minute)) }},
	} {
		worst, sent := 0, 0
		for seed := range seeds {
			synctest.Test(t, func(t *testing.T) {
				arrivals := greedy(t, limiter.new(), 2*windowLimit, seed)
				worst, sent = max(worst, rollingMax(arrivals, time.Minute)), sent+len(arrivals)
			})
		}
		share := float64(sent) / float64(seeds) / windowLimit / windowLength.Minutes()
		results = append(results, windowResult{limiter.name, worst, 100 * share})
	}
	return results
}

// greedy pauses for a while in the middle, so that whoever saves up can do so.
func greedy(t *testing.T, next take, workers int, seed uint64) (arrivals []time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), windowLength)
	defer cancel()
	pause := time.Now().Add(windowLength / 2)
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range workers {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		travel := func() { sleep(20*time.Millisecond + time.Duration(rng.Int64N(int64(200*time.Millisecond)))) }
		all.Go(func() {
			for {
				if d := time.Since(pause); d > 0 && d < time.Minute {
					sleep(time.Minute - d)
				}
				done, err := next(ctx)
				if err != nil {
					return
				}
				travel()
				mu.Lock()
				arrivals = append(arrivals, time.Now())
				mu.Unlock()
				travel()
				done()
			}
		})
	}
	all.Wait()
	return arrivals
}

func sleep(d time.Duration) { <-time.After(d) }

func rollingMax(arrivals []time.Time, window time.Duration) int {
	slices.SortFunc(arrivals, time.Time.Compare)
	most, first := 0, 0
	for i, t := range arrivals {
		for t.Sub(arrivals[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
