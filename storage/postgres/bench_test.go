package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/postgres"
	"github.com/cxsync/cxsync/storage/postgres/postgrestest"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// benchmark runs f with the file store and with a server that syncs to the disk.
func benchmark(b *testing.B, f func(b *testing.B, h storagetest.Harness)) {
	b.Helper()
	b.Run("file", func(b *testing.B) {
		f(b, storagetest.Harness{Seed: 1, Open: func(tb testing.TB) storage.Store {
			tb.Helper()
			s, err := file.Open(filepath.Join(tb.TempDir(), "store"), nil)
			require.NoError(tb, err)
			return s
		}})
	})
	b.Run("postgres", func(b *testing.B) {
		dsn, n := postgrestest.Start(b), 0
		f(b, storagetest.Harness{Seed: 1, Open: func(tb testing.TB) storage.Store {
			tb.Helper()
			n++
			s, err := postgres.Open(tb.Context(), dsn+" pool_max_conns=16", &postgres.Options{Schema: fmt.Sprint("bench ", n)})
			require.NoError(tb, err)
			return s
		}})
	})
}

func BenchmarkStore(b *testing.B) { benchmark(b, storagetest.RunBenchmarks) }

// BenchmarkHistoryImport50000 is the first pass over a large org.
func BenchmarkHistoryImport50000(b *testing.B) {
	objects := storagetest.Objects(1, 50_000)
	shape := diff.Rules{Ignore: []string{"version", "dateModified", "**.selfUri"}, Sets: []string{"skills"}}
	benchmark(b, func(b *testing.B, h storagetest.Harness) {
		b.Helper()
		for b.Loop() {
			b.StopTimer()
			s := h.Open(b)
			hist, err := history.Open(b.Context(), s, 1, nil)
			require.NoError(b, err)
			b.StartTimer()
			p, err := hist.Begin(b.Context(), "users", shape)
			require.NoError(b, err)
			for i, body := range objects {
				require.NoError(b, p.Observe(b.Context(), history.Object{ID: fmt.Sprintf("user-%06d", i), Name: "User", Body: body}))
			}
			_, err = p.Settle(b.Context(), history.Walk{Complete: true})
			require.NoError(b, err)
			sum, err := p.End(b.Context())
			require.NoError(b, err)
			require.Equal(b, len(objects), sum.Imported)
			b.StopTimer()
			require.NoError(b, s.Close())
			b.StartTimer()
		}
	})
}

// BenchmarkSharedQuota takes permits one by one, with limiters that share a quota that
// lasts.
func BenchmarkSharedQuota(b *testing.B) {
	benchmark(b, func(b *testing.B, h storagetest.Harness) {
		b.Helper()
		for _, limiters := range []int{1, 4, 16} {
			b.Run(strconv.Itoa(limiters), func(b *testing.B) { benchmarkShared(b, h.Open(b), limiters) })
		}
	})
}

func benchmarkShared(b *testing.B, s storage.Store, limiters int) {
	b.Helper()
	l := &ledger{store: s}
	next := make(chan *ratelimit.Limiter, limiters)
	for range limiters {
		limiter, err := ratelimit.New(ratelimit.Limits{Day: 1 << 30}, &ratelimit.Options{Ledger: l})
		require.NoError(b, err)
		next <- limiter
	}
	ctx := ratelimit.WithPriority(b.Context(), ratelimit.Interactive)
	b.SetParallelism(max(1, limiters/2)) // on two processors
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		limiter := <-next
		for pb.Next() {
			permit, err := limiter.Acquire(ctx)
			if err != nil {
				b.Error(err)
				return
			}
			permit.Done()
		}
		next <- limiter
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "permits/s")
	b.ReportMetric(float64(l.swaps.Load())/b.Elapsed().Seconds(), "swaps/s")
	b.ReportMetric(float64(l.lost.Load())/float64(b.N), "lost/op")
	require.NoError(b, s.Close())
}

// ledger keeps a quota as package environment does.
type ledger struct {
	store       storage.Store
	swaps, lost atomic.Int64
}

const quotaKey = "quota/1"

func (l *ledger) Load(ctx context.Context) ([]byte, error) {
	content, err := l.store.Get(ctx, quotaKey)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return content, err
}

func (l *ledger) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	var b storage.Batch
	if prev == nil {
		b.RequireAbsent(quotaKey)
	} else {
		b.Require(quotaKey, prev)
	}
	b.Put(quotaKey, next)
	err := l.store.Commit(ctx, &b)
	if errors.Is(err, storage.ErrConflict) {
		l.lost.Add(1)
		return false, nil
	}
	if err == nil {
		l.swaps.Add(1)
	}
	return err == nil, err
}
