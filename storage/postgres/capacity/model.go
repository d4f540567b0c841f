package main

import (
	"math"
	"time"
)

// A Load is what is to be kept in sync, and by what.
type Load struct {
	Orgs      int           // environments
	Objects   int           // of each
	Body      int           // bytes of an object
	Types     int           // polled
	Every     time.Duration // between two passes over a type
	Changes   int           // a day, in each environment
	Retention int           // days
	Consumers int           // of the changes of each environment, followed in all processes
	Processes int
	Conns     int           // of each process, the size of its pool
	Lease     time.Duration // environment.Options.Lease
	Audits    time.Duration // between two readings of audits, 0 without
	Quota     float64       // requests a day that each org allows
	Pages     float64       // of the console an hour, of all environments
}

// A Need is what a Load takes, a second unless it says otherwise.
type Need struct {
	Passes, Readings, Hinted, Pages float64 // Readings are those of audits

	PassCommits, SwapCommits, ConsumerCommits, TailCommits, HintCommits                 float64
	PassReads, OtherReads, ConsumerReads, WaitReads, TailReads, HintReads, ConsoleReads float64
	Heads, TailRows, HintRows, ConsoleRows                                              float64 // read by scans
	WAL                                                                                 float64 // bytes

	Now, Month, Full Size    // after the import, what a month adds, at the end of the retention
	Hot              float64 // bytes that each round reads
	Conns            int
	CPU              float64 // cores, of all processes

	PassRequests, TailRequests, HintRequests float64 // a day, to each org
}

// A Size is what the database holds.
type Size struct{ Rows, Table, Index float64 }

func (s Size) add(rows, bytes float64) Size {
	return Size{s.Rows + rows, s.Table + rows*rowBytes + bytes, s.Index + rows*indexBytes}
}

func (n Need) commits() float64 {
	return n.PassCommits + n.SwapCommits + n.ConsumerCommits + n.TailCommits + n.HintCommits
}

func (n Need) reads() float64 {
	return n.PassReads + n.OtherReads + n.ConsumerReads + n.WaitReads + n.TailReads + n.HintReads + n.ConsoleReads
}

func (n Need) rows() float64 { return n.Heads + n.TailRows + n.HintRows + n.ConsoleRows }

func (n Need) requests() float64 { return n.PassRequests + n.TailRequests + n.HintRequests }

const day = 24 * 60 * 60.0 // seconds

// need is the model. All changes are made by people or clients, and audits tell of them.
func (l Load) need() Need {
	var (
		n       Need
		orgs    = float64(l.Orgs)
		objects = orgs * float64(l.Objects)
		types   = orgs * float64(l.Types)
		others  = float64(l.Processes - 1)
		lease   = l.Lease.Seconds()
		rounds  = 1 / l.Every.Seconds()
		changes = orgs * float64(l.Changes) / day
		told    = 0.0 // changes that audits tell of
	)
	n.Passes = types * rounds
	n.Pages = l.Pages / time.Hour.Seconds()
	if l.Audits > 0 {
		told = changes
		n.Readings = orgs / max(l.Audits.Seconds(), day/(auditShare*l.Quota))
		n.Hinted = min(changes, orgs*hintShare*l.Quota/day/hintRequests)
	}
	facts := told * day * keptDays
	// Changes fall into passes, or readings, at random.
	hit := func(changes, in float64) float64 { return in * (1 - math.Exp(-changes/max(in, 1/day))) }
	found := hit(changes-n.Hinted, n.Passes) + n.Hinted

	n.PassCommits = n.Passes * passCommits
	n.SwapCommits = n.Passes * passSwaps
	if others > 0 {
		n.SwapCommits = n.Passes * sharedSwaps
	}
	n.SwapCommits += n.Readings*tailSwaps + n.Hinted*hintSwaps
	n.TailCommits = n.Readings * tailCommits
	n.HintCommits = n.Hinted * hintCommits

	n.PassReads = n.Passes * passReads
	n.OtherReads = n.Passes * others * otherReads
	n.TailReads = n.Readings * (tailReads + others*otherTailReads)
	n.HintReads = n.Hinted * hintReads
	n.ConsoleReads = n.Pages * pageReads

	n.Heads = objects * rounds
	n.TailRows = n.Readings / orgs * facts * (1 + evidenceRows)
	n.HintRows = hit(n.Hinted, n.Readings) * hintLooks * 2 * float64(l.Types)
	n.ConsoleRows = n.Pages * (float64(l.Types)*pageTypeRows + pageRows)

	consumers := orgs * float64(l.Consumers)
	renewals := consumers * 4 / lease
	n.ConsumerCommits = renewals + changes*float64(l.Consumers)
	// A consumer looks each sixth of the lease, and when its process has made a pass or read audits.
	looks := 6/lease + (n.Passes+n.Readings+n.Hinted)/orgs/float64(l.Processes)
	n.ConsumerReads = consumers * looks * lookReads
	n.WaitReads = consumers * others * 6 / lease * waitReads

	n.WAL = n.Passes*passWAL + n.SwapCommits*swapWAL + changes*changeWAL + n.ConsumerCommits*leaseWAL +
		n.Readings*tailWAL + told*whoWAL + n.Hinted*hintWAL

	n.Now = Size{}.
		add(2*objects, objects*(2*objectKey+headBytes+float64(l.Body)+firstBytes)).
		add(objects*parentRows, objects*parentRows*parentBytes).
		add(types*(typeRows+1), types*(typeBytes+frameBytes))
	kept := Size{}.add(facts*(1+evidenceRows), facts*(factBytes+evidenceRows*evidenceBytes))
	log := func(days float64) Size {
		return kept.add((found+told)*day*days, day*days*(found*frameBytes+changes*changeBytes+told*whoBytes))
	}
	n.Month = log(30)
	end := log(float64(l.Retention))
	n.Full = Size{n.Now.Rows + end.Rows, n.Now.Table + end.Table, n.Now.Index + end.Index}
	n.Hot = n.Now.Index + objects*(rowBytes+objectKey+headBytes) + kept.Table + kept.Index

	n.Conns = l.Processes * l.Conns
	n.PassRequests = (float64(l.Types)*typeRequests + float64(l.Objects)*objectRequests) * day * rounds
	n.TailRequests = n.Readings / orgs * day * tailRequests
	n.HintRequests = n.Hinted / orgs * day * hintRequests
	statements := n.OtherReads + n.ConsumerCommits + n.ConsumerReads + n.WaitReads +
		n.TailCommits + n.TailReads + n.Readings*tailSwaps // those of passes and pages are in passCPU and pageCPU
	n.CPU = (n.Passes+n.Hinted)*passCPU + n.Heads*objectCPU + n.Readings*tailCPU + n.Pages*pageCPU +
		(n.TailRows+n.HintRows)*rowCPU + statements*statementCPU
	return n
}
