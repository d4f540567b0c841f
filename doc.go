// Package cxsync is the map of a module that keeps a faithful history of the
// configuration of Genesys Cloud orgs: queues, users, flows, skills, phones,
// roles and everything else that administrators change.
//
// Genesys Cloud pushes no configuration changes. Who must know what changed,
// when, and from what to what, has to poll, within an API quota. The packages do
// that, each useful alone:
//
//   - [github.com/cxsync/cxsync/environment]: one org with its schedules, quota
//     and history; create, validate, import, run, delete. Start here.
//   - [github.com/cxsync/cxsync/genesys]: the org over HTTP: login, retries,
//     paging, errors, and the catalogue of object types.
//   - [github.com/cxsync/cxsync/genesys/genesystest]: a local org for tests.
//   - [github.com/cxsync/cxsync/ratelimit]: a quota that is never exceeded.
//   - [github.com/cxsync/cxsync/poller]: when each object is due.
//   - [github.com/cxsync/cxsync/history]: what changed: comparison, field
//     changes, the log, the state at any time.
//   - [github.com/cxsync/cxsync/storage]: where it is kept: the contract of a
//     store. [github.com/cxsync/cxsync/storage/memory] and
//     [github.com/cxsync/cxsync/storage/file] are stores of one process,
//     [github.com/cxsync/cxsync/storage/postgres] one of many processes (a module
//     of its own, with [github.com/cxsync/cxsync/storage/postgres/postgrestest] to
//     start servers in tests), and
//     [github.com/cxsync/cxsync/storage/storagetest] proves a store of your own.
//
// # Layers
//
//	examples -> environment -> { genesys, poller, ratelimit, history, storage }
//	                history -> storage <- memory, file, postgres
//
// genesys, poller, ratelimit and storage import none of the others. TestLayers
// holds every package to its layer, and TestDependencies each to the modules of
// others that it may pull in.
//
// # How a change travels
//
// An administrator renames a queue. This is its way, and where the code is:
//
//  1. A tick is due: poller, [github.com/cxsync/cxsync/poller.Poller.Run], calls its job for "routing.queues".
//     The job is in environment/run.go, and what is kept of due times in due.go beside it.
//  2. environment takes the turn for that type among all processes (turn.go), and starts a pass (pass.go).
//  3. genesys lists the queues page by page (walk.go). Each request goes through
//     retries, token and limiter to the network (transport.go); ratelimit grants it a
//     slot (limiter.go).
//  4. environment hands each object to history (walker.go), which compares it with
//     what is known: its bytes, then its digest, then its members (history: pass.go, digest.go, diff.go).
//  5. What differs is committed: head, body and change in one batch (history: record.go,
//     commit.go), which a process that lost its turn cannot do.
//  6. At the end of the list, history says what is absent (settle.go), and environment
//     reads these objects by ID before it records a removal (walker.go).
//  7. Consumers follow the changes from where they stopped (environment, follow.go).
//
// Every stage streams, in one direction.
//
// # Guarantees
//
// Each with the test that proves it, as package and test.
//
// What is recorded:
//
//   - Nothing is recorded that was not done, and nothing is missed that a pass could
//     see, under random edits, faults, kills and narrowed permissions:
//     environment.TestNothingInventedNothingMissedUnderFire, environment.TestMonth.
//   - A change lies in the time span that it names; its field changes lead from one
//     version to the next and back; an as-of answer is what was:
//     environment.TestMonth, environment.TestRecreatedDuringAPass, history.TestModel,
//     history.TestRandomPairs, history.FuzzPair.
//   - Order of members, spelling of numbers and what is ignored make no change, and
//     any other difference is one: history.TestCanonicalAndDigest, history.TestRandomPairs.
//   - An object is deleted only when it is read and gone, or missed by two complete
//     walks: history.TestMissingIsNotDeleted, history.TestIncompleteWalkRemovesNothing,
//     history.TestSuddenDrop, history.TestCoverage, environment.TestWhatFailuresShow.
//   - Each change reaches each consumer at least once and in order:
//     environment.TestDeliverAtLeastOnceInOrder, environment.TestConsumerOfTwoProcesses.
//   - Retention keeps the newest change of each object: history.TestRetention. Forget
//     leaves nothing of an object that can be read but the fact, also after an
//     interruption: history.TestForget, environment.TestForgetErasesEveryTrace. The file
//     of storage/file holds nothing of it after Compact: file.TestCompactLeavesNothingOfWhatWasDeleted.
//
// What is asked of the org:
//
//   - No rolling window holds more requests than the limit, whatever the latency,
//     over restarts and processes: ratelimit.TestNeverOverLimit,
//     ratelimit.TestBudgetSurvivesRestart, environment.TestMonth, postgres.TestFleet.
//   - Interactive requests go before background ones, which get their share:
//     ratelimit.TestInteractiveWaitsForOneSlotAtMost, ratelimit.TestBackgroundGetsItsShare,
//     ratelimit.TestInteractiveGoesFirstAcrossProcesses.
//   - A list that ends without an error is whole: genesys.TestWalkQuirks,
//     genesys.TestAnswersToFaults; for each type of the catalogue, with the fewest
//     requests that its page size allows: genesys.TestEveryTypeOfALocalOrg.
//   - A list of any length takes less than 20 bytes an object: genesys.TestMemoryOfALongWalk.
//   - Each tick has its run, or one with others that were due meanwhile, over restarts
//     and changes of the plan: poller.TestYear, poller.TestNextAgreesWithBruteForceInUTC.
//   - A forecast is within 5 % of what the org counts in a week:
//     environment.TestForecastOfAVirtualWeek.
//
// What survives:
//
//   - A process that is killed between any two commits, and started again, ends
//     where an undisturbed one does: environment.TestKilledAtAnyCommit,
//     environment.TestRunKilledAtAnyCommit, environment.TestOperationsKilledAtAnyCommit.
//   - Processes that share a store make each pass once; one that dies or stalls is
//     replaced, and cannot write any more: environment.TestProcessesShareTheWork,
//     environment.TestStalledProcessIsReplaced, environment.TestTickOfADeadProcess,
//     storage.TestLeaseModel, postgres.TestFleet.
//   - What a store has acknowledged is there after a crash, and damage is reported, not
//     returned: file.TestCrash, file.TestFailingDisk,
//     file.TestEveryFlippedByteOfValuesIsReported, postgres.TestCrashOfServer. Every
//     store passes one suite, which has to fail stores that are broken on purpose:
//     storagetest.TestSuiteFindsBrokenStores.
//
// What stays secret:
//
//   - Neither a client secret nor a token is in a file, a log or an error:
//     environment.TestSecretsStayOut, genesys.TestNothingSecretIsLoggedOrPrinted. Tokens
//     go to the API's host only: genesys.TestTokenStaysWithTheAPI. Members of objects that
//     hold secrets are dropped: genesys.TestDropSecrets.
//
// What polling cannot see is not promised: an edit that is undone between two
// passes; which of several edits between two passes came first; and, where an org answers
// 404 for what is out of sight, that an object was moved there and not deleted.
// environment/FAILURES.md tells what happens when things fail.
//
// Nor is who made a change recorded by package environment. The org's audit log knows:
// [github.com/cxsync/cxsync/genesys.Client.Audits] reads it for the time between After
// and At of the change. Where bodies of a type have a modifiedBy, History.Body has it as it
// was at the newest change.
package cxsync
