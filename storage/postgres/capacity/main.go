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

	"github.com/cxsync/cxsync/environment"
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
	orgs := flags.String("orgs", "1,100,1000", "environments, in the table's columns")
	flags.IntVar(&l.Objects, "objects", 20_000, "objects of an org")
	flags.IntVar(&l.Body, "body", 1500, "`bytes` of an object; the server compresses those above 2000")
	flags.IntVar(&l.Types, "types", defaultTypes(), "object types that are polled")
	flags.DurationVar(&l.Every, "every", time.Hour, "time between two passes over a type")
	flags.IntVar(&l.Changes, "changes", 2000, "changes a day in an org")
	flags.IntVar(&l.Retention, "retention", 365, "`days` that changes are kept")
	flags.IntVar(&l.Consumers, "consumers", 1, "consumers of an org's changes, followed in every process")
	flags.IntVar(&l.Processes, "processes", 2, "processes that share the database")
	flags.IntVar(&l.Conns, "connections", 4, "connections of a process")
	flags.DurationVar(&l.Lease, "lease", 30*time.Second, "environment.Options.Lease")
	flags.DurationVar(&l.Audits, "audits", environment.DefaultAuditMinutes*time.Minute, "time between two readings of an org's audits, 0 without them")
	flags.Float64Var(&l.Quota, "quota", 60_000, "requests a day that an org allows")
	flags.Float64Var(&l.Pages, "pages", 1000, "pages of the console that people look at in an hour, of all orgs")
	memory := flags.Float64("memory", 16, "`GiB` of memory that the server has")
	wal := flags.Float64("max-wal-size", 1, "max_wal_size of the server in `GiB`")
	flags.IntVar(&s.Conns, "max-connections", 100, "max_connections of the server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag; see capacity -help", flags.Arg(0))
	}
	switch {
	case min(l.Objects, l.Body, l.Changes, l.Retention, l.Consumers) < 0 || l.Pages < 0:
		return errors.New("objects, body, changes, retention, consumers and pages are 0 or more")
	case min(l.Types, l.Processes, l.Conns, s.Conns, int(l.Every.Seconds()), int(l.Lease.Seconds())) < 1 || min(*memory, *wal, l.Quota) <= 0:
		return errors.New("types, processes, connections, memory, WAL and quota are more than 0; every and lease are at least 1s")
	case l.Audits != 0 && l.Audits < time.Minute:
		return fmt.Errorf("-audits %v: want 0, without audits, or at least 1m", l.Audits)
	}
	s.Memory, s.Checkpoint = *memory*(1<<30), *wal*(1<<30)/checkpointDistance
	var columns []column
	for n := range strings.SplitSeq(*orgs, ",") {
		var err error
		if l.Orgs, err = strconv.Atoi(n); err != nil || l.Orgs < 1 {
			return fmt.Errorf("-orgs %q: %q is no number of environments", *orgs, n)
		}
		need := l.need()
		columns = append(columns, column{l, need, need.limits(l, s)})
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
	{"processes", func(c column) string { return strconv.Itoa(c.Processes) }},
	{"passes/s", func(c column) string { return short(c.Passes) }},
	{"commits/s", func(c column) string { return short(c.commits()) }},
	{"  passes", func(c column) string { return short(c.PassCommits) }},
	{"  quotas", func(c column) string { return short(c.SwapCommits) }},
	{"  consumers", func(c column) string { return short(c.ConsumerCommits) }},
	{"  audits", func(c column) string { return short(c.TailCommits) }},
	{"  hints", func(c column) string { return short(c.HintCommits) }},
	{"small reads/s", func(c column) string { return short(c.reads()) }},
	{"  passes", func(c column) string { return short(c.PassReads) }},
	{"  the other processes", func(c column) string { return short(c.OtherReads) }},
	{"  consumers", func(c column) string { return short(c.ConsumerReads) }},
	{"  waiting for consumers", func(c column) string { return short(c.WaitReads) }},
	{"  audits", func(c column) string { return short(c.TailReads) }},
	{"  hints", func(c column) string { return short(c.HintReads) }},
	{"  console", func(c column) string { return short(c.ConsoleReads) }},
	{"rows scanned/s", func(c column) string { return short(c.rows()) }},
	{"  passes", func(c column) string { return short(c.Heads) }},
	{"  audits", func(c column) string { return short(c.TailRows) }},
	{"  hints", func(c column) string { return short(c.HintRows) }},
	{"  console", func(c column) string { return short(c.ConsoleRows) }},
	{"WAL a day", func(c column) string { return short(c.WAL*day) + "B" }},
	{"rows, imported", func(c column) string { return short(c.Now.Rows) }},
	{"  table, index", func(c column) string { return c.Now.String() }},
	{"rows, a month more", func(c column) string { return short(c.Month.Rows) }},
	{"  table, index", func(c column) string { return c.Month.String() }},
	{"rows, in the end", func(c column) string { return short(c.Full.Rows) }},
	{"  table, index", func(c column) string { return c.Full.String() }},
	{"connections", func(c column) string { return strconv.Itoa(c.Need.Conns) }},
	{"requests a day and org", func(c column) string { return short(c.requests()) }},
	{"  passes", func(c column) string { return short(c.PassRequests) }},
	{"  audits", func(c column) string { return short(c.TailRequests) }},
	{"  hints", func(c column) string { return short(c.HintRequests) }},
	{"cores of all processes", func(c column) string { return short(c.CPU) }},
}

// report prints the table, and below it what breaks.
func report(w io.Writer, l Load, columns []column) {
	fmt.Fprintf(w, "%d objects of %d bytes, %d types every %v, %d changes a day, kept %d days;\n", l.Objects, l.Body, l.Types, l.Every, l.Changes, l.Retention)
	fmt.Fprintf(w, "consumers of each org: %d, followed in all processes; audits every %v; pages of the console an hour: %g\n\n", l.Consumers, l.Audits, l.Pages)
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
	switch {
	case n == 0:
	case n < 0.0995:
		digits = 3
	case n < 0.995:
		digits = 2
	case n < 9.95:
		digits = 1
	}
	if n >= 99.5 {
		n = math.Round(n/10) * 10
	}
	return strconv.FormatFloat(n, 'f', digits, 64) + []string{"", "k", "M", "G", "T"}[unit]
}
