package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/internal/printable"
)

// A DeadlineError says that a caller has a deadline before which there is no slot
// for it, given those who wait already. It unwraps to [context.DeadlineExceeded].
type DeadlineError struct {
	Limit    Limit
	Why      string    // what stands in the way
	Free     time.Time // when there would be a slot, at the earliest
	Deadline time.Time // the caller's
}

// Error implements error.
func (e *DeadlineError) Error() string {
	return printable.Text(fmt.Sprintf("ratelimit: limit of %s: %s, no slot before %s, which is %s after the deadline",
		e.Limit, e.Why, e.Free.Format(time.RFC3339), e.Free.Sub(e.Deadline).Round(time.Millisecond)))
}

// Unwrap returns [context.DeadlineExceeded].
func (e *DeadlineError) Unwrap() error { return context.DeadlineExceeded }
