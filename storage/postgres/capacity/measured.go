package main

// What the model knows about the code, the format and the machine. Each figure is
// measured by TestCapacityInputs, which prints all of them with -v, and fails if
// one that does not depend on the machine is no longer right.
const (
	// Statements. A pass is one look at one object type of one environment.
	passReads   = 14.8
	passCommits = 2.03 // takes the lease; ends the pass, with up to 500 changes, and gives the lease back
	passSwaps   = 0.29 // of the quota's ledger, while one process makes pass after pass
	sharedSwaps = 2.0  // where several processes take turns
	otherReads  = 8.2  // of each other process, when it comes to a tick that had its pass
	lookReads   = 1.94 // a consumer looks for changes
	waitReads   = 1    // another process tries to become the one that delivers to it

	// Requests to the org when nothing has changed. Types that are listed below
	// others take more of them the more objects there are.
	typeRequests   = 1.45
	objectRequests = 0.078

	// Bytes in the database.
	rowBytes    = 150 // of a row beside its key and value: header, pointer, and what is free in its page
	indexBytes  = 154 // of a row in the index
	objectKey   = 76  // of a head's key; a body's is as long
	headBytes   = 237
	firstBytes  = 105   // of an object's first entry in the log
	parentRows  = 0.133 // of an object: what is known of each that others are listed below
	parentBytes = 103   // their keys and values
	typeRows    = 4.0   // of a type: lease, state, due time, last pass
	typeBytes   = 948   // their keys and values
	frameBytes  = 119   // of what one pass adds to the log, beside its changes
	changeBytes = 197   // of a change of one field in the log

	// Bytes of WAL, with pages touched for the first time since a checkpoint.
	passWAL   = 9200
	swapWAL   = 670
	leaseWAL  = 235   // a lease renewed
	changeWAL = 14800 // an object changed, among many that did not

	// The machine: two cores, shared by the server and its clients.
	commits1     = 1100 // a second with one connection
	commits4     = 1500
	commits16    = 3900
	gets16       = 20_000  // a second with 16 connections
	heads1       = 150_000 // a second with one connection
	passCPU      = 1.4e-3  // seconds that a process computes, without TLS
	objectCPU    = 20e-6   // seconds, of an object that did not change
	statementCPU = 60e-6   // seconds that a process computes for a small statement
)
