package genesys

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAuditRequestsLeaveNoGap: wherever an interval begins, is cut and ends, each instant of it is in what one of the
// requests asks for, though a request names whole milliseconds and the service may leave out the last; and none asks
// for more than the service allows.
func TestAuditRequestsLeaveNoGap(t *testing.T) {
	start := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, realtime := range []bool{true, false} {
		longest := longestQuery
		if realtime {
			longest = longestRealtime
		}
		for _, part := range []time.Duration{0, 1, 500 * time.Microsecond, time.Millisecond - 1} {
			for _, long := range []time.Duration{1, time.Millisecond, longest - 1, longest, longest + 1, 2*longest + 700*time.Microsecond} {
				q := AuditQuery{Since: start.Add(part), Until: start.Add(part + long), Realtime: realtime}
				var asked [][2]time.Time
				for from, to := range q.intervals() {
					first, last, _ := strings.Cut(q.request("", from, to).Interval, "/")
					a, err := time.Parse(time.RFC3339, first)
					require.NoError(t, err)
					b, err := time.Parse(time.RFC3339, last)
					require.NoError(t, err)
					require.LessOrEqual(t, b.Sub(a), longest, "%v from %v", long, part)
					require.False(t, from.Before(a))
					require.False(t, to.After(b), "%v from %v: %v is not asked for", long, part, to)
					asked = append(asked, [2]time.Time{from, to})
				}
				require.Equal(t, q.Since, asked[0][0])
				require.Equal(t, q.Until, asked[len(asked)-1][1])
				for i, next := range asked[1:] {
					require.Equal(t, asked[i][1], next[0])
				}
			}
		}
	}
}
