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
// too.
//
// # What is in it
//
// Objects are made from the seed when they are looked at; an org of 200,000
// users holds its edits and little else. Two orgs with the same options are
// equal. References lead to objects that exist; they keep the name that the
// object had at first. [Org.Create], [Org.Update], [Org.Touch] and [Org.Delete]
// edit it; they move version, modification date and author as the service
// does and write an audit record. IDs are in the form of genesys.Object: a
// child's begins with its parent's.
//
// # Trouble
//
// [Org.Fail] and [Org.Chaos] make requests meet faults, from a 429 to pages
// that repeat. [Options] has latency, consistency delay, permissions and
// divisions. [Org.Requests] and [Org.Stats] tell what clients did.
//
// # How true it is
//
// A client of its own walks every type in its paging family and finds what Objects
// says: TestEveryType. References lead somewhere: TestReferences. Logins, rate
// windows, permissions, divisions and faults have a test each: TestLogin, TestWindow,
// TestPermissions, TestDivisions, TestFaults. The service's own JavaScript SDK reads
// it: TestJavaScriptSDK, which is skipped where that SDK is not installed.
//
// # What it does not do
//
// Lists can be narrowed by id, name, state, type and division and be ordered
// where the service offers that; other filters are ignored. Of the search calls
// there is POST /api/v2/users/search. Bodies of writes are merged, not validated.
// References to a deleted object stay, also in lists such as queue members.
// Users, conversations and analytics have no life of their own.
package genesystest
