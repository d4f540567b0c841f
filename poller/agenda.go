package poller

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
)

// What is due, and when to look again. Ticks are times of the wall clock, so a clock that is set,
// or a machine that was suspended, moves them past or away from Run: it never sleeps longer than
// maxSleep, takes all ticks that have passed as one, and plans anew when the clock went back by
// more than that.

// agenda is a heap of the types that have a next tick, by its planned start. It implements
// heap.Interface.
type agenda []*polledType

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	return cmp.Or(a[i].planned.Compare(a[j].planned), cmp.Compare(a[i].name, a[j].name)) < 0
}

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

func (a *agenda) Push(x any) {
	t := x.(*polledType)
	t.place = len(*a)
	*a = append(*a, t)
}

func (a *agenda) Pop() any {
	last := len(*a) - 1
	t := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return t
}

// plan sets a type's next tick, none if due is zero.
func (p *Poller) plan(t *polledType, due time.Time) {
	listed := !t.due.IsZero()
	t.due = due
	switch {
	case !due.IsZero():
		t.planned = p.plannedStart(t, due)
		if listed {
			heap.Fix(&p.agenda, t.place)
		} else {
			heap.Push(&p.agenda, t)
		}
	case listed:
		heap.Remove(&p.agenda, t.place)
	}
}

// plannedStart spreads a tick over the window, which ends before the next tick.
func (p *Poller) plannedStart(t *polledType, due time.Time) time.Time {
	if p.opts.Spread <= 0 {
		return due
	}
	window := min(p.opts.Spread, t.schedule.Next(due).Sub(due))
	return due.Add(Offset(p.opts.SpreadKey, t.name, window))
}

// tick requests the runs whose planned start has come. starting tells that Run begins: ticks before
// now came while nobody ran.
func (p *Poller) tick(now time.Time, starting bool) {
	if p.ticked.After(now.Add(maxSleep)) {
		p.rewind(now)
	}
	p.ticked = now
	p.unhold(now)
	for len(p.agenda) > 0 && !p.agenda[0].planned.After(now) {
		t := p.agenda[0]
		f := p.collect(t, now)
		f.Missed = starting && f.planned.Before(now)
		p.request(t, f)
	}
}

// rewind plans anew when the clock was set back: what was planned by the clock that ran ahead must
// not silence the types until then.
func (p *Poller) rewind(now time.Time) {
	for _, t := range p.types {
		if !t.due.IsZero() {
			p.plan(t, instant.Earlier(t.due, t.schedule.Next(now)))
		}
	}
	for _, t := range p.held {
		t.held = instant.Earlier(t.held, now)
	}
}

// collect takes all ticks of a type whose planned start has come, usually one, as one Firing, and
// plans the next. Of the last tick that has passed the planned start may be still to come, because
// of the type's offset; then it is the next one.
func (p *Poller) collect(t *polledType, now time.Time) Firing {
	first, planned := t.due, t.planned
	last, next := first, t.schedule.Next(first)
	if !next.IsZero() && !next.After(now) {
		last = t.schedule.latest(next, now)
		if p.plannedStart(t, last).After(now) {
			last = t.schedule.latest(first, last.Add(-1))
		}
		next = t.schedule.Next(last)
	}
	p.plan(t, next)
	return Firing{Type: t.name, Due: last, Coalesced: t.schedule.Count(first, last), planned: planned}
}

// untilNext is how long Run may sleep.
func (p *Poller) untilNext(now time.Time) time.Duration {
	sleep := maxSleep
	if len(p.agenda) > 0 {
		sleep = min(sleep, p.agenda[0].planned.Sub(now))
	}
	for _, t := range p.held {
		sleep = min(sleep, t.held.Sub(now))
	}
	return sleep
}
