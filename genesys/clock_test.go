package genesys

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A clockWorld is an org whose clock differs from that of this machine, and a clock
// that is told of its answers.
type clockWorld struct {
	*clock
	now      time.Time // of this machine, with a monotonic reading
	ahead    time.Duration
	warnings []string
}

func newClockWorld(ahead time.Duration) *clockWorld {
	w := &clockWorld{now: time.Now(), ahead: ahead}
	w.clock = &clock{warned: map[string]bool{}, warn: func(text string, _ ...slog.Attr) { w.warnings = append(w.warnings, text) }}
	return w
}

// org returns the org's time.
func (w *clockWorld) org() time.Time { return w.now.Round(0).Add(w.ahead).UTC() }

// ask lets an answer come, made so long after it was asked for, and so long before it came.
func (w *clockWorld) ask(to, from time.Duration) {
	sent := w.now
	w.now = w.now.Add(to)
	header := http.Header{"Date": {w.org().Format(http.TimeFormat)}}
	w.now = w.now.Add(from)
	w.note(sent, w.now, header)
}

// width returns how close the org's time is known, and checks that it is within.
func (w *clockWorld) width(t *testing.T) time.Duration {
	t.Helper()
	require.False(t, w.known.zero())
	b := w.known.on(w.now)
	require.False(t, b.lo.After(w.org()), "earliest is %v after the org's time", b.lo.Sub(w.org()))
	require.True(t, b.hi.After(w.org()), "latest is %v before the org's time", w.org().Sub(b.hi))
	return b.hi.Sub(b.lo)
}

// TestClockBounds: whatever the answers' way takes and wherever in its second each is
// made, the org's time is within the bounds, and they get close.
func TestClockBounds(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, ahead := range []time.Duration{0, 30 * time.Second, -30 * time.Second, 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		for range 20 {
			w := newClockWorld(ahead + time.Duration(rng.Int64N(int64(time.Second))))
			slow := time.Duration(1 + rng.Int64N(int64(10*time.Second)))
			for i := range 300 {
				w.ask(time.Duration(rng.Int64N(int64(slow))), time.Duration(rng.Int64N(int64(slow))))
				if i >= clockVotes-1 {
					require.LessOrEqual(t, w.width(t), time.Second+2*slow)
				}
				w.now = w.now.Add(time.Duration(rng.Int64N(int64(3 * time.Second))))
			}
			require.Less(t, w.width(t), 200*time.Millisecond+2*slow)
			w.now = w.now.Add(24 * time.Hour) // without an answer
			require.Less(t, w.width(t), 2*time.Minute+slow)
			require.Zero(t, w.leaps)
		}
	}
}

func TestClockThatIsOff(t *testing.T) {
	t.Parallel()
	w := newClockWorld(time.Hour)
	for range clockVotes {
		require.True(t, w.known.zero(), "one answer does not outweigh the wall clock")
		w.ask(0, 0)
	}
	w.width(t)
	require.Equal(t, []string{"the clock of this machine or that of the org is wrong; the org's counts"}, w.warnings)
}

// TestClockLeaps: one server of the org whose clock is wrong changes nothing. A machine
// that was suspended, whose monotonic clock stood still, notices.
func TestClockLeaps(t *testing.T) {
	t.Parallel()
	for _, leap := range []time.Duration{time.Minute, 24 * time.Hour, -24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		w := newClockWorld(0)
		for range 40 {
			w.ask(time.Millisecond, time.Millisecond)
			w.width(t)
			w.ahead += 2 * leap
			w.ask(time.Millisecond, time.Millisecond)
			w.ask(time.Millisecond, time.Millisecond)
			w.ahead -= 2 * leap
			w.width(t)
		}
		require.EqualValues(t, 40, w.leaps)
		require.Len(t, w.warnings, 1)

		// The monotonic clock stands still, and the wall clock is set by the network.
		w.known.at = w.now.Add(leap.Abs())
		w.now = w.now.Add(leap.Abs())
		w.ask(0, time.Millisecond)
		w.width(t)

		// It stands still, and so does the wall clock.
		w.ahead += 2 * leap.Abs()
		for range clockStubborn {
			w.ask(0, time.Millisecond)
		}
		w.width(t)
	}
}

func TestClockWithoutDate(t *testing.T) {
	t.Parallel()
	w := newClockWorld(0)
	for _, date := range []string{"", "yesterday"} {
		w.note(w.now, w.now, http.Header{"Date": {date}})
	}
	c := &Client{clock: w.clock}
	earliest, latest, confirmed := c.Now()
	require.WithinDuration(t, time.Now(), earliest, time.Minute)
	require.Equal(t, earliest, latest)
	require.False(t, confirmed)
	require.Len(t, w.warnings, 1)
	w.ask(0, 0)
	w.width(t)
	w.note(w.now, w.now, http.Header{})
	w.width(t)
	_, _, confirmed = c.Now()
	require.True(t, confirmed)

	earliest, _, confirmed = (&Client{clock: newClockWorld(0).clock}).Now()
	require.True(t, earliest.IsZero())
	require.False(t, confirmed)
}
