package ratelimit

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Options are the options of [New]. Limiters that share a ledger are given the
// same ones.
type Options struct {
	// Ledger keeps the budget across restarts and shares it among processes.
	// Defaults to none: the budget is this limiter's own and ends with it.
	Ledger Ledger

	// HoldTimeout is for requests whose end nobody reports: a request is taken to
	// have reached the server this long after its permit at the latest. At most an
	// hour. Defaults to 5 minutes.
	HoldTimeout time.Duration

	// BackgroundShare is the part of the slots that background callers get at
	// least while interactive callers of the same process want them all. At most
	// 0.5. Defaults to 0.1.
	BackgroundShare float64

	// BackgroundBurst is how many background requests may go at once; after that
	// they are spread evenly, N in a window. The whole limit stays usable in every
	// window but the first. Interactive requests are not spread. -1 does not
	// spread any. Defaults to a tenth of the limit, but at least 1.
	BackgroundBurst int

	// Headers names the response headers in which the server tells its window.
	// A pointer to the zero Headers names none. Defaults to [GenesysHeaders].
	// Retry-After is honoured in any case.
	Headers *Headers

	// MaxFreeze is the longest time for which an answer of the server can hold
	// requests back. If the server asked for more, one request goes alone after
	// MaxFreeze, and its answer decides for the others. At most a day. Defaults
	// to 5 minutes.
	MaxFreeze time.Duration
}

const maxHold = time.Hour

// withDefaults returns a copy with the defaults that do not depend on the limit.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.HoldTimeout == 0 {
		c.HoldTimeout = 5 * time.Minute
	}
	if c.BackgroundShare == 0 {
		c.BackgroundShare = 0.1
	}
	if c.Headers == nil {
		c.Headers = new(GenesysHeaders())
	}
	if c.MaxFreeze == 0 {
		c.MaxFreeze = 5 * time.Minute
	}
	return c
}

func (o *Options) validate() error {
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("ratelimit: "+format, args...))
	}
	if o.HoldTimeout < 0 || o.HoldTimeout > maxHold {
		complain("HoldTimeout is %s: want at most %s, or 0 for the default", o.HoldTimeout, maxHold)
	}
	if math.IsNaN(o.BackgroundShare) || o.BackgroundShare < 0 || o.BackgroundShare > 0.5 {
		complain("BackgroundShare is %v: want at most 0.5, or 0 for the default", o.BackgroundShare)
	}
	if o.BackgroundBurst < -1 {
		complain("BackgroundBurst is %d: want 1 or more, 0 for the default, or -1 for no spreading",
			o.BackgroundBurst)
	}
	if o.MaxFreeze < 0 || o.MaxFreeze > day {
		complain("MaxFreeze is %s: want at most %s, or 0 for the default", o.MaxFreeze, day)
	}
	return errors.Join(errs...)
}

// burst is the number of background requests that may go at once under a limit.
func (o *Options) burst(limit Limit) int {
	if o.BackgroundBurst != 0 {
		return o.BackgroundBurst
	}
	return max(1, limit.N/10)
}
