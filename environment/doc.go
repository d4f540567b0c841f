// Package environment keeps Genesys Cloud orgs in sync: it joins the client, the poller, the quota
// and the history of each, and keeps all of it in one store.
//
// A [Record] describes one org and how it is kept. An [Engine] holds the records of a store, a
// [storage.Store], and works on them:
//
//   - [Engine.Create], [Engine.Update], [Engine.Put], [Engine.Delete], [Engine.Pause],
//     [Engine.Resume]
//   - [Engine.Validate] and [Engine.Forecast] tell whether it will work
//   - [Engine.Import] reads everything now and sets the baseline, [Engine.Poll] reads some types
//     now, [Engine.Run] polls on schedule
//   - [Engine.History] answers what changed and what was, and changes nothing of it
//   - [Engine.Follow] hands each change to a function of yours, at least once, as it is recorded;
//     [Engine.Deliver] hands over what there is and returns, and [Engine.FollowAll] follows all
//     environments
//   - [Engine.AcceptRemovals] and [Engine.Forget] are a person's word about single objects
//   - [Engine.Status] tells how it goes, [Engine.Health] whether that is well
//
// # What a pass does
//
// A pass reads one type: a top-level type page by page, a type that is listed under another once
// for each of the parents that the parent's own pass has found. A listed object that is not the
// whole object is read by ID, when the marker in the list has moved. What is missing at the end is
// read by ID as well: 404 makes it deleted, and what is there after all stays missing until a list
// has it. Without such a call a second complete walk has to miss it. The children of a deleted
// object are deleted with it. One thing cannot be told apart: where an org answers 404 for what the
// client may not see, an object that was moved to a division that the client does not see looks
// deleted.
//
// A type that the client may not read (403), or that the org does not have (501), is unavailable:
// it is tried again once a day, and its objects stay as they were.
//
// # Several processes
//
// Processes that share a store, each with an Engine of its own, behave as one: run the same program
// many times over one database, with the same key in the vault. Each pass, import and consumer
// belongs to one process at a time, by a lease. A process that dies or stalls loses it within
// [Options].Lease, and what it still writes is refused. A tick has one pass; the quota is one for
// all; a record that one process changes is noticed by the others within a sixth of Lease. With the
// file store, which one process has to itself, the same code runs, and the work of a process that
// was killed is taken up at once.
//
// The clocks of the processes may differ by anything, and be set at any time: a lease is lost when
// those who want it have seen no renewal for its term, which each of them measures by itself.
//
// # Time
//
// Changes and passes are recorded with the org's time: that of the Date in its answers, and what
// has passed since by the monotonic clock of this machine. So they compare with the org's audits,
// whatever the clock of this machine says. Date has whole seconds and an answer travels; spans are
// widened by that: a change that was seen just now may have a time up to a second and the way of an
// answer ahead. Retention counts by the org's time too, and removes nothing before the org has
// answered, nor what is not old enough by the clock of this machine as well. [Status] has what is
// known of the org's time.
//
// Schedules follow the wall clock of this machine, in the zone of the record, because that is what
// CRON means. A wrong one costs late or extra passes, nothing else.
//
// # Planning schedules against a quota
//
// A pass takes a request for each page of its list: one for most types, and one or more for each
// queue, user or group where a type is listed under these. [Engine.Forecast] multiplies that by how
// often the schedules fire and compares it with the limit. It is within 5 % of what an org counts
// in a week. To plan:
//
//  1. Create the environment with the plan that you would like to have, and Import
//     once: that measures what a pass over each type takes. Before, it is estimated.
//  2. Forecast. Types has the dearest first. If the plan does not fit, Proposal is
//     one that does, and leaves a fifth of the quota for edits, retries and imports:
//     your entries with a slower default, or a slower default alone.
//  3. Or choose: a short schedule for the few types whose changes matter soon, an
//     hour for the rest, and for the dear types some hours or a night, each at a minute
//     of its own, because what is due in one minute waits for the quota together.
//  4. Update the record, which takes effect at once, and Forecast again.
//
// The Example of [Engine.Forecast] does this for an org with 500 users and 60,000 requests a day:
// everything each quarter of an hour does not fit, and six entries do. A plan that takes more than
// the quota is not refused: its passes are late, as Lag in [Engine.Status] tells, and ticks of a
// type that come meanwhile become one.
//
// # When things fail
//
// docs/failures.md says for each failure what happens, where it shows and what to do. In short: but
// for what cannot be told apart, see above, nothing is recorded that did not happen, and the next
// passes complete what is missing.
//
// # Secrets
//
// A client secret is a [Secret], which prints as "[redacted]". In the store it is sealed by
// [NewKeyVault], or not kept at all with [SecretFunc]. Neither it nor a token is in a log, an error
// or a file.
//
// # Where things are
//
// For those who read or change the code, the questions that come first, and the file that answers:
//
//   - who may do what: authorize.go; what is confirmed in production: update.go
//   - what happens at a tick: tick.go; what else Run starts: run.go
//   - what a pass does, step by step: pass.go, and source.go where it meets the org
//   - where a removal is decided: not here but in package history, removal.go and confirm.go;
//     what the client can see, on which that depends: coverage.go
//   - what is remembered between passes: state.go and due.go; every key of the store: keys.go
//   - who acts alone, and what happens to a process that stalled: lease.go
//   - where secrets are sealed and opened: vault.go
//   - what each request passes through: client.go
//   - whose time it is: clock.go
package environment
