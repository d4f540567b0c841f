package main

import (
	"os"
	"syscall"
	"time"
)

// cpuSeconds returns the CPU time that this process has used. Unlike a clock it
// does not see what else the machine does.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return (time.Duration(u.Utime.Nano()) + time.Duration(u.Stime.Nano())).Seconds()
}

// peakMemory returns the bytes of memory of the largest of a process and its children. Linux counts in kilobytes.
func peakMemory(p *os.ProcessState) float64 {
	u, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(u.Maxrss) * 1024
}
