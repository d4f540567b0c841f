package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The slot that is left free for interactive callers is asked for as well: a background caller that comes
// minutes after them waits for nothing, however little this limiter had of a quota that is nearly all free.
func TestBackgroundSoonAfterInteractive(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Minute, 5 * time.Minute, 9 * time.Minute, 11 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			l := mustNew(t, Limits{Day: 60_000}, &Options{Ledger: new(memoryLedger)})
			for range 16 {
				p, err := l.Acquire(WithPriority(t.Context(), Interactive))
				require.NoError(t, err)
				p.Done()
			}
			for range 3 {
				time.Sleep(pause)
				start := time.Now()
				p, err := l.Acquire(t.Context())
				require.NoError(t, err)
				p.Done()
				require.Less(t, time.Since(start), 5*time.Second, pause)
			}
			require.NoError(t, l.Flush(t.Context()))
		})
	}
}
