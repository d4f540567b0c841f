package ratelimit

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// A record is the content of a ledger: which holder has which share of the quota. A holder is
// one limiter, from New until its process ends. All times but At are durations by the
// monotonic clock of the holder, in nanoseconds, so nobody's wall clock matters.
//
// What a holder has written bounds what it will do until it writes again. How many slots that
// leaves it follows from one quantity: how long ago it was written, at least (see share.see). The
// slots of all holders together are never more than the limit of whoever wrote last.
type record struct {
	Version int                `json:"version"`
	Rev     int64              `json:"rev"` // one more with every write, so that no two are alike
	Holders map[string]*holder `json:"holders"`
}

// A holder is what one limiter has written of itself.
type holder struct {
	Rev   int64    `json:"rev"`            // of the record, when this was written
	At    int64    `json:"at,omitzero"`    // the server's time then, at the latest, in Unix nanoseconds; 0: unknown
	Share int      `json:"share"`          // so many slots may be taken
	Open  int      `json:"open,omitzero"`  // requests in flight, and those that may start
	Term  int64    `json:"term,omitzero"`  // from writing until all of these are over
	Done  []cohort `json:"done,omitempty"` // requests that were over
	Want  int      `json:"want,omitzero"`  // slots that its callers could use beyond these

	elapsed int64 // since it was written, at least, as the reader knows
}

// A cohort is requests that were over for some time when it was written, at least.
type cohort struct {
	Age int64 `json:"age"`
	N   int   `json:"n"`
}

const (
	recordVersion = 3
	grains        = 24 // in a window
	maxHolders    = 64 // what is left of the oldest of more is added up
	maxCount      = 1 << 40
)

// slots is how many slots a holder may have in use in the last window before any instant from
// now on until it writes again; and how long it takes until they may be fewer.
func (h *holder) slots(window int64) (n int, less int64) {
	less = never
	add := func(k int, left int64) {
		if k > 0 && left > 0 {
			n, less = n+k, min(less, left)
		}
	}
	add(h.Open, h.Term+window-h.elapsed)
	for _, c := range h.Done {
		add(c.N, window-c.Age-h.elapsed)
	}
	return min(n, h.Share), less
}

// readRecord decodes the content of a ledger. Content that makes no sense may stand for
// anything: it becomes a holder of the whole quota that has just written, with the term given.
func readRecord(content []byte, term int64) (*record, error) {
	r := &record{Holders: map[string]*holder{}}
	err := json.Unmarshal(content, r)
	if r.Version > 0 && r.Version != recordVersion {
		return nil, fmt.Errorf("content has version %d: want %d, the only one this program knows",
			r.Version, recordVersion)
	}
	if err == nil && r.makesSense() {
		return r, nil
	}
	// A record begins at a random revision, so that one that was lost and began anew has no
	// revision in common with the one before.
	r = &record{recordVersion, rand.Int64N(maxCount), map[string]*holder{}}
	if content != nil {
		name := fmt.Sprintf("unreadable %x", sha256.Sum256(content)) // the same for the same content
		r.Holders[name] = &holder{Share: maxCount, Open: maxCount, Term: term}
	}
	return r, nil
}

func (r *record) makesSense() bool {
	isCount := func(n int) bool { return n >= 0 && n <= maxCount }
	for _, h := range r.Holders {
		if h == nil || !isCount(h.Share) || !isCount(h.Open) || !isCount(h.Want) ||
			h.At < 0 || h.At > never || h.Term < 0 || h.Term > int64(grantTerm+maxHold) || len(h.Done) > 2*grains {
			return false
		}
		for _, c := range h.Done {
			if c.Age < 0 || c.Age > 2*int64(day) || !isCount(c.N) {
				return false
			}
		}
	}
	return r.Version == recordVersion && r.Holders != nil && r.Rev >= 0 && r.Rev < math.MaxInt64
}

// gravePrefix begins the names of the holders that stand for what is left of others.
const gravePrefix = "over by "

// bury shortens a record with too many holders: processes that start and end all day leave
// one each. The requests of the oldest holders that start no more are added up by when they
// were over, by the server's time, rounded up to a grain. So no age is lost, however often
// this happens; and where the server tells no time, nothing is added up.
func (r *record) bury(grain int64) {
	if len(r.Holders) <= maxHolders {
		return
	}
	ids := slices.SortedFunc(maps.Keys(r.Holders), func(a, b string) int {
		return cmp.Compare(r.Holders[a].Rev, r.Holders[b].Rev)
	})
	for _, id := range ids[:len(ids)/2] {
		h := r.Holders[id]
		isOver := h.Open == 0 || h.elapsed >= h.Term
		if h.At == 0 || !isOver || strings.HasPrefix(id, gravePrefix) {
			continue
		}
		delete(r.Holders, id)
		for _, c := range append(h.Done, cohort{-h.Term, h.Open}) {
			if c.N == 0 {
				continue
			}
			at := (h.At-c.Age)/grain*grain + grain
			name := fmt.Sprint(gravePrefix, at)
			grave := cmp.Or(r.Holders[name], &holder{At: at, Done: []cohort{{}}})
			grave.Rev, grave.Share, grave.Done[0].N = r.Rev, grave.Share+c.N, grave.Done[0].N+c.N
			r.Holders[name] = grave
		}
	}
}

// fairLevel shares n slots out among holders that could use as many as given: each gets what
// it could use, but at most the level returned, which is infinite if there is enough for all.
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
