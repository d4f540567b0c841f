package genesys

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestSightings compares the table with a map, through all its sizes.
func TestSightings(t *testing.T) {
	type entry struct {
		content uint64
		list    int
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, n := range []int{10, fewSightings - 1, fewSightings + 1, 20_000} {
		var s sightings
		want := map[uint64]entry{}
		for list := range 3 {
			s.nextList()
			for range n {
				id, content := r.Uint64N(uint64(n)), r.Uint64N(2)<<40
				switch id {
				case 1, 2: // hashes that a table might mistake for nothing
					id <<= 32
				default:
					id *= 0x9e3779b97f4a7c15
				}
				before, known := want[max(id, 1)]
				want[max(id, 1)] = entry{content, list}
				gotKnown, listed, same := s.see(id, content)
				require.Equal(t, known, gotKnown, "%x", id)
				require.Equal(t, known && before.list == list, listed, "%x", id)
				require.Equal(t, known && before.content == content, same, "%x", id)
			}
		}
		require.Equal(t, len(want), s.n)
	}
}

// TestSightingsTakeFewBytes measures the slots of the table at every size up to
// 300,000 IDs, and what growing takes on top.
func TestSightingsTakeFewBytes(t *testing.T) {
	var s sightings
	seed := maphash.MakeSeed()
	slots, largest := map[*shard]int{}, 0
	total, worst := 0, 0.0
	var key [8]byte
	for i := range 300_000 {
		binary.LittleEndian.PutUint64(key[:], uint64(i))
		id := maphash.Bytes(seed, key[:])
		s.see(id, id)
		if i < 10_000 {
			continue
		}
		if i == 10_000 {
			for j := range s.shards {
				slots[&s.shards[j]] = cap(s.shards[j].slots)
				total += cap(s.shards[j].slots)
			}
		}
		sh := s.shard(max(id, 1))
		total += cap(sh.slots) - slots[sh]
		slots[sh] = cap(sh.slots)
		largest = max(largest, cap(sh.slots))
		worst = max(worst, float64(total+largest)*float64(unsafe.Sizeof(sighting{}))/float64(i+1))
	}
	t.Logf("%.1f bytes per ID at worst, %.1f for all", worst, float64(total)*12/300_000)
	require.Less(t, worst, 20.0)
}

func BenchmarkSightings(b *testing.B) {
	var s sightings
	b.ReportAllocs()
	id := uint64(0)
	for b.Loop() {
		id += 0x9e3779b97f4a7c15
		s.see(id, id)
	}
}
