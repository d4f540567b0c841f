package file

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"

	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// Objects of one type have their members, and the ids of what they belong to, in
// common. A body of a few KiB alone repeats itself little, but it repeats its
// neighbours. So values are compressed with a dictionary: pieces of values that the
// store has seen, to which a compressed value can refer as to its own beginning.
//
// A dictionary is never changed. A newer one is added with the next number and used
// from then on; each value names the one that it needs. They are kept until Compact,
// which compresses all values anew with one dictionary, and twice in metaBucket,
// because without it the values are lost.
//
// The invariant: a dictionary is stored in the transaction that stores the first
// value which needs it, or in an earlier one.
const (
	maxDicts = 3
	dictSize = 64 << 10
	// firstDict is after how many bytes of values the first dictionary is made.
	// The next ones, each after dictGrowth times as many, know more kinds.
	firstDict  = 4 * dictSize
	dictGrowth = 16
	// sampleSize is what is taken of one value in bytes, so that long ones leave room.
	sampleSize = 4 << 10
)

// dictKey returns the key in metaBucket of a copy of the dictionary n, from 1.
func dictKey(n, replica int) []byte { return fmt.Appendf(nil, "dict/%d/%d", n, replica) }

// replicas is how many copies there are of each dictionary.
const replicas = 2

// A learner collects samples of the values that commits store, by reservoir
// sampling: whenever it is asked, each value so far is among the samples with the
// same probability, however many there were. The goroutine that may write owns it.
type learner struct {
	values  int // that were seen, but for small ones
	size    int // bytes of them
	samples [][]byte
}

// see takes value as a sample, with the same probability as every other value.
func (l *learner) see(value []byte) {
	if place, ok := l.choose(len(value)); ok {
		*place = value[:min(len(value), sampleSize)]
	}
}

// choose reports whether to take a value of that size as a sample, and where to. It
// is asked before a value is decoded, as most need not be.
func (l *learner) choose(size int) (place *[]byte, ok bool) {
	if size < minCompressed {
		return nil, false
	}
	l.values++
	l.size += size
	if len(l.samples) < dictSize/sampleSize*2 {
		l.samples = append(l.samples, nil)
		return &l.samples[len(l.samples)-1], true
	}
	i := rand.IntN(l.values)
	if i >= len(l.samples) {
		return nil, false
	}
	return &l.samples[i], true
}

// learn looks at what b stores and makes a new dictionary when it is time for
// one, which it stores in tx. It returns the coder that knows it as well, to be used
// once tx is committed: the values of b are encoded already, without it.
func (s *Store) learn(tx *bbolt.Tx, b *storage.Batch) (*coder, error) {
	old := s.codec.coder.Load()
	if len(old.dicts) >= maxDicts {
		return old, nil
	}
	due := firstDict
	for range old.dicts {
		due *= dictGrowth
	}
	for op := range b.Ops() {
		s.learner.see(op.Value)
	}
	if s.learner.size < due {
		return old, nil
	}
	dict, n := s.learner.dict(), len(old.dicts)
	if err := s.codec.putDict(tx, n+1, dict); err != nil {
		return nil, err
	}
	return newCoder(append(old.dicts[:n:n], dict))
}

// dict returns a dictionary of the samples: one after the other, as far as there is
// room. zstd finds by itself what to refer to.
func (l *learner) dict() (dict []byte) {
	for _, sample := range l.samples {
		dict = append(dict, sample[:min(len(sample), dictSize-len(dict))]...)
	}
	return dict
}

// putDict stores the dictionary n.
func (c *codec) putDict(tx *bbolt.Tx, n int, dict []byte) error {
	for replica := range replicas {
		key := dictKey(n, replica)
		if err := tx.Bucket(metaBucket).Put(key, c.plain.encode(string(key), dict)); err != nil {
			return err
		}
	}
	return nil
}

// loadDicts makes the codec know the dictionaries of the store. One that is lost
// leaves a gap: the values that need it are corrupt, the others are not.
func (c *codec) loadDicts(tx *bbolt.Tx) error {
	var dicts [][]byte
	for n := 1; ; n++ {
		var dict []byte
		found := false
		for replica := range replicas {
			key := dictKey(n, replica)
			raw := tx.Bucket(metaBucket).Get(key)
			found = found || raw != nil
			if value, err := c.decode(string(key), raw); err == nil && dict == nil {
				dict = bytes.Clone(value)
			}
		}
		if !found {
			break
		}
		dicts = append(dicts, dict)
	}
	coder, err := newCoder(dicts)
	if err != nil {
		return err
	}
	c.coder.Store(coder)
	return nil
}

// relearn returns the coder for a copy of the store in db, and stores there the
// dictionary that it knows, if there are enough values for one. It is made of
// those that are there now: the old ones hold pieces of deleted values.
func (s *Store) relearn(ctx context.Context, db *bbolt.DB) (*coder, error) {
	sc := s.openScan(storage.Range{}, false)
	defer s.closeScan(sc)
	var l learner
	for e, err := range s.rawEntries(ctx, sc) {
		if err == nil {
			err = check(keyBytes(e.key), e.raw)
		}
		if err != nil {
			return nil, err
		}
		place, ok := l.choose(decodedSize(e.raw))
		if !ok {
			continue
		}
		value, err := e.coder.decode(e.key, e.raw)
		if err != nil {
			return nil, err
		}
		*place = value[:min(len(value), sampleSize)]
	}
	if l.size < firstDict {
		return newCoder(nil)
	}
	dict := l.dict()
	if err := db.Update(func(tx *bbolt.Tx) error { return s.codec.putDict(tx, 1, dict) }); err != nil {
		return nil, err
	}
	return newCoder([][]byte{dict})
}
