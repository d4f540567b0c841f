package history

import (
	"context"
	"time"
)

// A Tally counts what came of audits.
type Tally struct {
	Settled    map[WhoStatus]int64 `json:"settled"`    // attributions that are final, by status
	Corrected  int64               `json:"corrected"`  // times that a late audit made another attribution of a provisional one
	Undetected int64               `json:"undetected"` // records of writes that no change explains
	Pending    int                 `json:"pending"`    // attributions that were not settled when audits were read last
	Until      time.Time           `json:"until,omitzero"`

	Delay  time.Duration `json:"delay"`  // mean from an act to the change that shows it, where audits tell; in JSON nanoseconds
	Naming time.Duration `json:"naming"` // mean from a change until audits told who made it; in JSON nanoseconds
}

// Share returns the part of the settled changes made by people or clients of which somebody is named: one less
// the part of WhoNone. It is 0 before there are any.
func (t Tally) Share() float64 {
	named := t.Settled[WhoAttributed] + t.Settled[WhoSeveral]
	return float64(named) / float64(max(1, named+t.Settled[WhoNone]))
}

// A mean is one in the making.
type mean struct {
	N   int64         `json:"n"`
	Sum time.Duration `json:"sum"`
}

func (m *mean) add(d time.Duration) { m.N, m.Sum = m.N+1, m.Sum+max(0, d) }

func (m mean) value() time.Duration { return m.Sum / time.Duration(max(1, m.N)) }

// Tally counts what came of audits so far. It is false if none were ever read.
func (h *History) Tally(ctx context.Context) (Tally, bool, error) {
	st, found, err := h.auditState(ctx)
	if err != nil || !found {
		return Tally{}, false, err
	}
	st.Tally.Until, st.Tally.Delay, st.Tally.Naming = st.now(), st.Delay.value(), st.Naming.value()
	return st.Tally, true, nil
}
