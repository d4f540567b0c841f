package ratelimit

import (
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

// A fifo does what a slice does, in no more memory than the most instants that it is told of.
func TestFifo(t *testing.T) {
	for _, most := range []int{1, 7, 16, 100, 300} {
		rng := rand.New(rand.NewPCG(1, uint64(most)))
		var f fifo
		var model []int64
		last := int64(0)
		for range 500 {
			for range rng.IntN(most - len(model) + 1) {
				at := last + rng.Int64N(5) - 1
				last = max(at, last)
				f.push(at, most)
				model = append(model, last)
			}
			require.Equal(t, len(model), f.n)
			require.LessOrEqual(t, len(f.ring), most)
			if len(model) > 0 {
				i := rng.IntN(len(model))
				require.Equal(t, model[i], f.at(i))
				at := model[i] + rng.Int64N(3) - 1
				want := sort.Search(len(model), func(i int) bool { return model[i] > at })
				require.Equal(t, want, f.before(at))
			}
			for range rng.IntN(len(model) + 1) {
				f.pop()
				model = model[1:]
			}
		}
	}
}

// More instants than were expected, as after a lower limit, find room as well.
func TestFifoBeyondItsMost(t *testing.T) {
	var f fifo
	for i := range int64(100) {
		f.push(i, 10)
	}
	for i := range 100 {
		require.Equal(t, int64(i), f.at(i))
	}
	require.Equal(t, 100, f.n)
}

// The memory of requests in flight follows how many there are between the oldest and the newest,
// in whatever order they end.
func TestInFlight(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := inFlight{first: 1}
	started := map[uint64]int64{}
	var ids []uint64
	now := int64(0)
	for range 2000 {
		now++
		id := f.start(now)
		require.Zero(t, started[id], "a number is used once")
		started[id], ids = now, append(ids, id)
		for len(ids) > 0 && rng.IntN(20) < len(ids) {
			i := rng.IntN(min(len(ids), 10))
			id := ids[i]
			require.Equal(t, started[id], f.started(id))
			require.True(t, f.end(id))
			require.False(t, f.end(id), "it is over")
			require.EqualValues(t, isOver, f.started(id))
			ids = slices.Delete(ids, i, i+1)
		}
		require.Equal(t, len(ids), f.n)
		if len(ids) == 0 {
			require.Zero(t, f.starts.n)
		} else {
			require.Equal(t, ids[0], f.first, "places of requests that are over are given back")
		}
	}
	require.False(t, f.end(0), "no request has the number 0")
	require.LessOrEqual(t, len(f.starts.ring), 256)
}
