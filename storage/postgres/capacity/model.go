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
}

// A Need is what a Load takes, a second unless it says otherwise.
type Need struct {
	Passes float64

	PassCommits, SwapCommits, ConsumerCommits       float64
	PassReads, OtherReads, ConsumerReads, WaitReads float64
	Heads                                           float64 // read
	WAL                                             float64 // bytes

	Now, Month, Full Size    // after the import, what a month adds, at the end of the retention
	Hot              float64 // bytes that each round reads
	Conns            int
	Requests         float64 // a day, to each org
	CPU              float64 // cores, of all processes
}

// A Size is what the database holds.
type Size struct{ Rows, Table, Index float64 }

func (s Size) add(rows, bytes float64) Size {
	return Size{s.Rows + rows, s.Table + rows*rowBytes + bytes, s.Index + rows*indexBytes}
}

func (n Need) commits() float64 {
	return n.PassCommits + n.SwapCommits + n.ConsumerCommits
}

func (n Need) reads() float64 { return n.PassReads + n.OtherReads + n.ConsumerReads + n.WaitReads }

const day = 24 * 60 * 60.0 // seconds

// need is the model.
func (l Load) need() Need {
	var (
		n       Need
		orgs    = float64(l.Orgs)
		objects = orgs * float64(l.Objects)
		others  = float64(l.Processes - 1)
		lease   = l.Lease.Seconds()
		rounds  = 1 / l.Every.Seconds()
		changes = orgs * float64(l.Changes) / day
	)
	n.Passes = orgs * float64(l.Types) * rounds
	// Changes fall into passes at random.
	found := n.Passes * (1 - math.Exp(-changes/n.Passes))

	n.PassCommits = n.Passes * passCommits
	n.SwapCommits = n.Passes * passSwaps
	if others > 0 {
		n.SwapCommits = n.Passes * sharedSwaps
	}
	n.PassReads = n.Passes * passReads
	n.OtherReads = n.Passes * others * otherReads
	n.Heads = objects * rounds

	consumers := orgs * float64(l.Consumers)
	renewals := consumers * 4 / lease
	n.ConsumerCommits = renewals + changes*float64(l.Consumers)
	// A consumer looks each sixth of the lease, and when a pass over its environment ends in its process.
	looks := 6/lease + n.Passes/orgs/float64(l.Processes)
	n.ConsumerReads = consumers * looks * lookReads
	n.WaitReads = consumers * others * 6 / lease * waitReads

	n.WAL = n.Passes*passWAL + n.SwapCommits*swapWAL + changes*changeWAL +
		n.ConsumerCommits*leaseWAL

	types := orgs * float64(l.Types)
	n.Now = Size{}.
		add(2*objects, objects*(2*objectKey+headBytes+float64(l.Body)+firstBytes)).
		add(objects*parentRows, objects*parentRows*parentBytes).
		add(types*(typeRows+1), types*(typeBytes+frameBytes))
	log := func(days float64) Size {
		return Size{}.add(found*day*days, day*days*(found*frameBytes+changes*changeBytes))
	}
	n.Month = log(30)
	kept := log(float64(l.Retention))
	n.Full = Size{n.Now.Rows + kept.Rows, n.Now.Table + kept.Table, n.Now.Index + kept.Index}
	n.Hot = n.Now.Index + objects*(rowBytes+objectKey+headBytes)

	n.Conns = l.Processes * l.Conns
	n.Requests = (float64(l.Types)*typeRequests + float64(l.Objects)*objectRequests) * day * rounds
	n.CPU = n.Passes*passCPU + n.Heads*objectCPU +
		(n.OtherReads+n.ConsumerCommits+n.ConsumerReads+n.WaitReads)*statementCPU
	return n
}
