package diff

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Digest stands for a body: other bodies have other digests, as far as 128 bits can tell them apart.
//
// It is a fast keyed hash, not a cryptographic one. Those who choose the bodies cannot make two with one digest as long
// as they know neither the secret nor digests made with it. The zero Digest stands for no body.
type Digest [16]byte

// String returns the 32 hexadecimal digits of d.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText returns the 32 hexadecimal digits of d.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText accepts what MarshalText returns.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("diff: a digest has %d hexadecimal digits, not %d", hex.EncodedLen(len(d)), len(text))
	}
	var decoded Digest
	if _, err := hex.Decode(decoded[:], text); err != nil {
		return fmt.Errorf("diff: digest: %w", err)
	}
	*d = decoded
	return nil
}

func (h hash128) digest() (d Digest) {
	binary.LittleEndian.PutUint64(d[:], h.lo)
	binary.LittleEndian.PutUint64(d[8:], h.hi)
	return d
}

// RawDigest returns the digest of the bytes of body as they are, JSON or not.
func RawDigest(secret *[32]byte, body []byte) Digest {
	k := expand(secret)
	return k.rawHash(body).digest()
}

// Digest returns the digest of the canonical form of body, without making that form. For one Comparer and secret,
// digests are equal if and only if the canonical forms are. The error is that of malformed JSON.
//
// It takes one pass over the bytes and allocates nothing, unless the body has duplicate keys.
func (c *Comparer) Digest(secret *[32]byte, body []byte) (Digest, error) {
	d := digesters.Get().(*digester)
	defer digesters.Put(d)
	if d.secret != *secret || d.round[2] == 0 {
		d.secret, d.hashKeys = *secret, expand(secret)
	}
	d.names, d.duplicates = d.names[:0], false
	h, err := d.document(body, c.rules)
	if err == nil && d.duplicates {
		// The sum of an object's members would count all of them, but only the last of a name is part of the value.
		var canonical []byte
		if canonical, err = c.Canonical(nil, body); err == nil {
			h, err = d.document(canonical, c.rules)
		}
	}
	if err != nil {
		return Digest{}, fmt.Errorf("diff: digest: %w", err)
	}
	return h.digest(), nil
}

var digesters = sync.Pool{New: func() any { return &digester{} }}

// digester computes digests. Its methods return the end of what they read, or ^offset, as those of jsonscan do.
type digester struct {
	hashKeys

	secret     [32]byte // That the keys are of; no keys are made yet if the odd one is 0.
	body       []byte
	scratch    []byte   // For a decoded string or number.
	names      []uint64 // Of the open objects' members: a lane of each name's hash.
	duplicates bool
}

func (d *digester) document(body []byte, r *rule) (hash128, error) {
	d.body = body
	defer func() { d.body = nil }()
	h, end := d.value(jsonscan.Space(body, 0), hash128{d.tags[tagRoot], ^d.tags[tagRoot]}, r, false, 0)
	if end >= 0 {
		if end = jsonscan.Space(body, end); end == len(body) {
			return h, nil
		}
		end = ^end
	}
	return hash128{}, jsonscan.ErrorAt(body, ^end)
}

// value hashes the value at i. The seed is the state for the place where it stands; depth is how many containers are
// open around it.
func (d *digester) value(i int, seed hash128, r *rule, set bool, depth int) (hash128, int) {
	if i >= len(d.body) {
		return hash128{}, ^i
	}
	switch c := d.body[i]; {
	case c == '"':
		s, odd, end := d.text(i)
		switch {
		case end < 0:
			return hash128{}, end
		case odd:
			return d.leaf(seed, tagOddString, s), end
		}
		return d.leaf(seed, tagString, s), end
	case c == '{' || c == '[':
		if depth >= jsonscan.MaxDepth {
			return hash128{}, ^i
		}
		if c == '{' {
			return d.object(i, seed, r, depth+1)
		}
		return d.array(i, seed, r, set, depth+1)
	case c == '-' || c-'0' <= 9:
		end := jsonscan.ScanNumber(d.body, i)
		if end < 0 {
			return hash128{}, end
		}
		s := plainNumber(d.body[i:end])
		if s == nil {
			d.scratch = appendNumber(d.scratch[:0], d.body[i:end])
			s = d.scratch
		}
		return d.leaf(seed, tagNumber, s), end
	}
	end := jsonscan.ScanLiteral(d.body, i)
	if end < 0 {
		return hash128{}, end
	}
	return d.leaf(seed, tagLiteral, d.body[i:end]), end
}

// text returns the string at i as it is hashed, valid until the next call: decoded, or, if that is no UTF-8, in canonical
// form and odd.
func (d *digester) text(i int) (s []byte, odd bool, end int) {
	end, form := jsonscan.ScanString(d.body, i)
	if end < 0 {
		return nil, false, end
	}
	raw := d.body[i:end]
	s = raw[1 : len(raw)-1]
	if form&jsonscan.Escaped != 0 {
		d.scratch = appendName(d.scratch[:0], raw)
		s = d.scratch
	}
	if form == 0 || utf8.Valid(s) {
		return s, false, end
	}
	d.scratch = appendText(d.scratch[:0], raw)
	return d.scratch, true, end
}

func (d *digester) object(i int, seed hash128, r *rule, depth int) (hash128, int) {
	b := d.body
	var sum hash128
	n := 0
	names := nameSet{start: len(d.names)}
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == '}' {
		return d.container(seed, tagObject, sum, 0), i + 1
	}
	for {
		name, odd, end := d.text(i)
		if end < 0 {
			return hash128{}, end
		}
		if i = jsonscan.Space(b, end); i >= len(b) || b[i] != ':' {
			return hash128{}, ^i
		}
		i = jsonscan.Space(b, i+1)
		member, t := r.member(name), tagKey
		if odd {
			member, t = r.member(nil), tagOddKey
		}
		if member != nil && member.ignore {
			i = jsonscan.ScanValue(b, i, depth)
		} else {
			named := d.bytes(hash128{d.tags[tagObject], ^d.tags[tagObject]}, t, name)
			d.addName(&names, named.lo)
			var h hash128
			h, i = d.value(i, named, member, member != nil && member.set, depth)
			sum = sum.add(h)
			n++
		}
		if i < 0 {
			return hash128{}, i
		}
		if i = jsonscan.Space(b, i); i >= len(b) || b[i] != ',' {
			break
		}
		i = jsonscan.Space(b, i+1)
	}
	if i >= len(b) || b[i] != '}' {
		return hash128{}, ^i
	}
	d.closeNames(&names)
	return d.container(seed, tagObject, sum, n), i + 1
}

// array hashes an array: in order, each element after the state that the ones before it have left, or as a sum if it is
// a set. Elements are under the rule of the array.
func (d *digester) array(i int, seed hash128, r *rule, set bool, depth int) (hash128, int) {
	b := d.body
	t := tagArray
	if set {
		t = tagSet
	}
	first := hash128{d.tags[t], ^d.tags[t]}
	state := first
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == ']' {
		return d.container(seed, t, state, 0), i + 1
	}
	for n := 1; ; n++ {
		var h hash128
		if set {
			h, i = d.value(i, first, r, false, depth)
			state = state.add(h)
		} else {
			state, i = d.value(i, state, r, false, depth)
		}
		if i < 0 {
			return hash128{}, i
		}
		i = jsonscan.Space(b, i)
		switch {
		case i < len(b) && b[i] == ',':
			i = jsonscan.Space(b, i+1)
		case i < len(b) && b[i] == ']':
			return d.container(seed, t, state, n), i + 1
		default:
			return hash128{}, ^i
		}
	}
}

// nameSet finds names that an object holds twice. Hashes that are equal by chance are taken for equal names, which costs
// time and changes nothing.
type nameSet struct {
	start int    // Where the object's names start in digester.names.
	seen  uint64 // Six bits of each name's hash; it proves most names to be new.
}

// fewNames is up to how many names are compared one by one.
const fewNames = 64

func (d *digester) addName(s *nameSet, hash uint64) {
	bit := uint64(1) << (hash & 63)
	if s.seen&bit != 0 && len(d.names)-s.start <= fewNames && slices.Contains(d.names[s.start:], hash) {
		d.duplicates = true
	}
	s.seen |= bit
	d.names = append(d.names, hash)
}

// closeNames ends the object whose names were added to s last.
func (d *digester) closeNames(s *nameSet) {
	if names := d.names[s.start:]; len(names) > fewNames {
		slices.Sort(names)
		for i := range len(names) - 1 {
			d.duplicates = d.duplicates || names[i] == names[i+1]
		}
	}
	d.names = d.names[:s.start]
}
