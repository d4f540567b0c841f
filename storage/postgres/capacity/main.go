// Command capacity says what a number of environments takes of a PostgreSQL
// server and of the processes that share it, what breaks first, and what to do
// then:
//
//	go -C storage/postgres run ./capacity -orgs 100,1000 -objects 50000 -every 4h -processes 3
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// run prints the model for args.
func run(w io.Writer, args []string) error {
	flags := flag.NewFlagSet("capacity", flag.ContinueOnError)
	var l Load
	var s Server
	orgs := flags.String("orgs", "100,1000,10000", "environments, in the table's columns")
	flags.IntVar(&l.Objects, "objects", 20_000, "objects of an org")
	flags.IntVar(&l.Body, "body", 1500, "`bytes` of an object; the server compresses those above 2000")
	flags.IntVar(&l.Types, "types", defaultTypes(), "object types that are polled")
	flags.DurationVar(&l.Every, "every", time.Hour, "time between two passes over a type")
	flags.IntVar(&l.Changes, "changes", 2000, "changes a day in an org")
	flags.IntVar(&l.Retention, "retention", 365, "`days` that changes are kept")
	flags.IntVar(&l.Consumers, "consumers", 1, "consumers of an org's changes, followed in every process")
	flags.IntVar(&l.Processes, "processes", 10, "processes that share the database")
	flags.IntVar(&l.Conns, "connections", 4, "connections of a process")
	flags.DurationVar(&l.Lease, "lease", 30*time.Second, "environment.Options.Lease")
	memory := flags.Float64("memory", 16, "`GiB` of memory that the server has")
	wal := flags.Float64("max-wal-size", 1, "max_wal_size of the server in `GiB`")
	flags.IntVar(&s.Conns, "max-connections", 100, "max_connections of the server")
	flags.Float64Var(&s.Quota, "quota", 60_000, "requests a day that an org allows")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag; see capacity -help", flags.Arg(0))
	}
	if min(l.Objects, l.Body, l.Changes, l.Retention, l.Consumers) < 0 ||
		min(l.Types, l.Processes, l.Conns, s.Conns, int(l.Every.Seconds()), int(l.Lease.Seconds())) < 1 || min(*memory, *wal, s.Quota) <= 0 {
		return errors.New("objects, body, changes, retention and consumers are 0 or more; all else is more than that, times at least 1s")
	}
	s.Memory, s.Checkpoint = *memory*(1<<30), *wal*(1<<30)/checkpointDistance
	var columns []column
	for n := range strings.SplitSeq(*orgs, ",") {
		var err error
		if l.Orgs, err = strconv.Atoi(n); err != nil || l.Orgs < 1 {
			return fmt.Errorf("-orgs %q: %q is no number of environments", *orgs, n)
		}
		need := l.need()
		columns = append(columns, column{l, need, need.limits(s)})
	}
	report(w, l, columns)
	return nil
}

// defaultTypes is how many object types an environment syncs that chooses none.
func defaultTypes() (n int) {
	for t := range genesys.DefaultCatalogue().All() {
		if t.Default {
			n++
		}
	}
	return n
}

type column struct {
	Load
	Need
	limits []Limit
}

// rows are those of the table.
var rows = []struct {
	name string
	of   func(column) string
}{
	{"passes/s", func(c column) string { return short(c.Passes) }},
	{"commits/s", func(c column) string { return short(c.commits()) }},
	{"  passes", func(c column) string { return short(c.PassCommits) }},
	{"  quotas", func(c column) string { return short(c.SwapCommits) }},
	{"  consumers", func(c column) string { return short(c.ConsumerCommits) }},
	{"small reads/s", func(c column) string { return short(c.reads()) }},
	{"  passes", func(c column) string { return short(c.PassReads) }},
	{"  the other processes", func(c column) string { return short(c.OtherReads) }},
	{"  consumers", func(c column) string { return short(c.ConsumerReads) }},
	{"  waiting for consumers", func(c column) string { return short(c.WaitReads) }},
	{"heads read/s", func(c column) string { return short(c.Heads) }},
	{"WAL a day", func(c column) string { return short(c.WAL*day) + "B" }},
	{"rows, imported", func(c column) string { return short(c.Now.Rows) }},
	{"  table, index", func(c column) string { return c.Now.String() }},
	{"rows, a month more", func(c column) string { return short(c.Month.Rows) }},
	{"  table, index", func(c column) string { return c.Month.String() }},
	{"rows, in the end", func(c column) string { return short(c.Full.Rows) }},
	{"  table, index", func(c column) string { return c.Full.String() }},
	{"connections", func(c column) string { return strconv.Itoa(c.Need.Conns) }},
	{"requests a day and org", func(c column) string { return short(c.Requests) }},
	{"cores of all processes", func(c column) string { return short(c.CPU) }},
}

// report prints the table, and below it what breaks.
func report(w io.Writer, l Load, columns []column) {
	fmt.Fprintf(w, "%d objects of %d bytes, %d types every %v, %d changes a day, kept %d days;\n", l.Objects, l.Body, l.Types, l.Every, l.Changes, l.Retention)
	fmt.Fprintf(w, "processes: %d of %d connections; consumers of each org: %d, followed in all processes\n\n", l.Processes, l.Conns, l.Consumers)
	line := func(name string, cell func(column) string) {
		fmt.Fprintf(w, "%-24s", name)
		for _, c := range columns {
			fmt.Fprintf(w, "%17s", cell(c))
		}
		fmt.Fprintln(w)
	}
	line("orgs", func(c column) string { return strconv.Itoa(c.Orgs) })
	for _, r := range rows {
		line(r.name, r.of)
	}
	for _, c := range columns {
		fmt.Fprintf(w, "\n%d orgs, of what there is:\n", c.Orgs)
		for _, limit := range c.limits {
			if limit.Share < 0.5 && limit != c.limits[0] {
				break
			}
			fmt.Fprintf(w, "  %-11s %6s %%  %s\n", limit.Name, short(100*limit.Share), limit.Remedy)
		}
	}
}

func (s Size) String() string { return short(s.Table) + "B, " + short(s.Index) + "B" }

// short writes n with two digits and a unit.
func short(n float64) string {
	unit := 0
	for ; n >= 999.5 && unit < 4; unit++ {
		n /= 1000
	}
	digits := 0
	if n < 9.95 {
		digits = 1
	}
	if n >= 99.5 {
		n = math.Round(n/10) * 10
	}
	return strconv.FormatFloat(n, 'f', digits, 64) + []string{"", "k", "M", "G", "T"}[unit]
}
