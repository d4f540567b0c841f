package storage_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// FuzzLease puts anything where a lease has its records. Whoever then takes the lease has a greater token than what can
// be read there, and fences off who held it; whoever does not is told by whom or by which key it is kept.
func FuzzLease(f *testing.F) {
	f.Add([]byte(`{"token":4,"holder":"host/17/0a1b2c3d"}`), []byte(`{"renewal":3,"ttl":30000000000}`), true)
	f.Add([]byte(`{"token":4,"holder":"me"}`), []byte(`{"renewal":18446744073709551615,"ttl":9223372036854775807}`), true)
	f.Add([]byte(`{"token":4,"holder":"other"}`), []byte(`{"renewal":0,"ttl":-9223372036854775808}`), true)
	f.Add([]byte(`{"token":-1}`), []byte(`{`), true)
	f.Add([]byte(`null`), []byte(`[]`), true)
	f.Add([]byte(``), []byte(``), false)
	f.Fuzz(func(t *testing.T, fence, term []byte, released bool) {
		defer bounded.Start(t)()
		synctest.Test(t, func(t *testing.T) {
			s := memory.New()
			var b storage.Batch
			b.Put("lease", fence)
			if !released {
				b.Put("lease/term", term)
			}
			require.NoError(t, s.Commit(t.Context(), &b))
			var before struct {
				Token  uint64
				Holder string
			}
			if json.Unmarshal(fence, &before) == nil && before.Token == math.MaxUint64 {
				t.Skip("nobody counts so far")
			}
			var former storage.Batch
			former.Require("lease", fence)

			l, err := take(t, s, "me")
			if locked, ok := errors.AsType[*storage.LockedError](err); ok {
				require.NotEqual(t, "me", locked.Holder)
				require.False(t, released)
				require.True(t, time.Now().Before(locked.Until))
				require.NoError(t, s.Commit(t.Context(), &former), "nothing has changed")
				return
			}
			if err != nil {
				broken, ok := errors.AsType[*storage.KeyError](err)
				require.True(t, ok, "%v", err)
				require.Contains(t, []string{"lease", "lease/term"}, broken.Key)
				require.NoError(t, s.Commit(t.Context(), &former), "nothing has changed")
				return
			}
			require.Greater(t, l.Token(), before.Token)
			require.ErrorIs(t, s.Commit(t.Context(), &former), storage.ErrConflict)
			require.NoError(t, l.Renew(t.Context()))
			_, err = take(t, s, "another")
			require.ErrorIs(t, err, storage.ErrLocked)
			require.NoError(t, l.Release(t.Context()))
			next, err := take(t, s, "another")
			require.NoError(t, err)
			require.Equal(t, l.Token()+1, next.Token())
		})
	})
}
