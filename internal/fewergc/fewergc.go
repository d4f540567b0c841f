// Package fewergc lets the tests of a package collect garbage less often.
//
// Most tests here are whole orgs with whole engines: they make much garbage and keep little of it, so that the
// collector, as it is by default, runs many times a second and takes a third of their time.
package fewergc

import (
	"os"
	"runtime/debug"
	"testing"
)

// percent was the quickest for `go test ./...` of 100, 400, 800 and 1600, by little.
const percent = 800

// Run runs the tests and returns their exit code, for os.Exit in a TestMain. A GOGC in the environment is obeyed instead.
func Run(m *testing.M) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	return m.Run()
}
