package postgres_test

import (
	"flag"
	"time"
)

// skew is how far the wall clocks of the fleet run from the true time. Each process
// draws its own skew, and a new one every few seconds.
var skew = flag.Duration("skew", 0, "how far the wall clock of each process of TestFleet is off, at most; it leaps")

// A process that wrongclock.Build has built sets its wall clock with setSkew, which is nil in all
// others, and has the machine's time from trueNow.
var (
	setSkew func(time.Duration)
	trueNow = time.Now
)
