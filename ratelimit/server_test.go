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
		require.False(t, w.hasRoom(0))
		w.roll(12*s, 0)
		require.True(t, w.hasRoom(0))
	})
	t.Run("requests on their way count", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 2, 3, 6, 10)
		require.True(t, w.hasRoom(2))
		require.False(t, w.hasRoom(3))
	})
	t.Run("a late response loosens nothing", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 6, 6, 10)
		tell(&w, 0, 2*s, 0, 1, 600, 1)
		w.roll(11*s, 0)
		require.False(t, w.hasRoom(0))
	})
	t.Run("a new window may be larger", func(t *testing.T) {
		var w serverWindow
		tell(&w, 0, s, 0, 6, 6, 10)
		tell(&w, 20*s, 21*s, 0, 1, 9, 60)
		require.True(t, w.hasRoom(7))
		require.False(t, w.hasRoom(8))
	})
	t.Run("the next window may have less room than there seems", func(t *testing.T) {
		for name, tt := range map[string]struct {
			count, allowed int
			isTight        bool
		}{
			"ours alone": {1, 9, false}, "others": {2, 9, true}, "full": {1, 1, true}, "nothing allowed": {0, 0, true},
		} {
			var w serverWindow
			tell(&w, 0, s, 0, tt.count, tt.allowed, 10)
			require.False(t, w.roll(12*s-1, 0), name)
			require.Equal(t, tt.isTight, w.roll(12*s, 0), name)
			require.True(t, w.hasRoom(1000), "nothing is known of it")
		}
	})
}
