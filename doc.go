// Package cxsync is the map of a module that keeps a faithful history of the
// configuration of Genesys Cloud orgs: queues, users, flows, skills, phones,
// roles and everything else that administrators change.
//
// Genesys Cloud pushes no configuration changes. Who must know what changed,
// when, and from what to what, has to poll, within an API quota, without ever
// inventing or missing a change. The packages do that, each useful alone:
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
//   - [github.com/cxsync/cxsync/storage]: where it is kept, in memory, in a
//     file, or in a database of your own.
//
// # Layers
//
//	examples -> environment -> { genesys, poller, ratelimit, history, storage }
//	                history -> storage <- memory, file
//
// genesys, poller, ratelimit and storage import none of the others. A test of
// this package holds every package to its layer.
//
// # How a change travels
//
// A tick of the poller makes environment start a pass over one object type.
// genesys lists it page by page; each request goes through retry, bearer token
// and limiter to the network. history compares each object with what is known
// and commits heads, bodies and changes together. Consumers then follow the
// changes from where they stopped. Every stage streams, in one direction.
//
// # A pass never lies
//
// A removal is recorded only after a walk that is proven complete, and only
// when reading the object says that it is gone or a second complete walk misses
// it too. What a missing permission, a feature that is off, a cut page or a
// sudden drop hides is withheld and shown, never recorded as deleted. A process
// may be killed at any moment; the next pass completes what it left.
package cxsync
