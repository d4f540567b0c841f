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
// Processes compare wall clocks only where a slot passes from one to another, and
// then add twice Options.ClockError. Ledger content that cannot be read counts as
// a quota that is used up, until whatever it stood for is over; then it has healed.
// Limiters on one ledger are given the same limits and options; while a change of
// limits spreads, each holds to its own.
package ratelimit
