// Package wrongclock builds tests in which wall clocks can be wrong.
//
// Nothing in this module takes a clock as an argument, and a process cannot set its wall clock
// without setting that of the machine. So [Build] makes a test binary with a package time of its
// own: its Now adds what the function time.Skew returns to the seconds of the wall clock, and
// leaves the monotonic one alone. Everything that is built into the binary sees that clock, be it
// ours or not. What sets time.Skew is in test files with the build tag [Tag], as no other package
// time has it.
//
// The function may tell goroutines apart. What time.OnTimer makes of the functions that
// time.AfterFunc is given runs instead of them, so that it can take along whose they are.
package wrongclock

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Tag is the build tag of the files that are only in a binary that Build has made.
const Tag = "skewedclock"

// edits are what is put in place of what in the files of package time.
var edits = map[string][2]string{
	// In a bubble of testing/synctest, Now has no monotonic time: the wall clock is never wrong there.
	"time.go": {"\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {", `	sec, nsec, mono := runtimeNow()
	if Skew != nil {
		sec += Skew()
		if mono == 0 {
			mono = runtimeNano()
		}
	}
	if mono == 0 {`},
	"sleep.go": {"\treturn newTimer(when(d), 0, goFunc, f, nil)\n", `	if OnTimer != nil {
		f = OnTimer(f)
	}
	return newTimer(when(d), 0, goFunc, f, nil)
`},
}

const variables = `package time

var (
	Skew    func() int64
	OnTimer func(f func()) func()
)
`

// Build builds the tests of the package in the working directory and returns the path of the
// binary. The first time it compiles the standard library as well, which takes some minutes.
func Build(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	run := func(args ...string) string {
		out, err := exec.CommandContext(tb.Context(), "go", args...).CombinedOutput()
		if err != nil {
			tb.Fatalf("go %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	source := filepath.Join(run("env", "GOROOT"), "src", "time")
	replace := map[string]string{filepath.Join(source, "skew.go"): write("skew.go", variables)}
	for name, edit := range edits {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			tb.Fatal(err)
		}
		if strings.Count(string(text), edit[0]) != 1 {
			tb.Fatalf("package time has a %s that is written otherwise: this needs a look", name)
		}
		replace[filepath.Join(source, name)] = write(name, strings.Replace(string(text), edit[0], edit[1], 1))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		tb.Fatal(err)
	}
	binary := filepath.Join(dir, "skewed.test")
	run("test", "-c", "-tags", Tag, "-overlay", write("overlay.json", string(overlay)), "-o", binary, ".")
	return binary
}
