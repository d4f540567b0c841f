//go:build unix

package history

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage/file"
)

// BenchmarkUnchangedPass is a pass over 50,000 objects of which none changed,
// in the file store. live-B/object is what the pass keeps in memory.
func BenchmarkUnchangedPass(b *testing.B) {
	s, err := file.Open(b.TempDir()+"/store", nil)
	require.NoError(b, err)
	defer s.Close()
	h, err := Open(b.Context(), s, 1, nil)
	require.NoError(b, err)
	o := newOrg(50_000)
	o.pass(b, h)
	bodies := make([][]byte, len(o.objects))
	size := 0
	for i, x := range o.objects {
		bodies[i] = x.body()
		size += len(bodies[i])
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var live uint64
	for b.Loop() {
		p, err := h.Begin(b.Context(), "users", orgShape)
		require.NoError(b, err)
		for i, x := range o.objects {
			if err := p.Observe(b.Context(), x.object(bodies[i])); err != nil {
				b.Fatal(err)
			}
		}
		_, err = p.Settle(b.Context(), Walk{Complete: true})
		require.NoError(b, err)
		if live == 0 {
			b.StopTimer()
			live = heap() // with the pass
			sum, err := p.End(b.Context())
			require.NoError(b, err)
			require.Equal(b, len(o.objects), sum.Unchanged)
			h.passes["users"], p = nil, nil
			live -= heap()
			b.StartTimer()
			continue
		}
		_, err = p.End(b.Context())
		require.NoError(b, err)
	}
	b.ReportMetric(float64(live)/float64(len(o.objects)), "live-B/object")
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
