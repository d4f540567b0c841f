package poller

import (
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
)

// Job polls one type. The context ends when that of [Poller.Run] does; Run then waits for the job
// to return. Jobs of different types run concurrently. A job that returns an error is not called
// again before the next tick. A panic is recovered and reported as a [*PanicError]; a
// [*DeferredError] is no failure.
type Job func(ctx context.Context, f Firing) error

// Firing is one run of a type.
type Firing struct {
	Type string

	// Due is the intended time, before any spread. When the run stands for several ticks it is that
	// of the latest. The runs of a type have growing times, unless the clock is set back by more
	// than a minute; only a run that the end of Run's context made fail may come again with the
	// same.
	Due time.Time

	Started time.Time

	// Lag is how much later than planned it started: from the earliest tick it stands for, plus the
	// type's spread.
	Lag time.Duration

	// Coalesced is the number of earlier ticks that it stands for as well.
	Coalesced int

	// Missed tells that a tick passed while the poller did not run.
	Missed bool

	// Triggered tells that Trigger asked for it, alone or besides a tick. A trigger counts as a
	// tick at the time of the call.
	Triggered bool

	planned time.Time // start of the earliest tick
}

// fold makes f stand for another firing of the same type as well.
func (f *Firing) fold(other Firing) {
	f.Due = instant.Later(f.Due, other.Due)
	f.Coalesced += 1 + other.Coalesced
	f.Missed = f.Missed || other.Missed
	f.Triggered = f.Triggered || other.Triggered
	f.planned = instant.Earlier(f.planned, other.planned)
}

// DeferredError is what a Job returns to put off a run that it has not begun, such as one that
// another process is at. The firing is pending again, and the job is called with it at Until, or
// when Trigger asks; ticks that come before are folded into it.
type DeferredError struct {
	Until time.Time
}

func (e *DeferredError) Error() string {
	return "poller: run put off until " + e.Until.Format(time.RFC3339)
}

// PanicError is the error of a run whose job panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("poller: job panicked: %v", e.Value) }

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
