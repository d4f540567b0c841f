package environment

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/storage"
)

// Where things lie in the store, with N for an ID:
//
//	environments-sequence         the newest ID
//	environments-news             a value that changes when any record does
//	environments/N                the record, without its secret
//	environment-names/NAME        the ID of the environment of that name
//	environment/N/alive           there until Delete begins
//	environment/N/secret          the sealed client secret (vault.go)
//	environment/N/org             the organization that the history is about (org.go)
//	environment/N/type/TYPE       what is remembered of a type (state.go)
//	environment/N/due/TYPE        the last tick that had its pass (due.go)
//	environment/N/import          number and times of the newest import (import.go)
//	environment/N/audits          how far the org's audits are read (audits.go)
//	environment/N/consumer/NAME   the place of a consumer (following.go)
//	environment/N/owed/NAME/SEQ   what a consumer has heard of who made a change (owed.go)
//	environment/N/lease/…         leases (lease.go)
//	quota/HASH                    the quota record of an OAuth client (ledger.go)
//
// History and its bodies are below a prefix of package history.
const (
	sequenceKey = "environments-sequence"
	newsKey     = "environments-news"
)

// announce adds to a batch that changes a record what makes the other processes notice: they look
// at the news key only.
func announce(b *storage.Batch) { b.Put(newsKey, []byte(strconv.Quote(rand.Text()))) }

func idText(id int64) string          { return fmt.Sprintf("%010d", id) } // sorts as the number does
func recordKey(id int64) string       { return storage.Key("environments", idText(id)) }
func recordRange() storage.Range      { return storage.Prefix("environments/") }
func nameKey(folded string) string    { return storage.Key("environment-names", folded) }
func ownRange(id int64) storage.Range { return storage.Prefix(ownKey(id) + "/") }

// quotaKey is where the quota of a record's OAuth client is kept. Records of one client
// share it, and it outlives them: the service counts requests by client, whatever the
// records. A hash keeps the key short, whatever the client ID.
func quotaKey(r Record) string {
	r = r.resolved()
	return storage.Key("quota", fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q %q", r.LoginURL, strings.TrimSpace(r.ClientID)))))
}

// ownKey is the key of something that belongs to one environment, and goes with it.
func ownKey(id int64, parts ...string) string {
	return storage.Key(append([]string{"environment", idText(id)}, parts...)...)
}

// A leaseKey is the key of a lease; name says what the lease is for.
func leaseKey(id int64, name ...string) string {
	return ownKey(id, append([]string{"lease"}, name...)...)
}

// The alive key is there from Create until Delete begins. Every commit of a
// pass requires it, so that nothing is recorded of what is being deleted.
func aliveKey(id int64) string { return ownKey(id, "alive") }

var alive = []byte("true")
