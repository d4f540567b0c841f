package poller

import (
	"slices"
	"strings"
	"time"
)

// object is the state of one object; the Poller's mutex guards it.
type object struct {
	name     string
	schedule *Schedule // nil when off
	due      time.Time // next tick; zero when there is none or Run is not running
	planned  time.Time // start of that tick: due plus the object's offset
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

func (o *object) compare(name string) int { return strings.Compare(o.name, name) }

// adopt gives an object its schedule, nil for none.
func (p *Poller) adopt(o *object, schedule *Schedule, now time.Time) {
	if schedule.equal(o.schedule) {
		o.schedule = schedule
		return
	}
	if schedule == nil {
		o.stop()
	} else {
		p.hasten(o, now)
	}
	p.plan(o, time.Time{})
	o.schedule = schedule
	if schedule == nil || !p.active {
		return
	}
	if !o.busy && o.pending == nil { // else a run is yet to be settled
		o.settled, o.unsaved = now, true
		p.enqueue(o)
	}
	p.plan(o, schedule.Next(now))
}

// stop drops the run to come.
func (o *object) stop() { o.pending, o.stopped = nil, true }

// hasten requests the run of a tick that waits for its place within the spread.
func (p *Poller) hasten(o *object, now time.Time) {
	if !o.due.IsZero() && !o.due.After(now) {
		p.request(o, p.collect(o, now))
	}
}

// request adds a run to come, or makes it part of the one that is pending.
func (p *Poller) request(o *object, f Firing) {
	if o.pending == nil {
		o.pending = &f
	} else {
		o.pending.fold(f)
	}
	p.enqueue(o)
}

// hold keeps an object out of the queue until a time.
func (p *Poller) hold(o *object, until time.Time) {
	o.held = until
	if !slices.Contains(p.held, o) {
		p.held = append(p.held, o)
	}
	p.notify()
}

// unhold queues what was held until now.
func (p *Poller) unhold(now time.Time) {
	p.held = slices.DeleteFunc(p.held, func(o *object) bool {
		if o.held.After(now) {
			return false
		}
		o.held = time.Time{}
		p.resume(o)
		return true
	})
}

// resume queues an object if it has something to do.
func (p *Poller) resume(o *object) {
	if o.pending != nil || o.unsaved {
		p.enqueue(o)
	}
}

func (p *Poller) enqueue(o *object) {
	if !o.busy && !o.queued && o.held.IsZero() {
		o.queued = true
		p.queue = append(p.queue, o)
	}
}

// clockTime is the time of the wall clock; what is planned by it is not to be compared by the monotonic clock.
func clockTime() time.Time { return time.Now().Round(0).UTC() }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
