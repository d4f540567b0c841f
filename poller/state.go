package poller

import (
	"context"
	"time"
)

// State keeps, for each type, the time up to which every intended time is dealt with, so that a run
// missed while the process was down happens after all.
//
// Save is called when a type is first seen or gets another schedule, with the present, and after
// each of its runs, with the Due of the firing, whether the job succeeded or failed; not when the
// job failed because Run's context ended. Calls for one type follow each other and their times go
// back only when the clock does; calls for different types are concurrent. A time that could not be
// saved costs at most one run too many.
type State interface {
	// Load returns the time last saved for every type. Run calls it once, when it starts.
	Load(ctx context.Context) (map[string]time.Time, error)

	// Save records due as the time of a type. Its context does not end with that of Run, but after
	// 10 seconds.
	Save(ctx context.Context, name string, due time.Time) error
}

// noState forgets.
type noState struct{}

func (noState) Load(context.Context) (map[string]time.Time, error) { return nil, nil }

func (noState) Save(context.Context, string, time.Time) error { return nil }
