package file

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// Objects of one kind have their members, and the ids of what they belong to, in
// common. So values are compressed with a dictionary: pieces of values that the
// store has seen. It is kept twice in metaBucket, because without it the values
// are lost, and for ever, because each value names the one that it needs.
const (
	maxDicts = 3
	dictSize = 64 << 10
	// firstDict is after how many bytes of values the first dictionary is made.
	// The next ones, each after dictGrowth times as many, know more kinds.
	firstDict  = 4 * dictSize
	dictGrowth = 16
	// sampleSize is what is taken of one value, so that long ones leave room.
	sampleSize = 4 << 10
)

// dictKey returns the key in metaBucket of a copy of the dictionary n, from 1.
func dictKey(n, replica int) []byte { return fmt.Appendf(nil, "dict/%d/%d", n, replica) }

// replicas is how many copies there are of each dictionary.
const replicas = 2

// A learner collects samples of the values that commits store. The goroutine
// that may write owns it.
type learner struct {
	values  int // that were seen
	size    int // bytes of them
	samples [][]byte
}

// see takes value as a sample, with the same probability as every other value.
func (l *learner) see(value []byte) {
	if len(value) < minCompressed {
		return
	}
	l.values++
	l.size += len(value)
	sample := value[:min(len(value), sampleSize)]
	if len(l.samples) < dictSize/sampleSize*2 {
		l.samples = append(l.samples, sample)
	} else if i := rand.IntN(l.values); i < len(l.samples) {
		l.samples[i] = sample
	}
}

// learn looks at what b stores and makes a new dictionary when it is time for
// one, which it stores in tx. It returns the coder that knows it as well.
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
	var dict []byte
	for _, sample := range s.learner.samples {
		dict = append(dict, sample[:min(len(sample), dictSize-len(dict))]...)
	}
	n := len(old.dicts) + 1
	for replica := range replicas {
		key := dictKey(n, replica)
		if err := tx.Bucket(metaBucket).Put(key, s.codec.plain.encode(string(key), dict)); err != nil {
			return nil, err
		}
	}
	return newCoder(append(old.dicts[:n-1:n-1], dict))
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

// copyDicts copies the dictionaries of the store into db.
func (s *Store) copyDicts(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		for n, dict := range s.codec.coder.Load().dicts {
			if dict == nil {
				return corrupt(dictKey(n+1, 0), "the dictionary of many values is lost")
			}
			for replica := range replicas {
				key := dictKey(n+1, replica)
				if err := meta.Put(key, s.codec.plain.encode(string(key), dict)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
