package poller

import "time"

// Status is the state of one object.
type Status struct {
	Object   string
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

// Status returns the state of every object that is polled, by name.
func (p *Poller) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := clockTime()
	all := make([]Status, len(p.objects))
	for i, o := range p.objects {
		lag := o.lastLag
		if o.pending != nil {
			lag = max(0, now.Sub(o.pending.planned))
		}
		all[i] = Status{
			Object:    o.name,
			Schedule:  o.schedule,
			Next:      o.due,
			Running:   o.running,
			Pending:   o.pending != nil,
			LastDue:   o.lastDue,
			LastStart: o.lastStart,
			LastEnd:   o.lastEnd,
			LastErr:   o.lastErr,
			Lag:       lag,
		}
	}
	return all
}
