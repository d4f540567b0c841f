// Package ratelimit keeps a client within the quota of a metered API as the server counts it: in
// no rolling window do more than N requests reach it.
//
// A [Limiter] hands out one permit for each request. Put it under any HTTP client:
//
//	limiter, err := ratelimit.New(ratelimit.Limits{Minute: 300}, nil)
//	client := &http.Client{Transport: limiter.Transport(nil)}
//
// A tenth of the limit may go at once, and the rest is spread over the window, unless the context of
// a request says that somebody waits for it: [WithPriority] with [Interactive].
//
// Or call [Limiter.Acquire] and [Permit.Done] around anything else that is counted. Acquire is what
// Wait is in golang.org/x/time/rate. But that counts when requests leave, and lets a burst go in
// addition to the rate; here the limit holds where it is enforced, so the end of each request
// counts as well.
//
// # The rule
//
// There are N slots. A request takes one, which is free again one window after the request is
// over. Nothing less is enough: a request may travel for longer than the next one, so a limiter
// that counts when requests leave lets more than N of them arrive in one window. The price is the
// time that a request takes: with a latency of 2 seconds and a window of a minute, a client that
// uses all it gets sends N requests in 62 seconds. The whole N may go at once.
//
// A request that was never sent gives its slot back ([Permit.Cancel]). A request whose end nobody
// reports is taken to be over after Options.HoldTimeout. Of two requests exactly one window apart,
// only one is in it.
//
// # Priorities
//
// The context says what a request is for, see [WithPriority]. Interactive requests go before
// background ones and may use all that is free at once; for ten minutes after the last of them,
// background requests leave one slot in twenty free for the next. Background requests are spread
// evenly over the window by golang.org/x/time/rate: a tenth of the limit may go at once. While both
// wait, they get every tenth slot. A caller that gives up leaves no trace, and one whose deadline
// cannot be met is told so at once, see [DeadlineError].
//
// # What the server says
//
// A server that tells its window in response headers, as Genesys Cloud does, is believed: there is
// room for as many requests as it allows, less those that it has counted and those on their way,
// until the window begins anew. After a window that was full, or in which other clients were seen,
// the first request goes alone: its answer tells what is left. So other clients of the same quota
// lead to no refusals, unless they take the last of it while a request is on its way.
//
// A 429 or 503 with Retry-After holds back what it says is limited: all requests if the limit named
// in its body is that of a token or an org, or if its headers show a full window; those of the same
// route if it names another limit, or if its window has room; all of them if it says nothing. When
// the time is over, one request goes alone, and the others wait for its answer. All of this only
// tightens, lasts for Options.MaxFreeze at most, is shown by [Limiter.State], and ends when a person
// calls [Limiter.Thaw].
//
// # Many processes
//
// With a [Ledger] the quota survives the process and is shared by many. The ledger holds a record
// that says of each limiter how many slots it may have in use until it writes again: those in
// flight, those that cool, and those that it has written down ahead. Together these are never more
// than N. Each limiter keeps to its part by itself, with its own monotonic clock, exactly as one
// without a ledger keeps to its limit. It renews its part before it needs more, in a goroutine that
// lives for one renewal, and gives back what it does not use when it has become idle.
//
// While all together want more than there is, each gets the same: a limiter that has more uses only
// so many of its slots again as leave it an equal pace, and the others take what becomes free.
//
// No two wall clocks are compared. What another limiter may still have in use follows from how long
// ago it wrote, at least: as long as this one has seen the record unchanged, by its own monotonic
// clock; or what has passed by the server's clock, which the Date of the answers tells. So a
// restart needs no name and no farewell: the successor finds what was used, and as soon as it has
// heard the server's time (see [Limiter.ObserveDate]) it knows what is free again. Before, it uses
// only what nobody can have used. A process that dies costs what it had written ahead and in flight,
// until a minute, HoldTimeout and a window have passed since it last wrote.
//
// All this assumes that the clocks of the server and of the processes run at the same rate, that no
// request starts its way longer than HoldTimeout after its permit, and that the ledger forgets
// nothing. A wall clock that leaps forward looks as if the machine had slept, and makes the limiter
// ask the ledger before it goes on. Content that cannot be read counts as a quota that is used up,
// until whatever it stood for is over. Limiters on one ledger are given the same limits; while a
// change spreads, each holds to its own, and all together to the loosest.
//
// docs/guarantees.md says what is proven of it, and docs/failures.md what happens when something fails.
package ratelimit
