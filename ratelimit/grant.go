package ratelimit

// bank is how many slots at most background can be owed.
const bank = 4

// grant claims slots: those that are free, then those that cool, the first to be
// free first. Where the quota is overdrawn, the first few that cool make room for
// nobody. Interactive callers of other limiters come before what the claim wants
// for the background: as many slots are left to them, but for its share.
func (a *account) grant(c *claim, free int64, cooling []coolingBatch, v *verdict) {
	turns := max(1, c.every-1)
	g := granting{claim: c, verdict: v, left: c.want + c.ahead, first: c.urgent, soon: c.now + c.reach}
	var share int64
	if v.shared {
		g.soon = c.now + c.near
		share = min(g.left-c.urgent, a.Turn/turns)
		g.first += share
	}
	for id, h := range a.Holders {
		if id != c.id {
			g.leave += h.Waiting
		}
	}
	leave := g.leave
	if !g.takeFree(max(0, free)) {
		g.takeCooling(cooling, max(0, -free))
	}
	got := int64(len(v.from))
	v.yielded = g.leave < leave && c.urgent <= got && g.left > 0
	if v.shared {
		a.Turn += min(got, c.urgent) - turns*min(share, max(0, got-c.urgent))
		a.Turn = max(0, min(a.Turn, bank*turns))
		v.owed = a.Turn >= turns
	}
}

// A granting is the progress of a claim along the slots.
type granting struct {
	*claim
	*verdict
	left  int64 // slots to claim yet
	first int64 // those of them to claim before any are left to others
	leave int64 // slots to leave to others then
	soon  int64 // slots free later are not claimed for the background
}

func (g *granting) take(n, from int64) {
	for range n {
		g.from = append(g.from, from)
	}
	g.left -= n
	g.first = max(0, g.first-n)
}

// takeFree claims slots that are free, and reports whether some are left to
// anyone. Where there are other holders, a claim ahead takes half of them at most.
func (g *granting) takeFree(open int64) bool {
	n := min(g.first, open)
	g.take(n, g.now)
	open -= n
	yield := min(g.leave, open)
	g.leave -= yield
	open -= yield
	callers := min(open, max(0, g.want-n))
	spare := open - callers
	if g.shared {
		spare = (spare + 1) / 2
	}
	n = callers + min(spare, g.left-callers)
	g.take(n, g.now)
	if open-n+yield > 0 {
		g.next = g.now
	}
	return open > n
}

// takeCooling claims slots that cool, except the first few.
func (g *granting) takeCooling(cooling []coolingBatch, except int64) {
	more := min(g.left, max(g.ahead, min(g.want, 1)))
	for _, b := range cooling {
		n := b.done[1] - min(except, b.done[1])
		except -= b.done[1] - n
		if n == 0 {
			continue
		}
		isSoon := b.free <= g.soon
		if b.free > g.now+g.reach || !isSoon && g.first+g.leave == 0 {
			more = 0
		}
		k := min(n, g.first, more)
		if b.free <= g.now+g.trip {
			k = min(n, g.first) // the next claim would come too late for it
		}
		if k == g.first && more > k {
			yield := min(n-k, g.leave)
			g.leave -= yield
			if isSoon {
				k += min(n-k-yield, more-k)
			}
		}
		g.take(k, b.free)
		b.done[1] -= k
		more = max(0, more-k)
		if k < n {
			g.next = min(g.next, b.free)
			if more == 0 {
				return
			}
		}
	}
}
