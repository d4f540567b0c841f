package poller

import (
	"cmp"
	"container/heap"
	"time"
)

// agenda is a heap of the objects that have a next tick, by its planned start.
type agenda []*object

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	return cmp.Or(a[i].planned.Compare(a[j].planned), cmp.Compare(a[i].name, a[j].name)) < 0
}

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

func (a *agenda) Push(x any) {
	o := x.(*object)
	o.place = len(*a)
	*a = append(*a, o)
}

func (a *agenda) Pop() any {
	last := len(*a) - 1
	o := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return o
}

// plan sets an object's next tick, none if due is zero.
func (p *Poller) plan(o *object, due time.Time) {
	listed := !o.due.IsZero()
	o.due = due
	switch {
	case !due.IsZero():
		o.planned = p.plannedStart(o, due)
		if listed {
			heap.Fix(&p.agenda, o.place)
		} else {
			heap.Push(&p.agenda, o)
		}
	case listed:
		heap.Remove(&p.agenda, o.place)
	}
}

// plannedStart spreads a tick over the window, which ends before the next tick.
func (p *Poller) plannedStart(o *object, due time.Time) time.Time {
	if p.opts.Spread <= 0 {
		return due
	}
	window := min(p.opts.Spread, o.schedule.Next(due).Sub(due))
	return due.Add(Offset(p.opts.SpreadKey, o.name, window))
}

// tick requests the runs whose planned start has come; starting tells that Run begins, so that earlier ones were missed.
func (p *Poller) tick(now time.Time, starting bool) {
	if p.ticked.After(now.Add(maxSleep)) {
		p.rewind(now)
	}
	p.ticked = now
	p.unhold(now)
	for len(p.agenda) > 0 && !p.agenda[0].planned.After(now) {
		o := p.agenda[0]
		f := p.collect(o, now)
		f.Missed = starting && f.planned.Before(now)
		p.request(o, f)
	}
}

// rewind plans anew when the clock was set back: what was planned by the clock that ran ahead must not silence the
// objects until then.
func (p *Poller) rewind(now time.Time) {
	for _, o := range p.objects {
		if !o.due.IsZero() {
			p.plan(o, earlier(o.due, o.schedule.Next(now)))
		}
	}
	for _, o := range p.held {
		o.held = earlier(o.held, now)
	}
}

// collect takes the ticks whose planned start has come, usually one, and plans the next.
func (p *Poller) collect(o *object, now time.Time) Firing {
	first, planned := o.due, o.planned
	last, next := first, o.schedule.Next(first)
	if !next.IsZero() && !next.After(now) {
		last = o.schedule.latest(next, now)
		if p.plannedStart(o, last).After(now) {
			last = o.schedule.latest(first, last.Add(-1))
		}
		next = o.schedule.Next(last)
	}
	p.plan(o, next)
	return Firing{Object: o.name, Due: last, Coalesced: o.schedule.Count(first, last), planned: planned}
}

// untilNext is how long Run may sleep.
func (p *Poller) untilNext(now time.Time) time.Duration {
	sleep := maxSleep
	if len(p.agenda) > 0 {
		sleep = min(sleep, p.agenda[0].planned.Sub(now))
	}
	for _, o := range p.held {
		sleep = min(sleep, o.held.Sub(now))
	}
	return sleep
}
