//go:build race

package ratelimit

// raceSlowdown shortens property tests under the race detector.
const raceSlowdown = 6
