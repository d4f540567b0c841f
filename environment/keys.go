package environment

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/storage"
)

// Where things lie in the store. Everything of one environment but its record
// and its name is below its own prefix; its history has a prefix of its own.
const sequenceKey = "environments-sequence"

// The news key has another value after every commit that changes a record, so
// that the other processes need to look at one key only.
const newsKey = "environments-news"

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
