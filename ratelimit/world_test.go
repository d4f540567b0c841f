package ratelimit

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An observer stands for the server: it notes when requests arrive.
type observer struct {
	mu       sync.Mutex
	arrivals []time.Time
}

func (o *observer) arrive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrivals = append(o.arrivals, time.Now())
}

// answer returns a response that tells the server's time.
func (o *observer) answer() *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}}
}

// rollingMax is the greatest number of arrivals in any window that begins at
// since or later.
func (o *observer) rollingMax(window time.Duration, since time.Time) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.SortFunc(o.arrivals, time.Time.Compare)
	most, first := 0, 0
	for i, t := range o.arrivals {
		for o.arrivals[first].Before(since) && first < i || t.Sub(o.arrivals[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func (o *observer) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.arrivals)
}

// A memoryLedger is a ledger for several limiters of one process. The zero value is empty.
type memoryLedger struct {
	mu      sync.Mutex
	content []byte
}

func (m *memoryLedger) Load(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.content, nil
}

func (m *memoryLedger) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if (prev == nil) != (m.content == nil) || !bytes.Equal(prev, m.content) {
		return false, nil
	}
	m.content = bytes.Clone(next)
	return true, nil
}

var errLedgerDown = errors.New("the ledger is down")

// A slowLedger takes its time, and fails at times: before or after it has done
// its work, or with a write that is carried out later. Once dead it is the ledger
// of a process that was killed.
type slowLedger struct {
	Ledger
	mu      sync.Mutex
	rng     *rand.Rand
	latency time.Duration // at most, each way
	faults  float64
	dead    bool
	late    sync.WaitGroup
	swaps   atomic.Int64
	loads   atomic.Int64
}

func newSlowLedger(l Ledger, rng *rand.Rand, latency time.Duration) *slowLedger {
	return &slowLedger{Ledger: l, rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), latency: latency}
}

func (s *slowLedger) travel(ctx context.Context) error {
	s.mu.Lock()
	var d time.Duration
	if s.latency > 0 {
		d = time.Duration(s.rng.Int64N(int64(s.latency)))
	}
	fault := s.rng.Float64() < s.faults
	if fault && s.rng.IntN(10) == 0 {
		d = time.Hour // no answer at all
	}
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || fault {
		return errLedgerDown
	}
	return ctx.Err()
}

func (s *slowLedger) Load(ctx context.Context) ([]byte, error) {
	s.loads.Add(1)
	if err := s.travel(ctx); err != nil {
		return nil, err
	}
	content, err := s.Ledger.Load(ctx)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(content), s.travel(ctx)
}

func (s *slowLedger) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	s.swaps.Add(1)
	s.mu.Lock()
	isLate := s.rng.Float64() < s.faults/2 && !s.dead
	after := time.Duration(s.rng.Int64N(int64(20 * time.Second)))
	s.mu.Unlock()
	if isLate {
		s.late.Go(func() {
			time.Sleep(after)
			_, _ = s.Ledger.Swap(context.Background(), prev, next)
		})
		return false, errLedgerDown
	}
	if err := s.travel(ctx); err != nil {
		return false, err
	}
	ok, err := s.Ledger.Swap(ctx, prev, next)
	if err != nil {
		return false, err
	}
	return ok, s.travel(ctx)
}

func (s *slowLedger) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

func (s *slowLedger) setFaults(faults float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults
}

func mustNew(tb testing.TB, limits Limits, opts *Options) *Limiter {
	tb.Helper()
	l, err := New(limits, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// mustAcquire returns a permit of an interactive caller, which nothing spreads out.
func mustAcquire(tb testing.TB, l *Limiter) Permit {
	tb.Helper()
	p, err := l.Acquire(WithPriority(tb.Context(), Interactive))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func mustAcquireBackground(tb testing.TB, l *Limiter) Permit {
	tb.Helper()
	p, err := l.Acquire(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
