package ratelimit

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func BenchmarkAcquireDone(b *testing.B) {
	for name, ctx := range map[string]context.Context{
		"background":  context.Background(),
		"interactive": WithPriority(context.Background(), Interactive),
	} {
		b.Run(name, func(b *testing.B) {
			const n = 60000
			l := mustNew(b, Limits{Minute: n}, nil)
			b.ReportAllocs()
			for b.Loop() {
				if l.cooling.n == n/10 { // as many background requests may go at once
					b.StopTimer()
					l = mustNew(b, Limits{Minute: n}, nil)
					l.cooling.ring = make([]int64, n/10)
					b.StartTimer()
				}
				p, err := l.Acquire(ctx)
				if err != nil {
					b.Fatal(err)
				}
				p.Done()
			}
		})
	}
}

// Limiters that share a ledger admit requests as fast as they can, for a quota
// that lasts. The figures tell what the ledger costs.
func BenchmarkSharedLedger(b *testing.B) {
	for _, latency := range []time.Duration{0, time.Millisecond} {
		for _, n := range []int{1, 4, 16} {
			b.Run(fmt.Sprintf("limiters=%d/latency=%s", n, latency), func(b *testing.B) {
				ledger := &delayedLedger{Ledger: new(memoryLedger), latency: latency}
				ctx := WithPriority(b.Context(), Interactive)
				var left atomic.Int64
				left.Store(int64(b.N))
				var all sync.WaitGroup
				b.ResetTimer()
				for range n {
					l := mustNew(b, Limits{Day: 1 << 30}, &Options{Ledger: ledger})
					all.Go(func() {
						for left.Add(-1) >= 0 {
							p, err := l.Acquire(ctx)
							if err != nil {
								b.Error(err)
								return
							}
							p.Done()
						}
					})
				}
				all.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
				b.ReportMetric(float64(ledger.swaps.Load())/float64(b.N)*1000, "swaps/1000")
			})
		}
	}
}

// A delayedLedger answers a while after it was asked.
type delayedLedger struct {
	Ledger
	latency time.Duration
	swaps   atomic.Int64
}

func (d *delayedLedger) Load(ctx context.Context) ([]byte, error) {
	defer d.wait()
	return d.Ledger.Load(ctx)
}

func (d *delayedLedger) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	defer d.wait()
	d.swaps.Add(1)
	return d.Ledger.Swap(ctx, prev, next)
}

func (d *delayedLedger) wait() {
	if d.latency > 0 {
		time.Sleep(d.latency)
	}
}

// A full limiter for 60,000 requests a day takes 8 bytes for each of them and little more.
func TestMemory(t *testing.T) {
	const n = 60000
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	l := mustNew(t, Limits{Day: n}, nil)
	permits := make(chan Permit, 100)
	for range n {
		permits <- mustAcquire(t, l)
		if len(permits) == cap(permits) {
			(<-permits).Done()
		}
	}
	for len(permits) > 0 {
		(<-permits).Done()
	}
	used := heap() - before
	t.Logf("%d bytes for %s", used, l.State())
	if used > n*8+30_000 {
		t.Errorf("a full limiter of %d takes %d bytes, want at most %d", n, used, n*8+30_000)
	}
	if got := l.State().Free; got != 0 {
		t.Errorf("%d slots are free after %d requests", got, n)
	}
}

func TestAcquireDoneDoesNotAllocate(t *testing.T) {
	ctx, cancel := context.WithTimeout(WithPriority(t.Context(), Interactive), time.Hour)
	defer cancel()
	l := mustNew(t, Limits{Minute: 100000}, nil)
	for range 1 << 15 { // the log has grown to its size
		mustAcquire(t, l).Done()
	}
	avg := testing.AllocsPerRun(100, func() {
		p, err := l.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p.Done()
	})
	if avg != 0 {
		t.Errorf("an uncontended request allocates %v times, want 0", avg)
	}
}
