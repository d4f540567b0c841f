package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// delayLine is what the simulation says of itself: mean, 95th percentile and requests a day with audits, and the same without.
var delayLine = regexp.MustCompile(`with hints mean (\d+) s, p95 (\d+) s, (\d+) requests a day; without, every (\d+) minutes, mean (\d+) s, p95 (\d+) s, (\d+) requests`)

// delayRows simulates a day of an org of 20,000 objects with 500 edits, and compares how long it takes until an edit
// is recorded: with the org's audits read, and with polling alone that takes at least as many requests.
func delayRows(*run) ([]row, error) {
	source, err := moduleFolder()
	if err != nil {
		return nil, err
	}
	c := exec.Command("go", "test", "./internal/soak", "-run", "TestDelayWithAndWithoutHints", "-month", "1", "-v", "-timeout", "1h") //nolint:noctx // it ends by itself
	c.Dir = filepath.Join(source, "..", "..")
	out, err := c.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return delayRowsOf(out)
}

// delayRowsOf reads the line.
func delayRowsOf(out []byte) ([]row, error) {
	found := delayLine.FindSubmatch(out)
	if found == nil {
		return nil, fmt.Errorf("no delays in %q", out)
	}
	n := make([]float64, len(found))
	for i, text := range found[1:] {
		value, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return nil, err
		}
		n[i+1] = value
	}
	peer := fmt.Sprintf("cxsync without audits, every %.0f minutes", n[4])
	return []row{
		{what: "from an edit to its record, mean", ours: figure{n[1], "s"}, peer: peer, theirs: figure{n[5], "s"}, note: "a virtual day, 20,000 objects, 500 edits"},
		{what: "from an edit to its record, 95 %", ours: figure{n[2], "s"}, peer: peer, theirs: figure{n[6], "s"}},
		{what: "the same, requests a day", ours: figure{n[3], ""}, peer: peer, theirs: figure{n[7], ""}},
	}, nil
}
