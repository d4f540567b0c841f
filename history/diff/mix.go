package diff

import (
	"encoding/binary"
	"math/bits"
)

// What the digest needs of a hash is uncommon: to be keyed, to go on from a given state for each
// place in a document, to take texts of ten bytes at the price of a few multiplications, and to be
// added up. hash/maphash has no key that outlives the process, and SHA-256 works through a block of
// 64 bytes for the shortest name. So this one follows wyhash and its kin: multiply 64 by 64 bits
// and fold the halves of the product.
//
// Changing anything here changes every digest that is stored: see formVersion.

// hash128 is a state of the hash, and, when finished, its value.
type hash128 struct{ lo, hi uint64 }

// add returns the sum modulo 2^128, which does not depend on the order of its terms.
func (h hash128) add(other hash128) hash128 {
	lo, carry := bits.Add64(h.lo, other.lo, 0)
	hi, _ := bits.Add64(h.hi, other.hi, carry)
	return hash128{lo, hi}
}

// tag keeps values of different kinds apart, each by a word of its own that is made of the secret:
// the string "1" is not the number 1, whose bytes are the same. Their order is part of the format.
type tag int

const (
	tagRoot tag = iota
	tagRaw
	tagKey
	tagString
	tagNumber
	tagLiteral
	tagObject
	tagArray
	tagSet
	tagOddString
	tagOddKey
	tagCount
)

// hashKeys is the secret, expanded.
//
// The hash multiplies words of the text, hidden by words of the secret, to 128 bits and folds them.
// Two lanes do so with other words and with their state on opposite sides, so that what makes one
// lane blind (a factor of zero, a structured difference) leaves the other one sighted; the last step
// multiplies across the lanes.
type hashKeys struct {
	round [3]uint64 // one for each lane, and an odd one that hides the lengths
	last  [4]uint64 // for finish
	tags  [tagCount]uint64
}

// expand makes the keys of a secret: as many words as are needed, each from three of its four words.
func expand(secret *[32]byte) hashKeys {
	var words [4]uint64
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(secret[8*i:])
	}
	const golden = 0x9e3779b97f4a7c15
	n := uint64(0)
	next := func() uint64 {
		n++
		return fold(words[n&3]^n*golden, words[(n+1)&3]^bits.Reverse64(n*golden)) + words[(n+2)&3]
	}
	var k hashKeys
	k.round = [3]uint64{next(), next(), next() | 1}
	for i := range k.last {
		k.last[i] = next()
	}
	for i := range k.tags {
		k.tags[i] = next()
	}
	return k
}

// fold multiplies to 128 bits and folds them to 64.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// start returns the state for a value of kind t and length n that follows what seed stands for. The
// factor is odd, so no two of (t, n) that differ in n alone have one mask.
func (k *hashKeys) start(seed hash128, t tag, n int) hash128 {
	mask := (k.tags[t] + uint64(n)) * k.round[2]
	return hash128{seed.lo ^ mask, seed.hi ^ bits.RotateLeft64(mask, 32)}
}

// absorb takes 16 bytes into the state.
func (k *hashKeys) absorb(h hash128, x, y uint64) hash128 {
	return hash128{fold(x^h.lo, y^k.round[0]), fold(x^k.round[1], y^h.hi)}
}

// finish returns the hash of what the state has taken in.
func (k *hashKeys) finish(h hash128) hash128 {
	return hash128{fold(h.lo^k.last[0], h.hi^k.last[1]), fold(h.lo^k.last[2], h.hi^k.last[3])}
}

// bytes returns the state for the text s, of kind t, that follows what seed stands for.
func (k *hashKeys) bytes(seed hash128, t tag, s []byte) hash128 {
	return k.absorbText(k.start(seed, t, len(s)), s)
}

// absorbText takes s, whose length the state holds already, into the state.
func (k *hashKeys) absorbText(h hash128, s []byte) hash128 {
	for len(s) > 16 {
		h = k.absorb(h, binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:]))
		s = s[16:]
	}
	// The rest is read from both ends; that the reads overlap is harmless, as the length is in the
	// state.
	var x, y uint64
	switch n := len(s); {
	case n >= 8:
		x, y = binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[n-8:])
	case n >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(s)), uint64(binary.LittleEndian.Uint32(s[n-4:]))
	case n > 0:
		x, y = uint64(s[0])<<16|uint64(s[n/2])<<8|uint64(s[n-1]), 0
	}
	return k.absorb(h, x, y)
}

// leaf returns the hash of a value without parts: a string, a number or a literal.
func (k *hashKeys) leaf(seed hash128, t tag, s []byte) hash128 {
	return k.finish(k.bytes(seed, t, s))
}

// container returns the hash of a value of n parts, which sum stands for.
func (k *hashKeys) container(seed hash128, t tag, sum hash128, n int) hash128 {
	return k.finish(k.absorb(k.start(seed, t, n), sum.lo, sum.hi))
}

// wide is how many bytes one round of rawHash takes.
const wide = 64

// rawHash returns the hash of a long text, in four states side by side.
func (k *hashKeys) rawHash(s []byte) hash128 {
	h := k.start(hash128{}, tagRaw, len(s))
	if len(s) >= wide {
		a, b, c := h, hash128{^h.lo, ^h.hi}, hash128{h.hi, h.lo}
		d := hash128{^h.hi, ^h.lo}
		for len(s) >= wide {
			a = k.absorb(a, binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:]))
			b = k.absorb(b, binary.LittleEndian.Uint64(s[16:]), binary.LittleEndian.Uint64(s[24:]))
			c = k.absorb(c, binary.LittleEndian.Uint64(s[32:]), binary.LittleEndian.Uint64(s[40:]))
			d = k.absorb(d, binary.LittleEndian.Uint64(s[48:]), binary.LittleEndian.Uint64(s[56:]))
			s = s[wide:]
		}
		h = k.absorb(k.absorb(k.absorb(a, b.lo, b.hi), c.lo, c.hi), d.lo, d.hi)
	}
	return k.finish(k.absorbText(h, s))
}
