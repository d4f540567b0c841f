package postgres_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

const (
	time10s = 10 * time.Second
	tick    = 20 * time.Millisecond
)

// TestCommitsAreSerializable lets commits meet that read, write and delete the
// same few keys, absent ones and ranges too. What has come out must be what some
// order of them, one after the other, gives in the memory store. So it is where a
// commit has to begin its own transaction, because the default isolation is another.
func TestCommitsAreSerializable(t *testing.T) {
	for _, params := range []string{"", " options='-c default_transaction_isolation=serializable'"} {
		t.Run(params, func(t *testing.T) { commitsAreSerializable(t, open(t, dsn(t)+params, schema(t))) })
	}
}

func commitsAreSerializable(t *testing.T, s storage.Store) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	before := map[string]string{}
	conflicts := 0
	for round := range 120 {
		batches := make([]*storage.Batch, 3)
		errs := make([]error, len(batches))
		var wg sync.WaitGroup
		for i := range batches {
			batches[i] = meeting(rng, before, fmt.Sprint(round, i))
			wg.Go(func() { errs[i] = s.Commit(t.Context(), batches[i]) })
		}
		wg.Wait()
		for _, err := range errs {
			if errors.Is(err, storage.ErrConflict) {
				conflicts++
			} else {
				require.NoError(t, err)
			}
		}
		after := contents(t, s)
		if !explained(t, before, after, batches, errs) {
			t.Fatalf("round %d: no order of the commits leads from %v to %v with the errors %v", round, before, after, errs)
		}
		before = after
	}
	require.Positive(t, conflicts)
	require.Less(t, conflicts, 360)
}

// meeting returns a batch over a few keys of two environments.
func meeting(rng *rand.Rand, now map[string]string, value string) *storage.Batch {
	key := func() string { return fmt.Sprintf("e/%d/%c", rng.IntN(2), 'a'+rng.IntN(3)) }
	var b storage.Batch
	for range 1 + rng.IntN(2) {
		k := key()
		if v, ok := now[k]; ok {
			b.Require(k, []byte(v))
		} else {
			b.RequireAbsent(k)
		}
	}
	for range 1 + rng.IntN(3) {
		switch n := rng.IntN(10); {
		case n < 6:
			b.Put(key(), []byte(value))
		case n < 8:
			b.Delete(key())
		case n < 9:
			b.DeleteRange(storage.Range{Start: key(), End: fmt.Sprintf("e/%d", rng.IntN(3))})
		default:
			b.DeleteRange(storage.Prefix(key()[:4]))
		}
	}
	return &b
}

func contents(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for e, err := range s.Scan(t.Context(), storage.Range{}) {
		require.NoError(t, err)
		all[e.Key] = string(e.Value)
	}
	return all
}

// explained reports whether an order of the batches leads to what has come out.
func explained(t *testing.T, before, after map[string]string, batches []*storage.Batch, errs []error) bool {
	t.Helper()
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		s := memory.New()
		var b storage.Batch
		for key, value := range before {
			b.Put(key, []byte(value))
		}
		require.NoError(t, s.Commit(t.Context(), &b))
		same := true
		for _, i := range order {
			err := s.Commit(t.Context(), batches[i])
			same = same && (err == nil) == (errs[i] == nil)
		}
		if same && maps.Equal(contents(t, s), after) {
			return true
		}
	}
	return false
}
