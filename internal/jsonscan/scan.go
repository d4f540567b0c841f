package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// Space returns the offset of the first byte at or after i that is not white space.
func Space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// Form says how far the raw text of a string is from what it means, so that callers decode only
// where they must. The zero Form is plain ASCII: between the quotes stand the very bytes that the
// string means.
type Form uint8

const (
	// Escaped is set if the text holds a backslash.
	Escaped Form = 1 << iota
	// NonASCII is set if the text holds bytes from 0x80, which may or may not be UTF-8.
	NonASCII
)

// Eight bytes are tested at once as the lanes of one word: ones*c has the byte c in every lane,
// and highs selects the top bit of every lane.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, by their top bits, the lanes of w that mean something in a string: the quote, the
// backslash and control characters. Only the lowest mark is certain.
//
// With its second bit turned, the quote stands next to the control characters, and both are below
// 0x21. A lane minus 0x21 borrows, and so gets its top bit, if it is one of them; a lane xor the
// backslash minus 1 does if it is one. A lane that had its top bit before is none, which &^ w
// excludes. A borrow may run on into the lanes above, which is why only the lowest mark counts.
func special(w uint64) uint64 {
	return (((w ^ 0x02*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) &^ w & highs
}

// ScanString returns the end of the string whose opening quote is b[i], or ^offset, and its form.
//
// Bodies are mostly strings, and nearly all of them are short and without an escape. So the speed of
// the package depends on this loop, and whatever it does not expect is left to scanOn.
func ScanString(b []byte, i int) (int, Form) {
	if i >= len(b) || b[i] != '"' {
		return ^i, 0
	}
	var high uint64
	for i++; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i : i+8 : i+8])
		mark := special(w)
		if mark == 0 {
			high |= w
			continue
		}
		high |= w & (mark&-mark - 1) // the lanes below the mark
		if i += bits.TrailingZeros64(mark) >> 3; b[i] != '"' {
			break
		}
		if high&highs != 0 {
			return i + 1, NonASCII
		}
		return i + 1, 0
	}
	return scanOn(b, i, high)
}

// scanOn is ScanString from a byte inside the string on, where high has the bytes before it.
func scanOn(b []byte, i int, high uint64) (int, Form) {
	var form Form
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i : i+8 : i+8])
			mark := special(w)
			if mark == 0 {
				high |= w
				i += 8
				continue
			}
			high |= w & (mark&-mark - 1)
			i += bits.TrailingZeros64(mark) >> 3
			break
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			high |= uint64(b[i])
			i++
		}
		switch {
		case i == len(b) || b[i] < ' ':
			return ^i, 0
		case b[i] == '"':
			if high&highs != 0 {
				form |= NonASCII
			}
			return i + 1, form
		}
		form |= Escaped
		if i = scanEscape(b, i); i < 0 {
			return i, 0
		}
	}
}

// scanEscape returns the end of the escape whose backslash is b[i], or ^offset. It takes any four
// hexadecimal digits: half of a surrogate pair is valid JSON, though no character.
func scanEscape(b []byte, i int) int {
	i++
	if i >= len(b) {
		return ^i
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for end := i + 5; ; {
			i++
			if i == end {
				return i
			}
			if i >= len(b) || hexDigit(b[i]) < 0 {
				return ^i
			}
		}
	}
	return ^i
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// ScanNumber returns the end of the number that starts at b[i], or ^offset. A number ends where it
// cannot go on: "012" ends behind the 0, and whoever expects a comma there finds the error.
func ScanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = scanDigits(b, i); i < 0 {
		return i
	}
	if i < len(b) && b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return i
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i
}

// scanDigits returns the end of one or more digits, or ^offset if there is none. A byte below '0'
// wraps round to more than 9.
func scanDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}

// ScanLiteral returns the end of the true, false or null that starts at b[i], or ^offset.
func ScanLiteral(b []byte, i int) int {
	if i >= len(b) {
		return ^i
	}
	word := "null"
	switch b[i] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	for j := range len(word) {
		if i+j >= len(b) || b[i+j] != word[j] {
			return ^(i + j)
		}
	}
	return i + len(word)
}

// ScanValue returns the end of the value that starts at b[i], without leading space, or ^offset.
// Outside is how many arrays and objects are open around the value; it counts towards MaxDepth.
func ScanValue(b []byte, i, outside int) int { return scan(b, i, outside, nil) }

// A Seer is told of every member on the way, before its value is scanned.
type Seer interface {
	// See gets how many arrays and objects are open around the member, those outside of the value
	// included, its raw key with its quotes, the form of that, and where its value begins.
	See(depth int, key []byte, form Form, value int)
}

// ScanSeen is ScanValue that tells see of every member, at any depth.
func ScanSeen(b []byte, i, outside int, see Seer) int { return scan(b, i, outside, see) }

// scan needs a stack of what is open, only to know whether a comma is followed by a key and which
// bracket closes. One bit for each open container does, the innermost one lowest: set for an
// object. Bodies are hardly ever nested deeper than the 64 levels of one word; what is, is left to a
// recursive call.
func scan(b []byte, i, outside int, see Seer) int {
	var objects uint64
	open := 0
	for {
		if i >= len(b) {
			return ^i
		}
		switch c := b[i]; {
		case c == '"':
			i, _ = ScanString(b, i)
		case c == '{' || c == '[':
			if outside+open >= MaxDepth {
				return ^i
			}
			if open == 64 {
				i = scan(b, i, outside+open, see)
				break
			}
			first := Space(b, i+1)
			if first < len(b) && b[first] == c+2 { // in ASCII, ] is [ + 2 and } is { + 2
				i = first + 1
				break
			}
			objects <<= 1
			open++
			i = first
			if c == '{' {
				objects |= 1
				if i = scanKey(b, i, outside+open, see); i < 0 {
					return i
				}
			}
			continue
		case c == '-' || c-'0' <= 9:
			i = ScanNumber(b, i)
		default:
			i = ScanLiteral(b, i)
		}
		if i < 0 {
			return i
		}
		// After a value: close what ends here, and go on to the next value.
		for {
			if open == 0 {
				return i
			}
			i = Space(b, i)
			if i >= len(b) {
				return ^i
			}
			if b[i] == ',' {
				i = Space(b, i+1)
				if objects&1 != 0 {
					if i = scanKey(b, i, outside+open, see); i < 0 {
						return i
					}
				}
				break
			}
			if b[i] != ']'+byte(objects&1)<<5 { // } is ] + 32
				return ^i
			}
			objects >>= 1
			open--
			i++
		}
	}
}

// scanKey returns the start of the value of the member whose key starts at b[i], or ^offset.
func scanKey(b []byte, i, depth int, see Seer) int {
	end, form := ScanString(b, i)
	if end < 0 {
		return end
	}
	value := Space(b, end)
	if value >= len(b) || b[value] != ':' {
		return ^value
	}
	value = Space(b, value+1)
	if see != nil {
		see.See(depth, b[i:end], form, value)
	}
	return value
}
