package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
)

// What building the same program with the generated SDK has cost on two CPUs with
// Go 1.26.8. It takes eight minutes and 7 GB of memory, so it is not repeated here.
const (
	generatedSDK        = "platform-client-sdk-go 188"
	generatedCPU        = 281.0 // of 281 to 293 s
	generatedMemory     = 6_915_020 * 1024
	generatedBinary     = 8.2e6
	generatedIsRecorded = "theirs is recorded, not measured in this run"
)

// buildRows builds a program that lists users, with an empty build cache.
func buildRows(r *run) ([]row, error) {
	source, err := moduleFolder()
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(r.tmp, "listusers")
	c := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "./listusers") //nolint:noctx // it ends by itself
	c.Dir = source
	c.Env = append(os.Environ(), "GOCACHE="+filepath.Join(r.tmp, "cache"), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	cpu := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	return []row{
		{what: "cold build of a program that lists users, CPU", ours: figure{cpu.Seconds(), "s"}, peer: generatedSDK, theirs: figure{generatedCPU, "s"}, note: generatedIsRecorded},
		{what: "cold build, memory of the largest process", ours: figure{peakMemory(c.ProcessState), "B"}, peer: generatedSDK, theirs: figure{generatedMemory, "B"}, note: generatedIsRecorded},
		{what: "its binary, stripped", ours: figure{float64(info.Size()), "B"}, peer: generatedSDK, theirs: figure{generatedBinary, "B"}, note: generatedIsRecorded},
	}, nil
}

// moduleFolder finds the sources of this program: the folder it runs in, with go run.
func moduleFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "listusers", "main.go")); err != nil {
		info, _ := debug.ReadBuildInfo()
		return "", fmt.Errorf("run it in the folder of %s: %w", info.Path, err)
	}
	return dir, nil
}
