package bounded

import (
	"syscall"
	"time"
)

// processor returns how much of the processor this thread has taken, which other programs have no influence on.
func processor() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thread, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
