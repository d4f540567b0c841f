// Package storagetest holds the conformance suite of [storage.Store]. The test
// of a backend is one call:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, storagetest.Harness{
//			Open: func(tb testing.TB) storage.Store { ... },
//		})
//	}
//
// Each clause of the contract is a subtest of its own, so that a failure names
// the clause that is broken. TestSuiteFindsBrokenStores holds it against stores
// that are broken on purpose, and TestCorrectStorePasses against one that is not.
// [RunBenchmarks] measures what the packages above do with a Store.
//
// # What is checked
//
//   - Get and Values: missing and invalid keys, empty and large values, exact bytes.
//   - Scan: order, bounds, completeness, early stops, one snapshot for each
//     iteration, no lock while the body runs, abandoned iterations.
//   - Commit: visible at once, operations in order, ranges, requirements against the
//     state before, all or nothing, nothing after a conflict or an invalid batch, the
//     same batch again, serializable, no write skew.
//   - Context, Aliasing, Close: what ended before does nothing, nobody shares memory
//     with the caller, a closed store refuses everything.
//   - Reopen and Crash: what was committed is there; skipped if the [Harness] has no
//     way to do it.
//   - Model: random operations against a map, from a seed that a failure logs.
//
// # What is not checked
//
// The suite has no disk and no network that fails: that a write which was cut is not read back as a
// value, that damage is ErrCorrupt, and that a failed sync ends in ErrFailed, is for the tests of the
// backend. Those of storage/file and storage/postgres show how.
package storagetest

import (
	"testing"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A Harness makes the stores that the suite tests.
type Harness struct {
	// Open returns a new, empty store that shares nothing with any other. It
	// reports what goes wrong with tb.Fatal, and may register its clean-up with
	// tb.Cleanup; the suite closes the store before. Required.
	Open func(tb testing.TB) storage.Store
	// Reopen opens again what s holds, after the suite has closed s. If nil, the
	// clauses about it are skipped, which suits a store that keeps nothing.
	Reopen func(tb testing.TB, s storage.Store) storage.Store
	// Crash opens again what s holds, while s is open and has just committed, as
	// if the process of s had ended. If nil, the clauses about it are skipped.
	Crash func(tb testing.TB, s storage.Store) storage.Store
	// Seed starts the random numbers of the suite. Defaults to one from the
	// clock; a failure logs it.
	Seed uint64
	// Patience is how long a clause that looks for locks waits for a store
	// before it counts as blocked.
	// Defaults to a minute.
	Patience time.Duration
}

// A clause is a rule of the contract and the test of it.
type clause struct {
	name string
	test func(tb testing.TB, h Harness)
}

// clauses lists the whole contract.
func clauses() []clause {
	return []clause{
		{"Get/MissingKey", testMissingKey},
		{"Get/InvalidKey", testInvalidKey},
		{"Get/Many", testGetMany},
		{"Values/Exact", testValuesExact},
		{"Values/Large", testValuesLarge},
		{"Keys/Exact", testKeysExact},
		{"Scan/Order", testScanOrder},
		{"Scan/Bounds", testScanBounds},
		{"Scan/Complete", testScanComplete},
		{"Scan/StopsEarly", testScanStopsEarly},
		{"Scan/StartsWhenIterated", testScanStartsWhenIterated},
		{"Scan/Snapshot", testScanSnapshot},
		{"Scan/SnapshotOfRace", testScanSnapshotOfRace},
		{"Scan/HoldsNoLock", testScanHoldsNoLock},
		{"Scan/Abandoned", testScanAbandoned},
		{"Commit/Visible", testCommitVisible},
		{"Commit/OperationOrder", testOperationOrder},
		{"Commit/DeleteRange", testDeleteRange},
		{"Commit/Requirements", testRequirements},
		{"Commit/RequiresStateBefore", testRequiresStateBefore},
		{"Commit/EmptyIsNotAbsent", testEmptyIsNotAbsent},
		{"Commit/ConflictStoresNothing", testConflictStoresNothing},
		{"Commit/InvalidStoresNothing", testInvalidStoresNothing},
		{"Commit/EmptyBatch", testEmptyBatch},
		{"Commit/Again", testCommitAgain},
		{"Commit/KeepsBatch", testCommitKeepsBatch},
		{"Commit/Atomic", testCommitAtomic},
		{"Commit/Serializable", testSerializable},
		{"Commit/NoWriteSkew", testNoWriteSkew},
		{"Context/EndedBefore", testContextEndedBefore},
		{"Context/EndsScan", testContextEndsScan},
		{"Aliasing/Get", testAliasingGet},
		{"Aliasing/Scan", testAliasingScan},
		{"Aliasing/Batch", testAliasingBatch},
		{"Close/RefusesEverything", testCloseRefusesEverything},
		{"Close/Twice", testCloseTwice},
		{"Close/EndsScan", testCloseEndsScan},
		{"Close/FinishesCommits", testCloseFinishesCommits},
		{"Reopen/KeepsEverything", testReopen},
		{"Crash/KeepsCommits", testCrash},
		{"Model", testModel},
	}
}

// Run tests the stores of h clause by clause.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range clauses() {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

// run tests one clause.
func (c clause) run(tb testing.TB, h Harness) {
	tb.Helper()
	if h.Seed == 0 {
		h.Seed = uint64(time.Now().UnixNano())
	}
	if h.Patience == 0 {
		h.Patience = time.Minute
	}
	c.test(tb, h)
}
