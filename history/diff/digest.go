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

// The digest answers "is this what it was?" for every object in every pass, so it has to cost little
// more than to read the bytes, and allocate nothing. It is the hash of the canonical form, but that
// form is never made: what the form would put in order is combined in a way that has no order.
//
// The idea: the digest of a value is a function of its kind, its content and the state that stands
// for its place. A leaf hashes its decoded text or canonical number. An object is the sum modulo
// 2^128 of its members, each hashed with its name as the state to begin with, so that their order
// does not matter and a value cannot change places with another one. An array is a chain: each
// element begins with the state that the ones before it have left. A set is a sum like an object.
// Kind and number of parts go into each container, so that [] is not {} and [[1]] is not [1].
//
// A sum would count a member twice that is there twice, while canonically the last one counts. So the
// walk notes names that an object may have twice. Only then, which hardly ever happens, the canonical
// form is made and hashed instead.
//
// The invariant: for one secret and one Comparer two digests are equal if and only if the canonical
// forms are, but for a collision. What makes two bodies canonically equal must therefore never reach
// the hash; appendNumber, appendName and plainNumber are what both share.

// Digest stands for a body: other bodies have other digests, as far as 128 bits can tell them apart.
//
// It is a fast keyed hash, not a cryptographic one. Those who choose the bodies cannot make two with
// one digest as long as they know neither the secret nor digests made with it. The zero Digest stands
// for no body.
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

// RawDigest returns the digest of the bytes of body as they are, JSON or not. It costs less than
// Digest, and bodies with the same bytes need no other comparison.
func RawDigest(secret *[32]byte, body []byte) Digest {
	k := expand(secret)
	return k.rawHash(body).digest()
}

// Digest returns the digest of the canonical form of body, without making that form. For one Comparer
// and secret, digests are equal if and only if the canonical forms are. The error is that of
// malformed JSON.
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

// digesters keeps the buffers and the expanded secret from one body to the next.
var digesters = sync.Pool{New: func() any { return &digester{} }}

// digester computes digests. Its methods return the end of what they read, or ^offset, as those of
// jsonscan do.
type digester struct {
	hashKeys

	secret     [32]byte // that the keys are of; no keys are made yet if the odd one is 0
	body       []byte
	scratch    []byte   // for a decoded string or number
	names      []uint64 // of the open objects' members: a lane of each name's hash
	duplicates bool     // an object may have had a name twice
}

// document hashes a body, which has to be one value with nothing but space around it.
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

// value hashes the value at i. The seed is the state for the place where it stands, r the rule there
// and set whether an array there is one; depth is how many containers are open around it.
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

// text returns the string at i as it is hashed, valid until the next call: decoded, or, if that is no
// UTF-8, in canonical form and odd. Odd strings need it because two of them may decode to the same
// bytes; the tag keeps them apart from strings that look like their canonical form.
func (d *digester) text(i int) (s []byte, odd bool, end int) {
	end, form := jsonscan.ScanString(d.body, i)
	if end < 0 {
		return nil, false, end
	}
	raw := d.body[i:end]
	s = raw[1 : len(raw)-1]
	if form == 0 {
		return s, false, end
	}
	if form&jsonscan.Escaped != 0 {
		d.scratch = appendName(d.scratch[:0], raw)
		s = d.scratch
	}
	if utf8.Valid(s) {
		return s, false, end
	}
	d.scratch = appendText(d.scratch[:0], raw)
	return d.scratch, true, end
}

// object hashes an object as the sum of its members. The walk skips ignored members and counts only
// the others, so that an ignored one may come and go. Borrowed members are summed apart until the end
// of the object, because the id that decides whether they count may come behind them.
//
// A member's hash begins with its name and not with the seed of the object. The seed enters once, in
// container, so the same sum at two places still gives two digests.
func (d *digester) object(i int, seed hash128, r *rule, depth int) (hash128, int) {
	b := d.body
	var sum, held hash128 // What is held is of members that do not count if there is an id.
	n, borrowed, hasID := 0, 0, false
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
			start, isID := i, r != nil && r.borrows && !odd && string(name) == idName
			h, i = d.value(i, named, member, member != nil && member.set, depth)
			if member != nil && member.borrowed && !isID {
				held = held.add(h)
				borrowed++
			} else {
				sum = sum.add(h)
				n++
			}
			if isID && i >= 0 {
				hasID = identifies(b[start:i])
			}
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
	if !hasID {
		sum, n = sum.add(held), n+borrowed
	}
	return d.container(seed, tagObject, sum, n), i + 1
}

// array hashes an array: in order, each element after the state that the ones before it have left,
// or as a sum if it is a set. Elements are under the rule of the array.
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

// nameSet finds names that an object holds twice, without a map. Hashes that are equal by chance are
// taken for equal names, which costs time and changes nothing.
type nameSet struct {
	start int    // where the object's names start in digester.names
	seen  uint64 // a bit for the low six bits of each name's hash; it proves most names to be new
}

// fewNames is up to how many names are compared one by one, as they come. Those of a larger object,
// such as a map that customers fill, are sorted and compared at its end.
const fewNames = 64

// addName notes the next name of the object.
func (d *digester) addName(s *nameSet, hash uint64) {
	bit := uint64(1) << (hash & 63)
	if s.seen&bit != 0 && len(d.names)-s.start <= fewNames && slices.Contains(d.names[s.start:], hash) {
		d.duplicates = true
	}
	s.seen |= bit
	d.names = append(d.names, hash)
}

// closeNames ends the object whose names were added last, and gives their place back.
func (d *digester) closeNames(s *nameSet) {
	if names := d.names[s.start:]; len(names) > fewNames {
		slices.Sort(names)
		for i := range len(names) - 1 {
			d.duplicates = d.duplicates || names[i] == names[i+1]
		}
	}
	d.names = d.names[:s.start]
}
