package diff

import (
	"bytes"
	"unicode/utf8"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A JSON string is meant to be Unicode, but a body may hold what is not: bytes that are not UTF-8,
// and halves of surrogate pairs (\ud83d alone). Such odd strings are compared exactly: nothing is
// replaced, so that any difference is one. Their canonical form leaves the bytes as they are and
// writes the halves as escapes, which makes it JSON that encoding/json passes on unchanged in a
// json.RawMessage. The name of a member that is odd fits into no pointer and no path of Rules: a
// change below it is recorded as a replacement of the object that has it.

// appendText appends the canonical form of the raw string raw, quotes included. Raw may have escapes
// that are not needed.
func appendText(dst, raw []byte) []byte {
	return appendDecoded(dst, raw, appendCharacter)
}

// appendName appends what a raw key means. The bytes are no UTF-8 if and only if the name is odd, and
// two odd names may mean the same bytes: a half of a pair written as an escape, or as the bytes that
// UTF-8 forbids.
func appendName(dst, key []byte) []byte {
	return appendDecoded(dst, key[1:len(key)-1], func(dst []byte, r rune) []byte {
		if isSurrogate(r) { // as UTF-8 would write it if it could
			return append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
		}
		return utf8.AppendRune(dst, r)
	})
}

// appendDecoded appends text with each escape given to character, and all the rest as it is.
func appendDecoded(dst, text []byte, character func([]byte, rune) []byte) []byte {
	for {
		n := bytes.IndexByte(text, '\\')
		if n < 0 {
			return append(dst, text...)
		}
		r, size := jsonscan.Escape(text[n:])
		dst = character(append(dst, text[:n]...), r)
		text = text[n+size:]
	}
}

func isSurrogate(r rune) bool { return 0xD800 <= r && r < 0xE000 }

// isOdd reports whether a raw key is not Unicode.
func isOdd(key []byte) bool {
	if bytes.IndexByte(key, '\\') >= 0 {
		return !utf8.Valid(appendName(nil, key))
	}
	return !utf8.Valid(key)
}

// quoted returns s as a JSON string with the fewest escapes: the canonical raw key of the name s.
// Only ASCII is ever escaped in what came from a pointer, which is UTF-8.
func quoted(s []byte) []byte {
	dst := append(make([]byte, 0, len(s)+2), '"')
	for _, c := range s {
		if c < utf8.RuneSelf {
			dst = appendCharacter(dst, rune(c))
		} else {
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendCharacter appends the canonical form of one character of a string. It escapes what JSON
// demands and halves of surrogate pairs; it writes \b, \f, \n, \r and \t short, as RFC 8785 does.
func appendCharacter(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if r < ' ' || isSurrogate(r) {
		return append(dst, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// compareKeys orders canonical raw keys by what they mean, bytewise, and odd ones that mean the same
// bytes by their text. It is 0 only for equal keys. That the order is by meaning, not by raw text,
// matters where a name has an escape.
func compareKeys(a, b []byte) int {
	if bytes.IndexByte(a, '\\') >= 0 || bytes.IndexByte(b, '\\') >= 0 {
		if order := bytes.Compare(appendName(nil, a), appendName(nil, b)); order != 0 {
			return order
		}
		return bytes.Compare(a, b)
	}
	return bytes.Compare(a[1:len(a)-1], b[1:len(b)-1])
}
