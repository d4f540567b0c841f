// Bench compares cxsync with its peers, side by side in one run, and prints one
// table. It is a module of its own, so that the peers stay out of cxsync's
// go.mod.
//
//	go -C internal/bench run .          # everything, some minutes
//	go -C internal/bench run . -short   # under a minute; rougher
//	go -C internal/bench run . -md      # as Markdown
//
// What is timed runs in several rounds, in which the contenders take turns; the
// median counts. Times are CPU time, garbage collection included. Those of
// stores are time on the clock, since they wait for the disk, in one run.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// A section measures one subject.
type section struct {
	name    string
	measure func(*run) ([]row, error)
	long    bool // left out of a short run
}

var sections = []section{
	{name: "limiter", measure: limiterRows},
	{name: "window", measure: windowRows},
	{name: "cron", measure: cronRows},
	{name: "detection", measure: detectionRows},
	{name: "diff", measure: diffRows},
	{name: "storage", measure: storageRows},
	{name: "pass", measure: passRows},
	{name: "import", measure: importRows},
	{name: "written", measure: writtenRows},
	{name: "questions", measure: questionRows},
	{name: "who", measure: whoRows},
	{name: "git", measure: gitRows},
	{name: "build", measure: buildRows, long: true},
	{name: "delay", measure: delayRows, long: true},
}

// A run says how much is measured.
type run struct {
	short bool
	tmp   string // a folder for files, removed at the end
}

// pick returns one of two amounts.
func (r *run) pick(short, full int) int {
	if r.short {
		return short
	}
	return full
}

func main() {
	testing.Init() // for testing.Benchmark
	short := flag.Bool("short", false, "measure less, in under a minute")
	markdown := flag.Bool("md", false, "print a Markdown table")
	only := flag.String("only", "", "measure the sections that match the regular `expression`")
	windows := flag.String("windows", "", "measure worst windows only, into a `file`; for the program itself")
	flag.Parse()
	if *windows != "" {
		windowsChild(*windows, *short) // exits
	}
	if err := compare(*short, *markdown, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func compare(short, markdown bool, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if err := flag.Set("test.benchtime", map[bool]string{true: "40ms", false: "300ms"}[short]); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "cxsync-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	start := time.Now()
	var rows []row
	for _, s := range sections {
		if !wanted.MatchString(s.name) || short && s.long {
			continue
		}
		r := &run{short: short, tmp: filepath.Join(tmp, s.name)}
		if err := os.Mkdir(r.tmp, 0o700); err != nil {
			return err
		}
		began := time.Now()
		more, err := s.measure(r)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", s.name, time.Since(began).Seconds())
		rows = append(rows, more...)
	}
	write(os.Stdout, rows, markdown)
	fmt.Fprintf(os.Stdout, "\n%s; %.0f s. A ratio above 1 is in favour of cxsync. Times are CPU time; those of stores are time on the clock.\n", machine(), time.Since(start).Seconds())
	return nil
}
