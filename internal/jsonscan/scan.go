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

// Form says how far the raw text of a string is from what it means. The zero Form is plain ASCII: between the quotes
// stand the very bytes that the string means.
type Form uint8

const (
	// Escaped is set if the text holds a backslash.
	Escaped Form = 1 << iota
	// NonASCII is set if the text holds bytes from 0x80, which may or may not be UTF-8.
	NonASCII
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ScanString returns the end of the string whose opening quote is b[i], or ^offset, and its form.
func ScanString(b []byte, i int) (int, Form) {
	if i >= len(b) || b[i] != '"' {
		return ^i, 0
	}
	var form Form
	var high uint64
	i++
	for {
		// Eight bytes at a time: the lowest marked byte is a control character, a quote or a backslash.
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			mark := ((w - 0x20*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones)) &^ w & highs
			if mark != 0 {
				high |= w & (mark&-mark - 1)
				i += bits.TrailingZeros64(mark) >> 3
				goto marked
			}
			high |= w
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			high |= uint64(b[i])
			i++
		}
		if i == len(b) {
			return ^i, 0
		}
	marked:
		if b[i] == '"' {
			if high&highs != 0 {
				form |= NonASCII
			}
			return i + 1, form
		}
		if b[i] < ' ' {
			return ^i, 0
		}
		form |= Escaped
		if i = scanEscape(b, i); i < 0 {
			return i, 0
		}
	}
}

// scanEscape returns the end of the escape whose backslash is b[i].
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

// ScanNumber returns the end of the number that starts at b[i], or ^offset.
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

// scanDigits returns the end of one or more digits.
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

// ScanValue returns the end of the value that starts at b[i], without leading space, or ^offset. Outside is how many
// arrays and objects are open around the value.
func ScanValue(b []byte, i, outside int) int {
	// The kinds of 64 open containers fit in one word, a set bit for an object; what is nested deeper is left to a call
	// of its own.
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
				i = ScanValue(b, i, outside+open)
				break
			}
			first := Space(b, i+1)
			if first < len(b) && b[first] == c+2 {
				i = first + 1 // Empty.
				break
			}
			objects <<= 1
			open++
			i = first
			if c == '{' {
				objects |= 1
				if i = scanKey(b, i); i < 0 {
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
					if i = scanKey(b, i); i < 0 {
						return i
					}
				}
				break
			}
			if b[i] != ']'+byte(objects&1)<<5 {
				return ^i
			}
			objects >>= 1
			open--
			i++
		}
	}
}

// scanKey returns the start of the value of the member whose key starts at b[i].
func scanKey(b []byte, i int) int {
	i, _ = ScanString(b, i)
	if i < 0 {
		return i
	}
	i = Space(b, i)
	if i >= len(b) || b[i] != ':' {
		return ^i
	}
	return Space(b, i+1)
}
