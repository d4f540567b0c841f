package ratelimit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// An account is the content of a ledger: who holds which slots of the one quota.
// A slot that nobody holds and that is not cooling is free, so nothing is stored
// for it. All instants are Unix milliseconds by the clock of the holder.
type account struct {
	Version int                 `json:"version"`
	Holders map[string]*holding `json:"holders"`
	Turn    int64               `json:"turn,omitzero"` // slots of interactive callers for which background may have its share

	healed bool // what was read had to be mended, so it is worth a write
}

// A holding is the part of one limiter. Its limiter alone adds to it; others may
// take slots that are cooling, and remove what is over.
type holding struct {
	Seq    int64   `json:"seq"`            // changes whenever its limiter writes
	Held   int64   `json:"held,omitzero"`  // slots claimed: unused, or in flight
	Until  int64   `json:"until,omitzero"` // all requests on them are over by then
	Window int64   `json:"window"`         // of its limiter
	Done   []batch `json:"done,omitempty"` // completed requests, ascending

	// A program that does not know these drops them, which loosens nothing.
	Waiting int64 `json:"waiting,omitzero"` // interactive callers without a slot
	Word    int64 `json:"word,omitzero"`    // which is good until then
}

// A batch is an instant and how many requests completed by then.
type batch [2]int64

const (
	accountVersion = 1
	unreadable     = "unreadable" // the holder that stands for content nobody can read
	grains         = 512          // instants of completion are rounded up to this part of a window
	maxHeld        = 1 << 40
)

// A claim is what one limiter wants to change in the account.
type claim struct {
	id   string
	seq  int64
	now  int64
	term int64 // from now until all requests on the slots claimed are over

	limit  int64
	window int64
	margin int64 // for the instants of other holders
	own    int64 // for the instants that this one wrote itself
	reach  int64 // slots that cool for longer are not claimed yet
	near   int64 // nor are these for the background, where there are other holders
	trip   int64 // the time the next claim may take
	word   int64 // for so long holds what it says about interactive callers
	every  int64 // background gets one slot in that many, if it must

	held   int64   // slots the limiter has, spent ones not included
	spent  []int64 // completions to report
	want   int64   // slots for callers that wait
	urgent int64   // those of them that are interactive
	ahead  int64   // slots beyond these, for callers to come

	began int64 // the limiter's instant and epoch
	epoch int
}

// A verdict is what became of a claim.
type verdict struct {
	from    []int64 // when each slot claimed may be used, ascending
	next    int64   // when a further one may be had; math.MaxInt64: unknown
	others  int64   // slots others hold, which they may give back at any time
	waiting int64   // interactive callers without a slot, as the account has it
	shared  bool    // there are other holders
	yielded bool    // slots are left to interactive callers of others
	owed    bool    // background may have a slot before interactive callers
	changed bool    // the account differs from before
}

// readAccount decodes the content of a ledger. Content that cannot be read, and
// may therefore stand for anything, becomes a holding of the whole quota that
// lasts as long as any claim made up to now.
func readAccount(content []byte, c *claim) (*account, error) {
	a := &account{Version: accountVersion}
	if content != nil {
		a = decodeAccount(content)
	}
	if a == nil {
		a = &account{Version: accountVersion, healed: true, Holders: map[string]*holding{
			unreadable: {Held: c.limit, Until: c.latest(), Window: c.window},
		}}
	}
	if a.Version != accountVersion {
		return nil, fmt.Errorf("content has version %d: want %d, the only one this program knows", a.Version, accountVersion)
	}
	if a.Holders == nil {
		a.Holders = make(map[string]*holding)
	}
	a.clamp(c.latest())
	return a, nil
}

// latest is the end of the longest claim that anyone can have made by the time
// this one reads the ledger.
func (c *claim) latest() int64 {
	return c.now + ledgerTimeout.Milliseconds() + c.term + c.margin
}

// decodeAccount returns nil for content that makes no sense.
func decodeAccount(content []byte) *account {
	a := new(account)
	if json.Unmarshal(content, a) != nil || a.Version <= 0 {
		return nil
	}
	if a.Version != accountVersion {
		return a
	}
	if a.Turn < 0 {
		return nil
	}
	for _, h := range a.Holders {
		if h == nil || h.Held < 0 || h.Held > maxHeld || h.Until < 0 || h.Window <= 0 || h.Window > day.Milliseconds() ||
			h.Waiting < 0 || h.Waiting > maxHeld || h.Word < 0 {
			return nil
		}
		for _, b := range h.Done {
			if b[0] < 0 || b[1] < 1 || b[1] > maxHeld {
				return nil
			}
		}
	}
	return a
}

// clamp cuts instants that lie further ahead than any limiter writes: a clock
// was wrong, and everything written by now is over at that instant.
func (a *account) clamp(latest int64) {
	cut := func(t *int64) {
		if *t > latest {
			*t, a.healed = latest, true
		}
	}
	for _, h := range a.Holders {
		cut(&h.Until)
		cut(&h.Word)
		for i := range h.Done {
			cut(&h.Done[i][0])
		}
	}
}

// apply grants what it can of a claim and reports the rest.
func (a *account) apply(c *claim) verdict {
	v := verdict{next: math.MaxInt64, changed: a.healed || len(c.spent) > 0}
	a.prune(c)
	v.shared = len(a.Holders) > 1 || len(a.Holders) == 1 && a.Holders[c.id] == nil
	own := a.Holders[c.id]
	if own == nil {
		own = new(holding)
		a.Holders[c.id] = own
	}
	v.changed = v.changed || own.Held != c.held
	own.Seq, own.Window, own.Held = c.seq, c.window, c.held
	own.report(c.spent, max(1, c.window/grains))

	cooling, used := a.tally(c, &v)
	a.grant(c, c.limit-used, cooling, &v)
	own.say(c, &v)

	own.Held += int64(len(v.from))
	own.Until = 0
	if own.Held > 0 {
		own.Until = c.now + c.term
	}
	for _, h := range a.Holders {
		h.Done = slices.DeleteFunc(h.Done, func(b batch) bool { return b[1] == 0 })
	}
	if own.isVoid() {
		delete(a.Holders, c.id)
	}
	v.changed = v.changed || len(v.from) > 0
	return v
}

// A coolingBatch is a batch of another claim's view: when its slots are free.
type coolingBatch struct {
	free int64
	done *batch
}

// tally returns what cools, in the order in which it will be free, and how many
// slots are not free.
func (a *account) tally(c *claim, v *verdict) (cooling []coolingBatch, used int64) {
	for id, h := range a.Holders {
		margin := c.marginOf(id)
		if id == c.id {
			used += h.Held
		} else if over := h.Until + c.window + margin; h.Held > 0 && over > c.now {
			used += h.Held
			v.others += h.Held
			v.next = min(v.next, over)
		}
		for i := range h.Done {
			if free := h.Done[i][0] + c.window + margin; free > c.now {
				cooling = append(cooling, coolingBatch{free, &h.Done[i]})
				used += h.Done[i][1]
			}
		}
	}
	slices.SortFunc(cooling, func(a, b coolingBatch) int { return cmp.Compare(a.free, b.free) })
	return cooling, used
}

func (c *claim) marginOf(id string) int64 {
	if id == c.id {
		return c.own
	}
	return c.margin
}

// prune removes what is over for every holder, the one with the longest window
// included.
func (a *account) prune(c *claim) {
	window := c.window
	for _, h := range a.Holders {
		window = max(window, h.Window)
	}
	for id, h := range a.Holders {
		over := c.now - window - c.marginOf(id)
		h.Done = slices.DeleteFunc(h.Done, func(b batch) bool { return b[0] <= over })
		if id != c.id && h.Until <= over {
			h.Held, h.Until = 0, 0
		}
		if id != c.id && h.Word+c.margin <= c.now {
			h.Waiting, h.Word = 0, 0
		}
		if h.isVoid() {
			delete(a.Holders, id)
		}
	}
}

func (h *holding) isVoid() bool { return h.Held == 0 && len(h.Done) == 0 && h.Waiting == 0 }

// report adds completions, each rounded up to a whole grain.
func (h *holding) report(spent []int64, grain int64) {
	for _, t := range spent {
		t += (grain - t%grain) % grain
		i, found := slices.BinarySearchFunc(h.Done, t, func(b batch, t int64) int { return cmp.Compare(b[0], t) })
		if !found {
			h.Done = slices.Insert(h.Done, i, batch{t, 0})
		}
		h.Done[i][1]++
	}
}
