package storage

import (
	"unicode/utf8"
)

// A Range is the keys from Start up to, but not including, End in bytewise
// order. An empty End has no upper bound, so the zero Range is the whole store.
// The bounds are valid UTF-8 without NUL, of any length; no key needs to exist
// there. A Range whose End is not after its Start holds no key.
type Range struct {
	Start, End string
	Reverse    bool // from the last key to the first
}

// Contains reports whether key lies in r.
func (r Range) Contains(key string) bool {
	return key >= r.Start && (r.End == "" || key < r.End)
}

// Empty reports whether no key can lie in r.
func (r Range) Empty() bool { return r.End != "" && r.End <= r.Start }

// Prefix returns the Range of all keys that begin with p. An empty p gives the
// whole store.
func Prefix(p string) Range {
	for end := p; end != ""; {
		r, size := utf8.DecodeLastRuneInString(end)
		end = end[:len(end)-size]
		if r < utf8.MaxRune && (r != utf8.RuneError || size > 1) {
			return Range{Start: p, End: end + string(nextRune(r))}
		}
	}
	return Range{Start: p}
}

// nextRune returns the rune after r. UTF-8 orders runes as numbers, except that
// it has no surrogates.
func nextRune(r rune) rune {
	if r == 0xD7FF {
		return 0xE000
	}
	return r + 1
}

// After returns the smallest bound that is greater than key: a Scan from there
// goes on behind key.
func After(key string) string { return key + "\x01" }
