package jsonscan

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// String decodes the raw JSON string raw. Bytes that are not UTF-8 and lone surrogates become
// U+FFFD, as in encoding/json; package diff, which must tell them apart, decodes with [Escape]. It
// is not ok if raw is anything but one string.
func String(raw []byte) (s string, ok bool) {
	end, form := ScanString(raw, 0)
	if end != len(raw) {
		return "", false
	}
	if form == 0 {
		return string(raw[1 : end-1]), true
	}
	return string(AppendString(nil, raw)), true
}

// AppendString appends what the raw string raw means, as [String] decodes it. Raw is a string that
// was scanned before, with its quotes; anything else may panic.
func AppendString(dst, raw []byte) []byte {
	s := raw[1 : len(raw)-1]
	for len(s) > 0 {
		n := bytes.IndexByte(s, '\\')
		if n < 0 {
			n = len(s)
		}
		dst = appendUTF8(dst, s[:n])
		s = s[n:]
		if len(s) > 0 {
			var r rune
			r, n = Escape(s)
			dst = utf8.AppendRune(dst, r) // U+FFFD for half of a surrogate pair.
			s = s[n:]
		}
	}
	return dst
}

// appendUTF8 appends s with every byte that is not UTF-8 replaced.
func appendUTF8(dst, s []byte) []byte {
	if utf8.Valid(s) {
		return append(dst, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		dst = utf8.AppendRune(dst, r)
		s = s[n:]
	}
	return dst
}

// Escape returns the code point that the well-formed escape at the start of s means, and the length
// of the escape in bytes. The two escapes of a surrogate pair count as one, of 12 bytes; half of a
// pair is returned as it is, and is no character.
func Escape(s []byte) (rune, int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r := hexRune(s)
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if pair := utf16.DecodeRune(r, hexRune(s[6:])); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return r, 6
	}
	return rune(s[1]), 2
}

// hexRune decodes the four digits of the escape \uXXXX at the start of s.
func hexRune(s []byte) rune {
	return hexDigit(s[2])<<12 | hexDigit(s[3])<<8 | hexDigit(s[4])<<4 | hexDigit(s[5])
}

// Equal reports whether raw is a string that means s. It does not allocate unless raw holds an
// escape or is not ASCII.
func Equal(raw []byte, s string) bool {
	end, form := ScanString(raw, 0)
	switch {
	case end != len(raw):
		return false
	case form == 0:
		return string(raw[1:end-1]) == s
	}
	return string(AppendString(nil, raw)) == s
}

// Int decodes the raw JSON number raw. It is not ok unless raw is written as an integer, so not as
// 1.0 or 1e3, and fits.
func Int(raw []byte) (n int64, ok bool) {
	if ScanNumber(raw, 0) != len(raw) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}
