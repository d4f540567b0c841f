package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
)

// TestVerifyPassesWhatIsSound grows and shrinks a store with trees of several
// levels: neither Verify nor Open may complain of what bbolt writes.
func TestVerifyPassesWhatIsSound(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	path := newPath(t)
	s, err := Open(path, &Options{NoSync: true})
	require.NoError(t, err)
	pad := strings.Repeat("long keys make deep trees ", 20) // seven to a page
	key := func() string { return fmt.Sprintf("%05d %s", rng.IntN(20_000), pad) }
	for i := range 60 {
		var b storage.Batch
		for range rng.IntN(100) {
			b.Put(key(), noise(rng.IntN(300)))
		}
		if rng.IntN(3) == 0 {
			for range rng.IntN(400) {
				b.Delete(key())
			}
		}
		if rng.IntN(5) == 0 {
			start := rng.IntN(20_000)
			b.DeleteRange(storage.Range{Start: fmt.Sprintf("%05d", start), End: fmt.Sprintf("%05d", start+rng.IntN(8000))})
		}
		if rng.IntN(40) == 0 {
			b.Put(key(), noise(200_000))
		}
		require.NoError(t, s.Commit(t.Context(), &b))
		require.NoError(t, s.Verify(t.Context()), "after commit %d", i)
		require.NoError(t, checkFile(s.folder, s.name), "after commit %d", i)
	}
	require.NoError(t, s.Close())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 2)
}
