package postgres_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// skew is how far the wall clocks of the fleet run from the true time. Each process
// draws its own skew, and a new one every few seconds.
var skew = flag.Duration("skew", 0, "how far the wall clock of each process of TestFleet is off, at most; it leaps")

// The wall clock of a process cannot be set without setting that of the machine. So the
// processes of a skewed fleet are built with a package time of their own: its Now adds
// what skewClock sets to the seconds of the wall clock, and leaves the monotonic one
// alone. Everything that is built into such a process sees that clock, be it ours or not.
const (
	nowReads = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {" // in func Now
	skewTag  = "skewedclock"
	skewFile = `package time

import "sync/atomic"

// Skew is added to the seconds of the wall clock.
var Skew atomic.Int64
`
)

// skewedBinary builds this package's tests with the other package time.
func skewedBinary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	goroot, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	source := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), nowReads), "time.Now is written otherwise in this version of Go")
	now := filepath.Join(dir, "time.go")
	skewed := strings.Replace(string(text), nowReads, strings.Replace(nowReads, "\n", "\n\tsec += Skew.Load()\n", 1), 1)
	require.NoError(t, os.WriteFile(now, []byte(skewed), 0o600))
	variable := filepath.Join(dir, "skew.go")
	require.NoError(t, os.WriteFile(variable, []byte(skewFile), 0o600))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(source, "time.go"): now, filepath.Join(source, "skew.go"): variable,
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	binary := filepath.Join(dir, "fleet.test")
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", skewTag,
		"-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

// A process that is built so sets its wall clock with setSkew, which is nil in all others,
// and has the machine's time from trueNow.
var (
	setSkew func(time.Duration)
	trueNow = time.Now
)
