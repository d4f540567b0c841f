//go:build skewedclock

package postgres_test

import (
	"sync/atomic"
	"time"
)

func init() {
	var off atomic.Int64 // seconds
	time.Skew = off.Load
	setSkew = func(d time.Duration) { off.Store(int64(d / time.Second)) }
	trueNow = func() time.Time { return time.Now().Add(-time.Duration(off.Load()) * time.Second) }
}
