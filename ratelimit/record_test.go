package ratelimit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A remembered ledger is that of one limiter, and checks that what the limiter remembers of the
// content is what the content says.
type remembered struct {
	Ledger
	tb      testing.TB
	limiter *Limiter
	hits    int // looks that found what was remembered
}

// Load is called by the goroutine of the renewal, which alone uses what is remembered.
func (m *remembered) Load(ctx context.Context) ([]byte, error) {
	content, err := m.Ledger.Load(ctx)
	known := m.limiter.share.record
	if err != nil || known == nil || content == nil || !bytes.Equal(content, m.limiter.share.content) {
		return content, err
	}
	m.hits++
	want, err := readRecord(content, m.limiter.term())
	require.NoError(m.tb, err)
	if again, _ := readRecord(content, m.limiter.term()); again.Rev != want.Rev {
		want.Rev = known.Rev // a random one, as the content is unreadable
	}
	require.Equal(m.tb, mustMarshal(m.tb, want), mustMarshal(m.tb, known), "%s", content)
	return content, nil
}

func mustMarshal(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	require.NoError(tb, err)
	return string(b)
}

// What a limiter remembers of a ledger, instead of decoding it again, is what the ledger holds,
// whatever it held first and however reads and writes fail.
func TestWhatIsRememberedOfALedgerIsWhatItHolds(t *testing.T) {
	for name, content := range map[string][]byte{
		"nothing":    nil,
		"empty":      {},
		"unreadable": []byte("{"),
		"last but one revision": fmt.Appendf(nil, `{"version":3,"rev":%d,"holders":{}}`,
			int64(math.MaxInt64-2)),
		"one of whom nothing will be left": []byte(`{"version":3,"rev":7,"holders":{
			"a":{"rev":7,"share":5,"done":[{"age":0,"n":1},{"age":30000000000,"n":2}]}}}`),
		"many who are over": manyHolders(2 * maxHolders),
	} {
		for _, faults := range []float64{0, 0.3} {
			t.Run(fmt.Sprintf("%s, %.0f%% faults", name, 100*faults), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					shared := &memoryLedger{content: content}
					ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
					ctx = WithPriority(ctx, Interactive)
					defer cancel()
					var all sync.WaitGroup
					ledgers := make([]*remembered, 2)
					for i := range ledgers {
						rng := rand.New(rand.NewPCG(1, uint64(i)))
						slow := newSlowLedger(shared, rng, 100*time.Millisecond)
						slow.faults = faults
						ledger := &remembered{Ledger: slow, tb: t}
						ledger.limiter = mustNew(t, Limits{Minute: 10}, &Options{Ledger: ledger})
						tell(ledger.limiter)
						ledgers[i] = ledger
						for range 6 {
							own := rand.New(rand.NewPCG(rng.Uint64(), 0))
							all.Go(func() { greedy(ctx, ledger.limiter, new(observer), 5*time.Second, own) })
						}
					}
					all.Wait()
					time.Sleep(time.Hour)
					require.Positive(t, ledgers[0].hits+ledgers[1].hits)
				})
			})
		}
	}
}

// A look at the ledger that leads to no write leaves what is remembered as the ledger has it.
func TestDraftThatIsNotWrittenChangesNothing(t *testing.T) {
	content := manyHolders(2 * maxHolders)
	l := mustNew(t, Limits{Minute: 10}, nil)
	r, err := readRecord(content, l.term())
	require.NoError(t, err)
	l.share.seen = map[entry]int64{} // each of them for longer than a window
	for id, h := range r.Holders {
		l.share.seen[entry{id, h.Rev}] = -int64(time.Hour)
	}
	require.False(t, l.draft(r, true))
	require.JSONEq(t, string(content), mustMarshal(t, r))
}

// manyHolders returns a record of holders that started nothing any more and have one request each
// that is over.
func manyHolders(n int) []byte {
	r := record{Version: recordVersion, Rev: int64(n), Holders: map[string]*holder{}}
	for i := range n {
		r.Holders[strconv.Itoa(i)] = &holder{
			Rev: int64(i), At: time.Date(2000, 1, 1, 0, 0, 0, i, time.UTC).UnixNano(),
			Share: 1, Done: []cohort{{0, 1}},
		}
	}
	content, _ := json.Marshal(r)
	return content
}
