package diff

import (
	"bytes"
	"fmt"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Shared returns two bodies in canonical form without the members that only one of them has, at
// whatever depth: what differs between the results is a changed value, and no path that came or went.
// Elements of arrays are matched as [Comparer.Diff] does and stay, as they are what the array is.
//
// It is for two readings of one object of which the second one asked for more, or for less, than the
// first one: what only one of them shows was not edited. The price is that a member which a person
// added or removed between these two readings is not seen.
func (c *Comparer) Shared(old, new []byte) (a, b []byte, err error) {
	s := sharer{}
	for _, body := range [][]byte{old, new} {
		if err = checkForm(body); err != nil {
			break
		}
	}
	if err == nil {
		err = s.value(old, new, c.rules, false, 0)
	}
	if err == nil { // a set is ordered by what its elements are, which is less now
		a, err = c.Canonical(nil, s.old)
	}
	if err == nil {
		b, err = c.Canonical(nil, s.new)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("diff: shared: %w: %w", errNotCanonical, err)
	}
	return a, b, nil
}

// sharer writes what two bodies share, to both results at once.
type sharer struct{ old, new []byte }

// value writes a value that both have. Objects and arrays are reduced; other values may differ.
// Beyond maxDepth they are written as they are: more to compare, and never less.
func (s *sharer) value(old, new []byte, r *rule, set bool, depth int) error {
	if open := old[0]; depth < maxDepth && open == new[0] && !bytes.Equal(old, new) {
		switch open {
		case '{':
			return s.object(old, new, r, depth+1)
		case '[':
			return s.array(old, new, r, set, depth+1)
		}
	}
	s.old, s.new = append(s.old, old...), append(s.new, new...)
	return nil
}

// object writes the members that both have, which are sorted: the walk goes on in the body whose key
// is lower, and a key that is not met in the other one is dropped by not being written. The rest of
// the longer one is walked too, so that what is malformed is found.
func (s *sharer) object(old, new []byte, r *rule, depth int) error {
	startOld, startNew := len(s.old), len(s.new)
	a, b := jsonscan.Members(old), jsonscan.Members(new)
	moreA, moreB := a.Next(), b.Next()
	for moreA && moreB {
		order := compareKeys(a.Key(), b.Key())
		if order == 0 {
			key := a.Key()
			s.old = append(append(append(s.old, ','), key...), ':')
			s.new = append(append(append(s.new, ','), key...), ':')
			member := r.member(appendName(nil, key))
			if err := s.value(a.Value(), b.Value(), member, member != nil && member.set, depth); err != nil {
				return err
			}
		}
		if order <= 0 {
			moreA = a.Next()
		}
		if order >= 0 {
			moreB = b.Next()
		}
	}
	for moreA {
		moreA = a.Next()
	}
	for moreB {
		moreB = b.Next()
	}
	s.old, s.new = enclose(s.old, startOld, '{', '}'), enclose(s.new, startNew, '{', '}')
	if err := a.Err(); err != nil {
		return err
	}
	return b.Err()
}

// array reduces the matched elements. The new ones are written as they come. Those of the old array
// have another order, so they are taken back and kept until it is their turn.
func (s *sharer) array(old, new []byte, r *rule, set bool, depth int) error {
	before, err := jsonscan.Split(old, nil)
	if err != nil {
		return err
	}
	after, err := jsonscan.Split(new, before)
	if err != nil {
		return err
	}
	m := align(identifyAll(before), identifyAll(after), set)
	reduced := make([][]byte, len(before)) // of the old elements that have a match
	start := len(s.new)
	for j, i := range m.source {
		s.new = append(s.new, ',')
		if i < 0 {
			s.new = append(s.new, after[j]...)
			continue
		}
		end := len(s.old)
		if err := s.value(before[i], after[j], r, false, depth); err != nil {
			return err
		}
		reduced[i] = bytes.Clone(s.old[end:])
		s.old = s.old[:end]
	}
	s.new = enclose(s.new, start, '[', ']')
	start = len(s.old)
	for i, element := range before {
		if reduced[i] != nil {
			element = reduced[i]
		}
		s.old = append(append(s.old, ','), element...)
	}
	s.old = enclose(s.old, start, '[', ']')
	return nil
}
