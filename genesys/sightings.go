package genesys

import (
	"math/bits"
	"slices"
)

// sightings are the IDs that a walk has seen, with their contents, as hashes.
// To tell a new ID from a known one in any order takes some bits for each of
// them; here it is 12 bytes, 15 to 19 with the free slots and what growing takes.
//
// Two of n IDs have the same hash with a probability of n²/2⁶⁵, which is 3 in
// 100,000,000 for a million IDs. The second one then passes for the first one
// with another content, which makes the walk incomplete, or, if an object may
// have been edited between two lists, is passed over. Hashes are seeded anew
// for each walk, so the next one is not affected. A content that did change
// passes for the same with a probability of 1 in 2³¹.
//
// A table is split into shards that grow by an eighth, one at a time, so that
// growing does not take much either.
type sightings struct {
	shards []shard
	n      int
}

// A shard is a hash table with linear probing.
type shard struct {
	slots []sighting
	n     int
}

// A sighting is what is known of an ID. It takes 12 bytes, hence the halves.
type sighting struct {
	high, low uint32 // hash of the ID; zero is a free slot
	mark      uint32 // bit 0: the list being walked has shown it; the rest: hash of its content
}

func (s sighting) id() uint64 { return uint64(s.high)<<32 | uint64(s.low) }

const (
	fewSightings = 1024 // have a single shard
	manyShards   = 64
)

// see takes down an ID and its content. It returns whether the ID was known,
// whether the list being walked has shown it before, and whether it had the
// same content then.
func (s *sightings) see(id, content uint64) (known, listed, same bool) {
	if len(s.shards) == 0 || len(s.shards) == 1 && s.n == fewSightings {
		s.spread()
	}
	id = max(id, 1) // a free slot has the ID 0
	slot, mark := s.slot(id), uint32(content>>32)|1
	known = slot.id() == id
	listed = known && slot.mark&1 != 0
	same = known && slot.mark|1 == mark
	if !known {
		slot.high, slot.low = uint32(id>>32), uint32(id)
		s.shard(id).n++
		s.n++
	}
	slot.mark = mark
	return known, listed, same
}

// nextList begins another list of the same walk.
func (s *sightings) nextList() {
	for _, sh := range s.shards {
		for i := range sh.slots {
			sh.slots[i].mark &^= 1
		}
	}
}

// spread makes the first shard, or many of a single one.
func (s *sightings) spread() {
	old := s.shards
	s.shards = make([]shard, max(1, manyShards*len(old)))
	for _, sh := range old {
		for _, known := range sh.slots {
			if id := known.id(); id != 0 {
				*s.slot(id) = known
				s.shard(id).n++
			}
		}
	}
}

func (s *sightings) shard(id uint64) *shard { return &s.shards[id%uint64(len(s.shards))] }

// slot returns the slot of an ID, or a free one where it belongs. It makes room first, known or not, so
// the pointer is good until the next call only.
func (s *sightings) slot(id uint64) *sighting {
	sh := s.shard(id)
	if 5*(sh.n+1) > 4*len(sh.slots) { // four fifths of the slots are taken at most
		sh.grow()
	}
	return sh.find(id)
}

// find returns the slot of an ID, or the free one where the search for it ends; there always is one. It
// begins where the ID stands among all 64-bit numbers, which spreads seeded hashes evenly over any
// number of slots without a division.
func (sh *shard) find(id uint64) *sighting {
	at, _ := bits.Mul64(id, uint64(len(sh.slots)))
	for i := int(at); ; i++ {
		if i == len(sh.slots) {
			i = 0
		}
		if found := sh.slots[i].id(); found == id || found == 0 {
			return &sh.slots[i]
		}
	}
}

func (sh *shard) grow() {
	old := sh.slots
	sh.slots = slices.Grow([]sighting(nil), len(old)+len(old)/8+8)
	sh.slots = sh.slots[:cap(sh.slots)] // all that the allocator gave
	for _, known := range old {
		if id := known.id(); id != 0 {
			*sh.find(id) = known
		}
	}
}
