package postgres

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/storage"
)

// maxLocks is how many prefixes a commit locks before it locks everything: the
// server has room for a limited number of locks.
const maxLocks = 32

// locks are the advisory locks of one commit: each prefix that it meets, shared
// if it only requires something there and else exclusive, and the whole store,
// shared unless it changes too much of it. So of two commits that could see each
// other one waits for the other, absent keys and deleted ranges included.
//
// The numbers of locks are part of the schema: all programs that use one must
// agree on them.
type locks struct {
	schema   string
	prefixes map[string]bool // exclusive?
	all      bool            // the whole store, exclusive
}

// prefix returns the part of a key that is locked: what is before the second
// slash, which is one environment.
func prefix(key string) string {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		if j := strings.IndexByte(key[i+1:], '/'); j >= 0 {
			return key[:i+1+j]
		}
	}
	return key
}

func (l *locks) key(key string, exclusive bool) {
	p := prefix(key)
	l.prefixes[p] = l.prefixes[p] || exclusive
}

func (l *locks) deleted(r storage.Range) {
	// The keys below a prefix p are those from p + "/" to p + "0".
	if p := prefix(r.Start); strings.HasPrefix(r.Start, p+"/") && r.End != "" && r.End <= p+"0" {
		l.prefixes[p] = true
	} else {
		l.all = true
	}
}

// arrays returns the numbers of the locks and their modes, in the order in which
// everyone takes them.
func (l *locks) arrays() (numbers []int64, exclusive []bool) {
	if l.all || len(l.prefixes) > maxLocks {
		return []int64{l.number("")}, []bool{true}
	}
	modes := map[int64]bool{}
	for p, x := range l.prefixes {
		n := l.number(p)
		modes[n] = modes[n] || x
	}
	all := l.number("")
	delete(modes, all) // should ever a prefix have the same number
	numbers, exclusive = []int64{all}, []bool{false}
	for _, n := range slices.Sorted(maps.Keys(modes)) {
		numbers, exclusive = append(numbers, n), append(exclusive, modes[n])
	}
	return numbers, exclusive
}

// number returns the number of the lock of a prefix, or of the whole store.
// Locks belong to the database, so schemas have locks of their own.
func (l *locks) number(prefix string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("cxsync\x00" + l.schema + "\x00" + prefix)) // never fails
	return int64(h.Sum64())
}
