//go:build skewedclock

package postgres_test

import "time"

func init() {
	setSkew = func(d time.Duration) { time.Skew.Store(int64(d / time.Second)) }
	trueNow = func() time.Time { return time.Now().Add(-time.Duration(time.Skew.Load()) * time.Second) }
}
