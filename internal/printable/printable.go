// Package printable makes texts of others fit for a terminal and a log: what a
// person reads stays, and what a terminal would act on is escaped.
package printable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s with everything escaped that is not a character with a shape of its own: control
// characters, line breaks, marks that turn the direction of writing, and bytes that are no UTF-8.
func Text(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			quoted := strconv.QuoteToASCII(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// Brief is Text of at most size bytes; a longer text ends in an ellipsis.
func Brief(s string, size int) string {
	if len(s) <= size {
		return Text(s)
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return Text(s[:size]) + "…"
}
