// Package genesystest is a local Genesys Cloud org for tests and demonstrations.
//
// An [Org] speaks the service's HTTP dialect: OAuth client credentials, every
// list and read call of the catalogue of package genesys in its paging family,
// errors, rate windows, permissions, divisions, audits, and the usual calls
// that create, replace, patch and delete. What is in it follows from a seed.
//
//	org := genesystest.New(nil)
//	client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
//
// # Ways to reach it
//
// [Org.Transport] answers in memory, without sockets or goroutines, and so
// works inside testing/synctest, where an hour of rate limiting takes no time.
// [Org.Listen] serves other programs on a socket. An Org is a [net/http.Handler]
// too. A program that keeps several orgs reaches each by Listen.
//
// # What is in it
//
// Objects are made from the seed when they are looked at; an org of 200,000
// users holds its edits and little else. Two orgs with the same options are
// equal. [Org.Create], [Org.Update], [Org.Touch] and [Org.Delete] edit it; they
// move version, modification date and author as the service does. [Org.As] makes
// edits those of a user. [Org.SetPart] edits what is kept apart from a body.
// IDs are in the form of genesys.Object: a child's begins with its parent's.
//
// # Audits
//
// Audits tell of edits as those of real orgs do. Records arrive late and out of
// order, half of them are the system's, and the date of each is a little after
// the edit. Those of users are nearly all of the system and name a version. Roles
// have no properties, and who got one is in the name of the entity. A member of a
// queue is a property of the queue. A change of a group's members is three
// records, whose author is in their context. Values may be JSON. A client has no
// ID, a deleted user no name, and support belongs to another org. No audit tells
// of some types. Realtime lacks some services, and may demand to be told one.
// [Org.Edits] is the truth, to hold against what was made of it, and
// [Org.AuditEvents] are the audits as Amazon EventBridge delivers them.
//
// Bodies follow the official models. Templates say what matters of a type: its
// names, its counts, the members that other objects depend on. The models add
// every other field, in its type and format, with values of its enumeration, at
// most three models deep. The first object of a type has all of them; optional
// ones are absent in a part of the others. Fields that refer to an object name
// one that exists, by the name that it had at first. A path is open to whoever
// has the permission that the API's own description names for it.
//
// # Trouble
//
// [Org.Fail] and [Org.Chaos] make requests meet faults, from a 429 to pages
// that repeat. [Options] has latency, consistency delay, permissions,
// divisions, sets that are shuffled and states that move. [Org.Release] is a release of the
// platform, [Org.Bury], [Org.Lag] and [Org.Withdraw] are ways of single types.
// Addresses of files are signed anew in every answer and served by the org.
// [Org.Requests] and [Org.Stats] tell what clients did.
//
// # How true it is
//
// A client of its own walks every type in its paging family and finds what
// Objects says. Every official field occurs, and no other; every value, at any
// depth, has the type that its model gives it; what an object refers to can be
// read. The service's own JavaScript SDK lists and reads every type that it has
// a call for; that test is skipped where the SDK is not installed:
//
//	npm ci --prefix genesys/genesystest/jssdk
//
// # What it does not do
//
// Lists can be narrowed by id, name, state, type and division and be ordered
// where the service offers that; other filters are ignored, and searches know a
// name at most, but for users. Bodies of writes are merged, not validated.
// References to a deleted object stay, also in lists such as queue members.
// Users, conversations and analytics have no life of their own.
package genesystest
