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

	// Audits. A reading is one look at what the org's audits tell since the last one. A change that they
	// tell of is a hint, on which the object is read: alone, or with its type where that takes a pass.
	tailRequests   = 1.0
	tailCommits    = 3 // takes the lease; moves the cursor, with all that is told; gives the lease back
	tailSwaps      = 3.0
	tailReads      = 17.25
	otherTailReads = 3.0  // of each other process, which looks whether a reading is due
	evidenceRows   = 1.33 // kept of a change for keptDays, beside its fact
	keptDays       = 2
	hintRequests   = 1.55 // of a change of each type that can be told of in this way
	hintCommits    = 3.8
	hintSwaps      = 0.9
	hintReads      = 20.0
	hintLooks      = 1.03 // at the state and the last pass of all types, of a reading that tells of changes
	auditShare     = 0.01 // of the quota, that readings take at most
	hintShare      = 0.1  // the same of hints

	// The console. A page is the timeline of an environment; what it reads of each type is state, last
	// pass and due time. Of who made the 51 changes it reads blocks of 256, half of the newest.
	pageReads    = 15.0
	pageTypeRows = 3.0
	pageRows     = 51 + 128 + 51

	// Bytes in the database.
	rowBytes    = 150 // of a row beside its key and value: header, pointer, and what is free in its page
	indexBytes  = 154 // of a row in the index
	objectKey   = 76  // of a head's key; a body's is as long
	headBytes   = 251
	firstBytes  = 105   // of an object's first entry in the log
	parentRows  = 0.133 // of an object: what is known of each that others are listed below
	parentBytes = 103   // their keys and values
	typeRows    = 4.0   // of a type: lease, state, due time, last pass
	typeBytes   = 948   // their keys and values
	frameBytes  = 119   // of what one pass adds to the log, beside its changes
	changeBytes = 197   // of a change of one field in the log

	whoBytes      = 179 // who made a change: key and value
	factBytes     = 245 // what is kept of it until long after it is settled
	evidenceBytes = 584 // of an audit record

	// Bytes of WAL, with pages touched for the first time since a checkpoint.
	passWAL   = 9200
	swapWAL   = 670
	leaseWAL  = 235   // a lease renewed
	changeWAL = 14800 // an object changed, among many that did not
	tailWAL   = 30000 // a reading that tells of nothing; 27,000 to 34,000
	whoWAL    = 28600 // a change that is attributed, settled and let go
	hintWAL   = 14700 // a change that is found on a hint, beside changeWAL

	// The machine: two cores, shared by the server and its clients.
	commits1     = 1100 // a second with one connection
	commits4     = 1500
	commits16    = 3900
	gets16       = 20_000  // a second with 16 connections
	heads1       = 150_000 // a second with one connection
	passCPU      = 1.4e-3  // seconds that a process computes, without TLS
	objectCPU    = 20e-6   // seconds, of an object that did not change
	rowCPU       = 6e-6    // seconds, of a fact or a record of audits
	tailCPU      = 4e-3    // seconds, of a reading; this and the two beside it as compared with passCPU
	pageCPU      = 23e-3   // seconds, of a page
	statementCPU = 60e-6   // seconds that a process computes for a small statement
)
