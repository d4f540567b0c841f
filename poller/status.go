package poller

import "time"

// Status is the state of one type.
type Status struct {
	Type     string
	Schedule *Schedule // nil when off
	Next     time.Time // next intended time; zero when off or when Run is not running

	Running bool
	Pending bool // a run is requested and has not started

	LastDue   time.Time     // intended time of the run that started last; zero before the first, as are the next two
	LastStart time.Time     // its start
	LastEnd   time.Time     // end of the run that ended last
	LastErr   error         // its outcome
	Lag       time.Duration // how late the pending run is by now, or else how late the last run started
}

// Status returns the state of every type that is polled, by name.
func (p *Poller) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := clockTime()
	all := make([]Status, len(p.types))
	for i, t := range p.types {
		lag := t.lastLag
		if t.pending != nil {
			lag = max(0, now.Sub(t.pending.planned))
		}
		all[i] = Status{
			Type:      t.name,
			Schedule:  t.schedule,
			Next:      t.due,
			Running:   t.running,
			Pending:   t.pending != nil,
			LastDue:   t.lastDue,
			LastStart: t.lastStart,
			LastEnd:   t.lastEnd,
			LastErr:   t.lastErr,
			Lag:       lag,
		}
	}
	return all
}
