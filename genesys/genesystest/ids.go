package genesystest

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// mix is the finaliser of SplitMix64: every bit of x reaches every bit of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hashText(seed uint64, s string) uint64 {
	h := seed ^ 0xcbf29ce484222325
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h)
}

// A uuid names the object n of a list below the parent number p. It hides both
// numbers in itself, so that 200,000 objects need no index: open reads them back.
// Nothing is taken on trust: who opens an id makes it again and compares.
func makeUUID(seed uint64, p, n int) string {
	tail := mix(mix(seed^uint64(p)) ^ uint64(n))
	tail = tail&^(3<<62) | 2<<62
	mask := mix(seed ^ tail)
	var b [16]byte
	binary.BigEndian.PutUint32(b[:4], uint32(n)^uint32(mask))
	hidden := uint32(p)&0xffffff ^ uint32(mask>>32)&0xffffff
	b[4], b[5], b[7] = byte(hidden>>16), byte(hidden>>8), byte(hidden)
	b[6] = 0x40 | byte(mask>>60)
	binary.BigEndian.PutUint64(b[8:], tail)

	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

func openUUID(seed uint64, id string) (p, n int, ok bool) {
	var b [16]byte
	if len(id) != 36 {
		return 0, 0, false
	}
	if _, err := hex.Decode(b[:], []byte(strings.ReplaceAll(id, "-", ""))); err != nil {
		return 0, 0, false
	}
	mask := mix(seed ^ binary.BigEndian.Uint64(b[8:]))
	n = int(binary.BigEndian.Uint32(b[:4]) ^ uint32(mask))
	hidden := uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[7])
	return int(hidden ^ uint32(mask>>32)&0xffffff), n, true
}

// under appends an object's own key, already joined, to its parent's ID.
func under(parentID, key string) string {
	switch {
	case parentID == "":
		return key
	case key == "":
		return parentID
	default:
		return parentID + "/" + key
	}
}
