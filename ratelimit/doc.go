// Package ratelimit keeps a client within the quota of a metered API, as the
// server counts it: in no rolling window do more than N requests reach it.
//
// A [Limiter] hands out one permit for each request. Put it under any HTTP client
// with [Limiter.Transport], or call [Limiter.Acquire] and [Permit.Done] around
// anything else that is counted.
//
// # The rule
//
// There are N slots. A request takes one, and the slot is free again one window
// after the request is over. Nothing less is enough: a request may travel for
// longer than the one after it, so a limiter that counts when requests leave lets
// more than N of them arrive in one window. The price is the time a request takes:
// with a latency of 2 seconds and a window of a minute, a client that uses all it
// gets sends N requests in 62 seconds. The whole N may go at once.
//
// A request that was never sent gives its slot back ([Permit.Cancel]). A request
// whose end nobody reports is taken to be over after Options.HoldTimeout.
//
// A window here is half open: of two requests exactly one window apart, only one
// is in it.
//
// # Priorities
//
// The context says what a request is for, see [WithPriority]. Interactive requests
// go before background ones and may use all that is free at once. Background
// requests are spread evenly over the window by golang.org/x/time/rate, and while
// both wait, background gets every tenth slot, or what Options.BackgroundShare
// says. A caller that gives up leaves no trace, and one whose deadline cannot be
// met is told so at once, see [DeadlineError].
//
// # What the server says
//
// A server that tells its window in response headers is believed: there is room
// for as many requests as it allows, less those it has counted and those on their
// way, until the window begins anew. So other clients that use the same quota do
// not lead to refusals, unless they take the last of it in the very moment a
// request is on its way, or before the first response has told of them. Once
// others were seen, the first request of each of the server's windows goes alone:
// its answer tells what is left. Retry-After on a 429 or 503 holds back all
// requests, or those of one key, see [WithKey]. All of this only tightens.
//
// # Ledgers
//
// With a [Ledger] the budget survives the process, and several processes share it.
// A limiter claims slots in the ledger before it uses them, in blocks, and reports
// afterwards when the requests were over. It claims more when callers wait, or
// ahead of them when its recent use suggests it, so that at a steady pace nobody
// waits for the ledger. The work is done by a goroutine that lives for one claim,
// started by a caller who takes a slot or by a timer when the limiter has become
// idle: then it gives back what it has not used, and sets no further timer.
//
// The ledger never holds less than the truth. A claim is good for one minute. The
// slots of a process that was killed are free again one minute and HoldTimeout
// after its last claim, and a window; those are the requests that were in flight,
// and what it had claimed ahead, at most Options.ClaimBlock. What it had reported
// is free when it would have been anyway. [Limiter.Flush] before the end of a
// process leaves nothing to wait for.
//
// # Many processes
//
// Limiters on one ledger keep the order of priorities among them. A claim that
// leaves interactive callers without a slot says how many in the ledger, and a
// claim for the background leaves as many slots alone, those that are free first,
// but for its share: one for each nine that interactive callers get, or what
// Options.BackgroundShare says, counted in the ledger. So once the claim for an
// interactive caller is written, which takes one round trip, or two if another
// claim is on its way, other processes send no more background requests before
// its own than
//
//   - the slots they have claimed by then,
//   - four for the share that is due,
//   - two for each nine requests of other interactive callers that go before it:
//     one is the share of processes in which only background waits, and one that
//     of the process in which these callers wait, and
//   - as many as become free during a few claims, where claims take longer than
//     slots need to become free.
//
// What they have claimed by then is little where the quota is used up: what they
// use in a second, or in four times the time their last claim took, and at most
// Options.ClaimBlock; of free slots, they claim ahead half at most. Interactive
// callers of several processes take turns by chance.
//
// The word is good for 20 seconds, or up to a minute when they have to wait for
// long or the ledger is slow, and is taken back when they leave; so a process that
// was killed delays the background of others for so long at most. While no
// interactive caller has to wait there is neither a word nor a claim more. A
// limiter of a version that does not know all this drops it from the ledger and
// goes on as before; the limit holds all the same.
//
// What the server says stays with the limiter that heard it. Genesys Cloud counts
// by token, and each process has its own; and where the server does count them
// together, a process at work would hardly read of a freeze before the server
// tells it, for its slots are claimed ahead: measured, that saves one refusal in
// thirty. Each other process learns it from those of its requests that are on
// their way.
//
// # Clocks and changes
//
// Processes compare wall clocks only where a slot passes from one to another, and
// then add twice Options.ClockError. Ledger content that cannot be read counts as
// a quota that is used up, until whatever it stood for is over; then it has healed.
// Limiters on one ledger are given the same limits and options. While a change of
// limits spreads, each holds to its own, and all together to the loosest.
//
// # Proofs
//
//   - No rolling window ever holds more than the limit, with any latency, lost
//     requests, processes that die and one to four of them: TestNeverOverLimit. All
//     that the rule allows is used: TestGreedyUsesWhatTheRuleAllows.
//   - Interactive waits for one slot at most, background gets its share:
//     TestInteractiveWaitsForOneSlotAtMost, TestBackgroundGetsItsShare; between
//     processes TestInteractiveGoesFirstAcrossProcesses, TestBackgroundGetsItsShareAcrossProcesses.
//   - A caller that gives up leaves no trace: TestCancelledWaiterLeavesNoTrace.
//   - The budget survives a restart, and the ledger damage and clocks that leap:
//     TestBudgetSurvivesRestart, TestUnreadableLedgerHeals, TestClaimsDoNotOutliveALeapOfTheClock,
//     TestClockIsSetForthInSteps; and writes that seem to fail: TestWriteOfUnknownOutcome, TestWriteThatComesLate.
//   - The server's word is kept: TestRetryAfterFreezes, TestOthersWhoUseTheQuotaDoNotLeadToRefusals.
package ratelimit
