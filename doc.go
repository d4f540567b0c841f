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
//   - [github.com/cxsync/cxsync/environment/console]: environments to look at in a browser.
//     [github.com/cxsync/cxsync/environment/telemetry], a module of its own, measures them.
//   - [github.com/cxsync/cxsync/genesys]: the org over HTTP: login, retries,
//     paging, errors, and the catalogue of types.
//   - [github.com/cxsync/cxsync/genesys/genesystest]: a local org for tests.
//   - [github.com/cxsync/cxsync/ratelimit]: a quota that is never exceeded.
//   - [github.com/cxsync/cxsync/poller]: when each type is due.
//   - [github.com/cxsync/cxsync/history]: what changed: the log, the state at any
//     time, retention. [github.com/cxsync/cxsync/history/diff] compares two JSON
//     bodies, and is useful alone.
//   - [github.com/cxsync/cxsync/storage]: where it is kept: the contract of a
//     store. [github.com/cxsync/cxsync/storage/memory] and
//     [github.com/cxsync/cxsync/storage/file] are stores of one process,
//     [github.com/cxsync/cxsync/storage/postgres] one of many processes (a module
//     of its own, with [github.com/cxsync/cxsync/storage/postgres/postgrestest] to
//     start servers in tests), and
//     [github.com/cxsync/cxsync/storage/storagetest] proves a store of your own.
//
// # Glossary
//
// One word stands for one thing, in names, comments, errors and logs:
//
//   - environment: one org and how it is kept in sync: its record, quota, schedules and history.
//   - type: a kind of object, such as routing.queues. The catalogue lists them all.
//   - object: one queue, one user, one flow. It has an ID that is unique within its type.
//   - parent: the object that another one is listed under, as a queue is of its members.
//   - pass: one look at all objects of one type, from the list call to the commit.
//   - walk: the list calls of a pass. A complete walk saw every page and understood it.
//   - coverage: what the client can see: its divisions and permissions.
//   - missing, withheld, deleted: a complete walk did not list the object; its removal
//     is not recorded yet; its removal is recorded.
//   - present, deleted, hidden, unavailable, unclear: what an answer of the org means.
//   - change: one entry of the log: an object was imported, created, updated, deleted or restored.
//   - marker: the field of a listed object that moves with every edit, such as its version.
//   - Rules, Comparer: what is ignored and which arrays are sets; the same, compiled.
//   - quota, share: the requests that an OAuth client may send in a window; what one process has of them.
//   - lease, holder: the stored right to do something alone; the process that has it.
//   - consumer: a named reader of the log whose place is stored.
//
// # Layers
//
//	examples -> environment -> { genesys, poller, ratelimit, history, storage }
//	            console, telemetry -> environment, history
//	                history -> diff, storage <- memory, file, postgres
//
// genesys, poller, ratelimit, storage and diff import none of the others. Tests in the root hold
// every package to its layer, and to the modules of others that it may pull in.
//
// # How a change travels
//
// An administrator renames a queue. This is its way, and where the code is:
//
//  1. A tick is due: poller, [github.com/cxsync/cxsync/poller.Poller.Run], calls its job for
//     "routing.queues". The job is in environment/tick.go; due.go beside it keeps the due times.
//  2. environment takes the lease for that type among all processes (lease.go), and starts a pass (pass.go).
//  3. genesys lists the queues page by page (walk.go). Each request goes through
//     retries, token and limiter to the network (transport.go); ratelimit grants it a
//     slot (limiter.go).
//  4. history reads the listed objects from environment (source.go on both sides) and compares each with what
//     is known: its bytes, then its digest, then its members (history/diff: digest.go, diff.go).
//  5. What differs is committed: head, body and change in one batch (history: record.go,
//     commit.go), which a process that lost its lease cannot do.
//  6. At the end of the list, history says what is missing (removal.go), and reads these objects by
//     ID before it records a removal (confirm.go).
//  7. Consumers follow the changes from where they stopped (environment, follow.go).
//
// Every stage streams, in one direction.
//
// # Documents
//
// docs/guarantees.md lists what is promised, each with the tests that prove it, and
// what polling cannot see. docs/failures.md tells what happens when things fail.
// CONTRIBUTING.md tells how to build, test and extend the module.
//
// Who made a change the org's audits tell, if Record.AuditMinutes says to read them: see
// [github.com/cxsync/cxsync/history.Change.Who], and history/join.go for how it is found out.
package cxsync
