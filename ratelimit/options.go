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
	// least while interactive callers want them all, of whichever process. At most
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

	// ClaimBlock is how many slots a limiter with a ledger claims ahead of its
	// callers at most, and so the most that a crash can lose, apart from requests
	// in flight. A limiter claims ahead what it uses in a sixtieth of a window, and
	// gives back what it does not use. Defaults to a twentieth of the limit, but at
	// least 1.
	ClaimBlock int

	// ClockError bounds how far apart the wall clocks of limiters that share a
	// ledger may be, and how far such a clock may be set forth or back between two
	// uses of the ledger. A slot that passes from one limiter to another waits for
	// twice as long in addition. At most a minute. Defaults to 250 milliseconds.
	ClockError time.Duration
}

const (
	maxHold       = time.Hour
	maxClockError = time.Minute
)

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
	if c.ClockError == 0 {
		c.ClockError = 250 * time.Millisecond
	}
	if c.Headers == nil {
		c.Headers = new(GenesysHeaders())
	}
	return c
}

func (o *Options) validate() error {
	var errs []error
	if o.HoldTimeout < 0 || o.HoldTimeout > maxHold {
		errs = append(errs, fmt.Errorf("ratelimit: HoldTimeout is %s: want at most %s, or 0 for the default", o.HoldTimeout, maxHold))
	}
	if math.IsNaN(o.BackgroundShare) || o.BackgroundShare < 0 || o.BackgroundShare > 0.5 {
		errs = append(errs, fmt.Errorf("ratelimit: BackgroundShare is %v: want at most 0.5, or 0 for the default", o.BackgroundShare))
	}
	if o.BackgroundBurst < -1 {
		errs = append(errs, fmt.Errorf("ratelimit: BackgroundBurst is %d: want 1 or more, 0 for the default, or -1 for no smoothing", o.BackgroundBurst))
	}
	if o.ClaimBlock < 0 {
		errs = append(errs, fmt.Errorf("ratelimit: ClaimBlock is %d: want 1 or more, or 0 for the default", o.ClaimBlock))
	}
	if o.ClockError < 0 || o.ClockError > maxClockError {
		errs = append(errs, fmt.Errorf("ratelimit: ClockError is %s: want at most %s, or 0 for the default", o.ClockError, maxClockError))
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

// block is the number of slots to claim ahead at most under a limit.
func (o *Options) block(limit Limit) int {
	if o.ClaimBlock != 0 {
		return o.ClaimBlock
	}
	return max(1, limit.N/20)
}
