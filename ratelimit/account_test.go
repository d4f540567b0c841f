package ratelimit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A modelHolder is a limiter reduced to its account, with a clock of its own.
// Requests take no time, which is the hardest case.
type modelHolder struct {
	offset int64 // of its clock
	claim  claim
	lease  int64
	stock  []int64
}

// TestAccountModel has holders whose clocks differ claim, use, return and die at
// random, and counts the requests by the true time.
func TestAccountModel(t *testing.T) {
	const window, clockError = 60_000, 900
	seed := newSeed(t)
	for world := range uint64(24 / raceSlowdown) {
		rng := rand.New(rand.NewPCG(seed, world))
		limit := 1 + rng.Int64N(20)
		born := 0
		newHolder := func() *modelHolder {
			born++
			return &modelHolder{offset: rng.Int64N(clockError + 1), claim: claim{
				id: strconv.Itoa(born), limit: limit,
				window: window, margin: 2 * clockError, reach: 15_000, near: rng.Int64N(15_000), word: 20_000, every: 10, term: 65_000,
			}}
		}
		holders := []*modelHolder{newHolder(), newHolder(), newHolder()}
		var content []byte
		var arrivals []int64
		now := int64(1_700_000_000_000)
		for range 3000 {
			now += rng.Int64N(400)
			if rng.IntN(40) == 0 {
				now += rng.Int64N(2 * window)
			}
			i := rng.IntN(len(holders))
			h := holders[i]
			clock := now + h.offset
			if clock >= h.lease {
				h.void()
			}
			switch rng.IntN(10) {
			case 0:
				h.void()
			case 1: // killed: what it has claimed is used at some time until its lease ends
				for _, from := range h.stock {
					if at := from + rng.Int64N(10_000); at < h.lease && at >= clock {
						arrivals = append(arrivals, at-h.offset)
					}
				}
				holders[i] = newHolder()
			case 2, 3, 4:
				h.claim.now, h.claim.seq = clock, h.claim.seq+1
				h.claim.held = int64(len(h.stock))
				h.claim.want, h.claim.ahead = rng.Int64N(4), rng.Int64N(4)
				h.claim.urgent = rng.Int64N(h.claim.want + 1)
				a, err := readAccount(content, &h.claim)
				require.NoError(t, err)
				require.False(t, a.healed)
				v := a.apply(&h.claim)
				content, err = json.Marshal(a)
				require.NoError(t, err)
				h.claim.spent = nil
				h.stock = slices.Sorted(slices.Values(append(h.stock, v.from...)))
				h.lease = clock + 60_000
			default:
				if len(h.stock) > 0 && h.stock[0] <= clock {
					h.stock = h.stock[1:]
					h.claim.spent = append(h.claim.spent, clock)
					arrivals = append(arrivals, now)
				}
			}
		}
		slices.Sort(arrivals)
		for i := int(limit); i < len(arrivals); i++ {
			if d := arrivals[i] - arrivals[i-int(limit)]; d < window {
				t.Fatalf("-seed=%d, world %d: %d requests in %d ms, limit is %d a minute", seed, world, limit+1, d, limit)
			}
		}
		require.Greater(t, int64(len(arrivals)), 3*limit)
	}
}

func (h *modelHolder) void() {
	for _, from := range h.stock {
		h.claim.spent = append(h.claim.spent, from-h.claim.window)
	}
	h.stock = nil
}

func TestAccount(t *testing.T) {
	const now = 1_700_000_000_000
	base := claim{id: "me", now: now, term: 360_000, limit: 10, window: 60_000, margin: 500, reach: 15_000, near: 1000, word: 20_000, every: 10}
	apply := func(t *testing.T, content string, change func(*claim)) (*account, verdict) {
		t.Helper()
		c := base
		change(&c)
		a, err := readAccount([]byte(content), &c)
		require.NoError(t, err)
		return a, a.apply(&c)
	}

	t.Run("what is overdrawn is left to cool", func(t *testing.T) {
		_, v := apply(t, `{"version":1,"holders":{"me":{"window":60000,"done":[[1699999941000,5],[1699999942000,3],[1699999943000,2]]}}}`,
			func(c *claim) { c.limit, c.want, c.ahead = 4, 3, 3 })
		require.Equal(t, []int64{now + 2000, now + 2000, now + 3000}, v.from, "of ten, the first six make room for nobody")
	})
	t.Run("others' longer windows are respected", func(t *testing.T) {
		const content = `{"version":1,"holders":{"me":{"window":60000,"done":[[1699999000000,5]]},"other":{"held":1,"until":1700000001000,"window":86400000}}}`
		a, v := apply(t, content, func(c *claim) { c.want = 9 })
		require.Len(t, v.from, 9, "for this one they are over")
		require.Equal(t, []batch{{1699999000000, 5}}, a.Holders["me"].Done)
	})
	t.Run("a claim made while this one travelled is no mistake", func(t *testing.T) {
		later := now + int64(19*time.Second/time.Millisecond) + base.term
		content, err := json.Marshal(account{Version: 1, Holders: map[string]*holding{"other": {Held: 10, Until: later, Window: 60000}}})
		require.NoError(t, err)
		a, v := apply(t, string(content), func(c *claim) { c.want = 1 })
		require.Empty(t, v.from)
		require.Equal(t, later, a.Holders["other"].Until)
		require.Equal(t, later+base.window+base.margin, v.next)
	})
	t.Run("a clock that was years ahead heals", func(t *testing.T) {
		a, _ := apply(t, `{"version":1,"holders":{"other":{"held":1,"until":4000000000000,"window":60000,"waiting":1,"word":4000000000000,"done":[[4000000000000,1]]}}}`, func(*claim) {})
		require.Less(t, a.Holders["other"].Until, now+base.term+int64(time.Minute/time.Millisecond))
		require.Less(t, a.Holders["other"].Word, now+base.term+int64(time.Minute/time.Millisecond))
		require.True(t, a.healed)
	})
	t.Run("slots are left to interactive callers of others", func(t *testing.T) {
		const content = `{"version":1,"turn":%d,"holders":{
			"busy":{"held":5,"until":1700000001000,"window":60000,"done":[[1699999940000,1],[1699999940300,2],[1699999940400,1],[1699999950000,1]]},
			"other":{"window":60000,"waiting":%d,"word":%d}}}`
		for _, tt := range []struct {
			name           string
			turn, waiting  int64
			word           int64
			change         func(*claim)
			want           []int64
			yielded        bool
			turnAfterwards int64
		}{
			{"nobody waits", 0, 0, 0, func(c *claim) { c.want = 1 }, []int64{500}, false, 0},
			{"the first is left alone", 0, 1, 5000, func(c *claim) { c.want = 1 }, []int64{800}, false, 0},
			{"three are", 0, 3, 5000, func(c *claim) { c.want = 1 }, []int64{900}, false, 0},
			{"four are, the next is not soon", 0, 4, 5000, func(c *claim) { c.want = 1 }, nil, true, 0},
			{"the word is over", 0, 4, -500, func(c *claim) { c.want = 1 }, []int64{500}, false, 0},
			{"interactive here too", 0, 4, 5000, func(c *claim) { c.want, c.urgent = 1, 1 }, []int64{500}, false, 1},
			{"no more than four are owed", 36, 4, 5000, func(c *claim) { c.want, c.urgent = 1, 1 }, []int64{500}, false, 36},
			{"both here", 0, 1, 5000, func(c *claim) { c.want, c.urgent, c.ahead = 1, 1, 2 }, []int64{500, 800}, true, 1},
			{"background is owed one", 9, 9, 5000, func(c *claim) { c.want = 1 }, []int64{500}, false, 0},
			{"not more than one", 17, 9, 5000, func(c *claim) { c.want, c.ahead = 2, 2 }, []int64{500}, true, 8},
		} {
			t.Run(tt.name, func(t *testing.T) {
				a, v := apply(t, fmt.Sprintf(content, tt.turn, tt.waiting, now+tt.word), tt.change)
				var from []int64
				for _, at := range v.from {
					from = append(from, at-now)
				}
				require.Equal(t, tt.want, from)
				require.Equal(t, tt.yielded, v.yielded)
				require.Equal(t, tt.turnAfterwards, a.Turn)
			})
		}
	})
	t.Run("free slots are left to them as well", func(t *testing.T) {
		const content = `{"version":1,"holders":{"other":{"held":4,"until":1700000001000,"window":60000,"waiting":2,"word":1700000005000}}}`
		_, v := apply(t, content, func(c *claim) { c.want = 9 })
		require.Len(t, v.from, 4)
		_, v = apply(t, content, func(c *claim) { c.ahead = 9 })
		require.Len(t, v.from, 2, "and half of what is left to other callers")
		_, v = apply(t, content, func(c *claim) { c.want, c.urgent = 9, 9 })
		require.Len(t, v.from, 6)
		require.EqualValues(t, 3, v.waiting)
	})
	t.Run("what is said is worth a write", func(t *testing.T) {
		const content = `{"version":1,"holders":{"busy":{"held":10,"until":1700000001000,"window":60000},"me":{"window":60000,"waiting":2,"word":%d}}}`
		for _, tt := range []struct {
			urgent, word int64
			want         bool
		}{{2, 19_000, false}, {2, 9_000, true}, {3, 19_000, true}, {0, 19_000, true}} {
			a, v := apply(t, fmt.Sprintf(content, now+tt.word), func(c *claim) { c.want, c.urgent = 4, tt.urgent })
			require.Equal(t, tt.want, v.changed, "%+v", tt)
			require.Equal(t, tt.urgent, v.waiting)
			require.Equal(t, tt.urgent > 0, a.Holders["me"] != nil)
		}
	})
	t.Run("completions share a grain", func(t *testing.T) {
		a, _ := apply(t, `{"version":1}`, func(c *claim) { c.spent = []int64{now, now + 1, now + 2, now + 5000} })
		require.Len(t, a.Holders["me"].Done, 2)
		require.GreaterOrEqual(t, a.Holders["me"].Done[0][0], int64(now+2), "rounded up")
	})
}
