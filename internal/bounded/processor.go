//go:build !linux

package bounded

import "time"

var begin = time.Now()

// processor returns the time, for want of something better.
func processor() time.Duration { return time.Since(begin) }
