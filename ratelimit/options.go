package ratelimit

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Options are the options of [New]. Limiters that share a ledger are given the same ones.
type Options struct {
	// Ledger keeps the budget across restarts and shares it among processes.
	// Defaults to none: the budget is this limiter's own and ends with it.
	Ledger Ledger

	// HoldTimeout is for requests whose end nobody reports: a request is taken to have reached the
	// server this long after its permit at the latest. At most an hour. Defaults to 5 minutes.
	HoldTimeout time.Duration

	// MaxFreeze is the longest time for which an answer of the server can hold requests back. If
	// the server asked for more, one request goes alone after MaxFreeze, and its answer decides for
	// the others. At most a day. Defaults to 5 minutes.
	MaxFreeze time.Duration
}

const maxHold = time.Hour

// withDefaults returns a copy with the defaults.
func (o *Options) withDefaults() Options {
	c := *cmp.Or(o, new(Options))
	c.HoldTimeout = cmp.Or(c.HoldTimeout, 5*time.Minute)
	c.MaxFreeze = cmp.Or(c.MaxFreeze, 5*time.Minute)
	return c
}

func (o *Options) validate() error {
	check := func(name string, d, most time.Duration) error {
		if d >= 0 && d <= most {
			return nil
		}
		return fmt.Errorf("ratelimit: %s is %s: want at most %s, or 0 for the default", name, d, most)
	}
	return errors.Join(
		check("HoldTimeout", o.HoldTimeout, maxHold),
		check("MaxFreeze", o.MaxFreeze, day),
	)
}
