package history

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// A burst is a history in which many objects were edited, and audits that tell of it.
type burst struct {
	tb      testing.TB
	h       *History
	store   *countingStore
	now     time.Time
	read    time.Time
	records []Evidence
}

func newBurst(tb testing.TB, n, batch int) *burst {
	tb.Helper()
	b := &burst{tb: tb, store: &countingStore{Store: memory.New()}, now: joinDay}
	opts := &Options{Models: auditModels, BatchObjects: batch, Clock: func() (time.Time, time.Time, bool) { return b.now, b.now, true }}
	var err error
	b.h, err = Open(tb.Context(), b.store, 1, opts)
	require.NoError(tb, err)
	for value := range 2 {
		b.now = b.now.Add(time.Hour)
		p, err := b.h.Begin(tb.Context(), "queues", diff.Rules{})
		require.NoError(tb, err)
		for i := range n {
			require.NoError(tb, p.Observe(tb.Context(), Object{ID: fmt.Sprintf("q%05d", i), Body: fmt.Appendf(nil, `{"n":%d}`, value)}))
		}
		_, err = p.Settle(tb.Context(), Walk{Complete: true})
		require.NoError(tb, err)
		_, err = p.End(tb.Context())
		require.NoError(tb, err)
		if value == 0 {
			b.read = b.now
			b.attribute(nil)
		}
	}
	for i := range n {
		id := fmt.Sprintf("q%05d", i)
		b.records = append(b.records, Evidence{
			ID: "r" + id, At: b.now.Add(-time.Hour / 2).Add(time.Duration(i) * time.Millisecond), Targets: []Target{{Type: "queues", ID: id}},
			Entity: "Queue", Object: id, Action: "Update", Actor: Actor{ID: "ann"}, Properties: []string{"n"},
		})
	}
	b.store.read = 0
	return b
}

func (b *burst) attribute(records []Evidence) {
	require.NoError(b.tb, b.h.Attribute(b.tb.Context(), AuditsRead{Records: records, Read: map[string]Span{"": {b.read, b.now}}}, nil))
	b.read = b.now
}

// A burst of changes, such as an import of a whole configuration, costs as much for each change however many there are.
func BenchmarkAttributeBurst(b *testing.B) {
	for _, n := range []int{2_000, 8_000, 32_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				burst := newBurst(b, n, 0)
				b.StartTimer()
				burst.attribute(nil)           // the changes are seen first
				burst.attribute(burst.records) // audits come later
				burst.now = burst.now.Add(25 * time.Hour)
				burst.attribute(nil)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*b.N), "µs/change")
		})
	}
}

// A countingStore counts the entries that are read.
type countingStore struct {
	storage.Store
	read int
}

func (s *countingStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.read++
	return s.Store.Get(ctx, key)
}

func (s *countingStore) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range s.Store.Scan(ctx, r) {
			s.read++
			if !yield(e, err) {
				return
			}
		}
	}
}

// What is read for each change of a burst does not grow with the burst.
func TestAttributionsOfABurstCostTheSame(t *testing.T) {
	t.Parallel()
	cost := func(n int) float64 {
		b := newBurst(t, n, 20)
		b.attribute(nil)
		b.attribute(b.records)
		b.now = b.now.Add(25 * time.Hour)
		b.attribute(nil)
		return float64(b.store.read) / float64(n)
	}
	few, many := cost(100), cost(1000)
	require.Less(t, many, 1.1*few)
	t.Log(few, many)
}
