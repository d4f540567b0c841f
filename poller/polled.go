package poller

import (
	"slices"
	"strings"
	"time"
)

// polledType is the state of one type; the Poller's mutex guards it. It is in the agenda while due
// is set, and in at most one of these places: in the queue, in held, with a worker.
type polledType struct {
	name     string
	schedule *Schedule // nil when off
	due      time.Time // next tick; zero when there is none or Run is not running
	planned  time.Time // start of that tick: due plus the offset of the type
	place    int       // in the agenda, unless due is zero
	settled  time.Time // every tick up to here has had its run

	pending *Firing   // the run to come
	unsaved bool      // settled is to be saved although there was no run
	held    time.Time // it is not queued before
	queued  bool      // in the queue
	busy    bool      // with a worker
	stopped bool      // the run in progress does not come back if it is put off

	running   bool
	lastDue   time.Time
	lastStart time.Time
	lastEnd   time.Time
	lastLag   time.Duration
	lastErr   error
}

func (t *polledType) compare(name string) int { return strings.Compare(t.name, name) }

// adopt gives a type its schedule, nil for none. With a new one the type begins as if it had just
// been seen: what was due under the old one still runs, and the next tick is the first from now on.
func (p *Poller) adopt(t *polledType, schedule *Schedule, now time.Time) {
	if schedule.equal(t.schedule) {
		t.schedule = schedule
		return
	}
	if schedule == nil {
		t.stop()
	} else {
		p.hasten(t, now)
	}
	p.plan(t, time.Time{})
	t.schedule = schedule
	if schedule == nil || !p.active {
		return
	}
	if !t.busy && t.pending == nil { // else a run is yet to be settled
		t.settled, t.unsaved = now, true
		p.enqueue(t)
	}
	p.plan(t, schedule.Next(now))
}

// stop drops the run to come.
func (t *polledType) stop() { t.pending, t.stopped = nil, true }

// hasten requests at once the run of a tick that has passed and waits for its offset.
func (p *Poller) hasten(t *polledType, now time.Time) {
	if !t.due.IsZero() && !t.due.After(now) {
		p.request(t, p.collect(t, now))
	}
}

// request adds a run to come, or makes it part of the one that is pending.
func (p *Poller) request(t *polledType, f Firing) {
	if t.pending == nil {
		t.pending = &f
	} else {
		t.pending.fold(f)
	}
	p.enqueue(t)
}

// hold keeps a type out of the queue until a time. Its pending run takes in the ticks that come.
func (p *Poller) hold(t *polledType, until time.Time) {
	t.held = until
	if !slices.Contains(p.held, t) {
		p.held = append(p.held, t)
	}
	p.notify()
}

// unhold queues what was held until now.
func (p *Poller) unhold(now time.Time) {
	p.held = slices.DeleteFunc(p.held, func(t *polledType) bool {
		if t.held.After(now) {
			return false
		}
		t.held = time.Time{}
		p.resume(t)
		return true
	})
}

// resume queues a type if it has something to do.
func (p *Poller) resume(t *polledType) {
	if t.pending != nil || t.unsaved {
		p.enqueue(t)
	}
}

// enqueue puts a type into the queue, unless it is there, held or busy; in the latter cases resume
// does it later.
func (p *Poller) enqueue(t *polledType) {
	if !t.busy && !t.queued && t.held.IsZero() {
		t.queued = true
		p.queue = append(p.queue, t)
	}
}

// clockTime is the time of the wall clock; what is planned by it is not to be compared by the
// monotonic clock.
func clockTime() time.Time { return time.Now().Round(0).UTC() }
