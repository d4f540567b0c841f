package ratelimit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// A record is the content of a ledger: which holder has which share of the quota.
// A holder is one limiter, from New until its process ends. All times are durations
// in milliseconds by the monotonic clock of the holder, so nobody's wall clock matters.
//
// What a holder has written bounds what it will do until it writes again. How many
// slots that leaves it follows from one quantity: how long ago it was written, at
// least (see share.elapsed). The slots of all holders together are never more than
// the limit of whoever wrote last.
type record struct {
	Version int                `json:"version"`
	Rev     int64              `json:"rev"` // one more with every write, so that no two are alike
	Holders map[string]*holder `json:"holders"`

	isBroken bool // what was read makes no sense, and stands for a quota that is used up
}

// A holder is what one limiter has written of itself.
type holder struct {
	Rev   int64 `json:"rev"`            // of the record, when this was written
	At    int64 `json:"at,omitzero"`    // the server's time then, at the latest, in Unix milliseconds; 0: unknown
	Share int   `json:"share"`          // so many slots may be taken
	Open  int   `json:"open,omitzero"`  // requests in flight, and those that may start
	Term  int64 `json:"term,omitzero"`  // from writing until all of these are over
	Grain int64 `json:"grain,omitzero"` // see Done
	Done  []int `json:"done,omitempty"` // requests that were over for i grains at least, by i
	Want  int   `json:"want,omitzero"`  // slots that its callers could use beyond these
}

const (
	recordVersion = 2
	unreadable    = "unreadable" // the holder that stands for content that makes no sense
	grains        = 24           // in a window
	maxHolders    = 64           // the oldest of more are written as one
	maxCount      = 1 << 40
)

// slots is how many slots a holder may have in use in the last window before any
// instant from now on until it writes again, where it wrote so long ago.
func (h *holder) slots(elapsed, window int64) int {
	n := 0
	if elapsed < h.Term+window {
		n = h.Open
	}
	for i, done := range h.Done {
		if elapsed+int64(i)*h.Grain < window {
			n += done
		}
	}
	return min(n, h.Share)
}

// shrinksIn is how long it takes until slots may be less.
func (h *holder) shrinksIn(elapsed, window int64) int64 {
	in := int64(math.MaxInt64)
	if d := h.Term + window - elapsed; h.Open > 0 && d > 0 {
		in = d
	}
	for i, done := range h.Done {
		if d := window - int64(i)*h.Grain - elapsed; done > 0 && d > 0 {
			in = min(in, d)
		}
	}
	return in
}

// rebase writes a holder as if it had been written now, at the server's time given.
func (h *holder) rebase(elapsed, rev, at int64) {
	h.Rev, h.At, h.Term = rev, at, max(0, h.Term-elapsed)
	if len(h.Done) > 0 {
		older := make([]int, min(elapsed/h.Grain, 2*grains))
		h.Done = append(older, h.Done[:min(len(h.Done), 3*grains-len(older))]...)
	}
}

// merge adds to a holder another one that was written at the same time.
func (h *holder) merge(other *holder) {
	h.Share += other.Share
	h.Open += other.Open
	h.Term = max(h.Term, other.Term)
	h.Grain = max(1, cmp.Or(h.Grain, other.Grain))
	for i, done := range other.Done {
		i = int(min(int64(i)*other.Grain/h.Grain, 3*grains))
		if i >= len(h.Done) {
			h.Done = append(h.Done, make([]int, i+1-len(h.Done))...)
		}
		h.Done[i] += done
	}
}

// readRecord decodes the content of a ledger. Content that makes no sense may stand
// for anything: it becomes a holder of the whole quota that has just written.
func readRecord(content []byte, full *holder) (*record, error) {
	if content == nil {
		return newRecord(), nil
	}
	r := new(record)
	if json.Unmarshal(content, r) != nil || r.Version <= 0 || !r.makesSense() {
		r = newRecord()
		r.isBroken = true
		full.Rev = hashOf(content) // whoever reads the same has seen the same
		r.Holders[unreadable] = full
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("content has version %d: want %d, the only one this program knows", r.Version, recordVersion)
	}
	return r, nil
}

// newRecord begins at a random revision, so that a record that was lost and began
// anew has no revision in common with the one before.
func newRecord() *record {
	return &record{Version: recordVersion, Rev: rand.Int64N(maxCount), Holders: map[string]*holder{}}
}

func hashOf(content []byte) int64 {
	h := fnv.New64a()
	_, _ = h.Write(content)
	return int64(h.Sum64() >> 1)
}

func (r *record) makesSense() bool {
	if r.Version != recordVersion {
		return true // another version's business
	}
	if r.Holders == nil {
		r.Holders = map[string]*holder{}
	}
	count := func(n int) bool { return n >= 0 && n <= maxCount }
	counts := func(n []int) bool { return !slices.ContainsFunc(n, func(n int) bool { return !count(n) }) }
	for _, h := range r.Holders {
		if h == nil || !count(h.Share) || !count(h.Open) || !count(h.Want) || h.At < 0 ||
			h.Term < 0 || h.Term > (lease+maxHold).Milliseconds() || h.Grain < 0 || h.Grain > day.Milliseconds() ||
			len(h.Done) > 4*grains || h.Grain == 0 && len(h.Done) > 0 || !counts(h.Done) {
			return false
		}
	}
	return r.Rev >= 0 && r.Rev < math.MaxInt64
}

// fold writes the oldest holders as one, if there are too many: processes that start
// and end all day leave one each.
func (r *record) fold(elapsed func(id string, h *holder) int64, at int64) {
	if len(r.Holders) <= maxHolders {
		return
	}
	ids := slices.SortedFunc(maps.Keys(r.Holders), func(a, b string) int {
		return cmp.Compare(r.Holders[a].Rev, r.Holders[b].Rev)
	})
	past := r.Holders[ids[0]]
	past.rebase(elapsed(ids[0], past), r.Rev+1, at)
	for _, id := range ids[1 : len(ids)-maxHolders/2] {
		h := r.Holders[id]
		h.rebase(elapsed(id, h), r.Rev+1, at)
		past.merge(h)
		delete(r.Holders, id)
	}
}

// fairLevel shares n slots out among holders that could use as many as given: each gets
// what it could use, but at most the level returned, which is infinite if there is
// enough for all.
func fairLevel(n int, demands []int) float64 {
	slices.Sort(demands)
	for i, d := range demands {
		level := max(0, float64(n)/float64(len(demands)-i))
		if float64(d) > level {
			return level
		}
		n -= d
	}
	return math.Inf(1)
}
