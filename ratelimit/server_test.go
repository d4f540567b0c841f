package ratelimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServerWindow(t *testing.T) {
	const s = int64(time.Second)
	tell := func(w *serverWindow, sent, now int64, unanswered, count, allowed, reset int) {
		w.own++
		w.tell(sent, now, unanswered, told{count: count, allowed: allowed, reset: time.Duration(reset) * time.Second})
	}
	t.Run("full until a second after the reset", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 5, 5, 10)
		w.roll(12*s-1, 0)
		require.False(t, w.room(0))
		w.roll(12*s, 0)
		require.True(t, w.room(0))
	})
	t.Run("requests on their way count", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 2, 3, 6, 10)
		require.True(t, w.room(2))
		require.False(t, w.room(3))
	})
	t.Run("requests without an answer count until a later one is answered", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 3, 6, 10)
		w.missed(2 * s)
		w.missed(3 * s)
		require.True(t, w.room(0))
		require.False(t, w.room(1))
		tell(&w, 2*s, 4*s, 0, 4, 6, 7) // sent before the last was missed
		require.False(t, w.room(0))
		tell(&w, 3*s, 4*s, 0, 5, 6, 7)
		require.True(t, w.room(0))
	})
	t.Run("a late response loosens nothing", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 6, 6, 10)
		tell(&w, 0, 2*s, 0, 1, 600, 1)
		w.roll(11*s, 0)
		require.False(t, w.room(0))
	})
	t.Run("a new window may be larger", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 6, 6, 10)
		tell(&w, 20*s, 21*s, 0, 1, 9, 60)
		require.True(t, w.room(7))
		require.False(t, w.room(8))
	})
	t.Run("an assumed window gives way to what is told", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 1, 1, 60)
		w.roll(62*s, 0)
		require.True(t, w.room(0))
		require.False(t, w.room(1))
		tell(&w, 62*s, 63*s, 0, 1, 300, 60)
		require.True(t, w.room(298))
	})
	t.Run("a quota of nothing leaves room to ask", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 0, 0, 60)
		require.False(t, w.room(0))
		w.roll(62*s, 0)
		require.True(t, w.room(0))
		require.False(t, w.room(1))
	})
}
