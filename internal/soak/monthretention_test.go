package soak_test

import (
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history"
)

// planRetention looks every few hours at the log of each environment that forgets, while everything else goes on. A look
// takes no time, and its draws are its own.
func (m *month) planRetention() {
	dice := rand.New(rand.NewPCG(*monthSeed, 49))
	for _, o := range m.orgs {
		if o.record.RetentionDays == 0 {
			continue
		}
		for at := time.Now(); at.Before(m.ends); at = at.Add(time.Duration(dice.Int64N(int64(12 * time.Hour)))) {
			m.at(at, func() { m.lookAtLog(o) })
		}
	}
}

// lookAtLog sees that a change that is gone from the log since the last look had expired: the next one of its object is
// older than the retention. It returns what is there.
func (m *month) lookAtLog(o *monthOrg) map[uint64]history.Change {
	engine := m.reader(o)
	h, err := engine.History(m.t.Context(), o.record.ID)
	require.NoError(m.t, err)
	there := map[uint64]history.Change{}
	for c, err := range h.Changes(m.t.Context(), history.Query{Imported: true}) {
		require.NoError(m.t, err)
		there[c.Seq] = c
	}
	require.NoError(m.t, engine.Close(m.t.Context()))
	expires := time.Now().AddDate(0, 0, -o.record.RetentionDays)
	all := maps.Clone(there)
	maps.Copy(all, o.log)
	for c, next := range monthSuperseded(all) {
		if _, ok := there[c.Seq]; ok {
			continue
		}
		m.counts["changes expired"]++
		if next.IsZero() || next.After(expires) {
			m.t.Errorf("%s: %v %s of %s is gone by %v; it was superseded at %v", o.record.Name, c.Kind, c.ID, c.Type, time.Now(), next)
		}
	}
	o.log = there
	return there
}

// monthSuperseded yields changes with the time of the next one of the same object; zero: there is none.
func monthSuperseded(log map[uint64]history.Change) iter.Seq2[history.Change, time.Time] {
	return func(yield func(history.Change, time.Time) bool) {
		next := map[[2]string]time.Time{}
		for _, seq := range slices.Backward(slices.Sorted(maps.Keys(log))) {
			c := log[seq]
			if !yield(c, next[[2]string{c.Type, c.ID}]) {
				return
			}
			next[[2]string{c.Type, c.ID}] = c.At
		}
	}
}

// checkRetention sees that nothing is kept for long after it has expired. Every process removes daily, and every import does.
func (c *monthCheck) checkRetention() {
	if c.record.RetentionDays == 0 {
		return
	}
	expired := time.Now().AddDate(0, 0, -c.record.RetentionDays).Add(-12 * time.Hour)
	for change, next := range monthSuperseded(c.lookAtLog(c.monthOrg)) {
		if !next.IsZero() && next.Before(expired) && change.Kind != history.KindShape {
			c.fail("%v is still there at %v; it was superseded at %v", change, time.Now(), next)
		}
	}
}
