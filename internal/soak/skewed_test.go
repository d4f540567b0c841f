//go:build skewedclock

package soak_test

import (
	"context"
	"runtime/pprof"
	"sync/atomic"
	"time"
	"unsafe"
)

//go:linkname label runtime/pprof.runtime_getProfLabel
func label() unsafe.Pointer

//go:linkname setLabel runtime/pprof.runtime_setProfLabel
func setLabel(unsafe.Pointer)

func init() {
	pprof.SetGoroutineLabels(skewLabel)
	wrong := label()
	pprof.SetGoroutineLabels(context.Background())
	var off atomic.Int64 // seconds
	time.Skew = func() int64 {
		if label() != wrong {
			return 0
		}
		return off.Load()
	}
	time.OnTimer = func(f func()) func() { // its goroutine has the label of just any goroutine
		owner := label()
		return func() {
			setLabel(owner)
			f()
		}
	}
	setSkew = func(d time.Duration) { off.Store(int64(d / time.Second)) }
}
