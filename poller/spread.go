package poller

import (
	"hash/fnv"
	"math/bits"
	"time"
)

// Offset returns how long after a tick a type starts when ticks are spread over a window: a delay
// in [0, window) that depends on key and type alone, and is evenly distributed over types. A delay
// that is the same each time keeps the distance between the runs of a type that of its ticks.
func Offset(key, name string, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key + "\x00" + name)) // never fails
	fraction := mix(h.Sum64())
	hi, _ := bits.Mul64(fraction, uint64(window))
	return time.Duration(hi)
}

// mix is the finalizer of MurmurHash3: FNV leaves the high bits of short, similar strings alike.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
