// Package bounded fails a fuzz target on an input that takes too long. An input that makes work grow faster than it is
// long costs seconds already at the lengths that fuzzing tries.
package bounded

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

const (
	// CPU is how much of the processor one input may take. Under fuzzing and the race detector code is about ten times as slow
	// as it is; an ordinary input takes a few milliseconds even so.
	CPU = 2 * time.Second
	// Wait is how long one input may take in all. One that takes longer waits for something that does not come.
	Wait = 2 * time.Minute
)

// Start begins to measure. The function that it returns fails the test if more than [CPU] was taken since, by the goroutine
// that called it:
//
//	f.Fuzz(func(t *testing.T, text string) {
//		defer bounded.Start(t)()
//
// What does not return within [Wait] panics, because only that ends it and tells its input.
func Start(tb testing.TB) func() {
	tb.Helper()
	return start(tb, CPU)
}

func start(tb testing.TB, most time.Duration) func() {
	tb.Helper()
	runtime.LockOSThread()
	watch := time.AfterFunc(Wait, func() { panic(fmt.Sprintf("an input takes more than %v", Wait)) })
	began := processor()
	return func() {
		tb.Helper()
		watch.Stop()
		took := processor() - began
		runtime.UnlockOSThread()
		if took > most {
			tb.Errorf("the input takes %v of the processor, more than %v", took.Round(time.Millisecond), most)
		}
	}
}
