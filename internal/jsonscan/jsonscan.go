// Package jsonscan walks JSON text in place: strictly, without a tree and without allocation.
//
// It is for code that looks at every body of every pass and needs a few members of each, where
// encoding/json would build values that are thrown away at once.
//
// It accepts exactly what [encoding/json.Valid] accepts. Bad escapes, control characters in
// strings, text behind the value and nesting deeper than [MaxDepth] are errors. Bytes that are not
// UTF-8 pass through inside strings.
//
// # Raw text
//
// A raw value is the span of the document that holds it, without the space around it. Nothing is
// copied: spans alias the document and are valid as long as it is unchanged. [String] and
// [AppendString] decode a raw string.
//
// # Two levels
//
// Most callers use [Members], [Elements], [Split] and [Lookup], which check what they walk over
// and return errors.
//
// [Space], [ScanString], [ScanNumber], [ScanLiteral] and [ScanValue] are for walkers that go over
// the bytes once, such as the digest of package diff. Instead of an error they return an offset:
// the end of what they scanned, or, if the text is wrong, the complement ^offset of the wrong
// byte. A complement is always negative, so that one comparison tells success from failure and
// nothing is allocated. [ErrorAt] makes the error of it.
package jsonscan

import "fmt"

// MaxDepth is how deep arrays and objects may be nested, as in encoding/json.
const MaxDepth = 10_000

// SyntaxError says where the text stops being JSON.
type SyntaxError struct {
	// Offset is the index of the first byte that cannot be there; the length of the text if it ends
	// too early.
	Offset int
	// Msg says what is wrong there.
	Msg string
}

// Error names the offset and one byte at most: a body may hold what must not reach a log.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("jsonscan: %s at offset %d", e.Msg, e.Offset)
}

// ErrorAt returns the [SyntaxError] for the offset at which scanning b failed. A bracket that is
// wrong for nothing but its depth is reported as nesting that is too deep.
func ErrorAt(b []byte, offset int) error {
	switch {
	case offset >= len(b):
		return &SyntaxError{len(b), "unexpected end of JSON"}
	case (b[offset] == '{' || b[offset] == '[') && depthAt(b, offset) >= MaxDepth:
		return &SyntaxError{offset, fmt.Sprintf("nesting deeper than %d levels", MaxDepth)}
	}
	return &SyntaxError{offset, fmt.Sprintf("unexpected character %q", b[offset])}
}

// depthAt counts the arrays and objects that are open at end. The text before end was scanned
// already, so brackets need no matching; only those inside strings must not count.
func depthAt(b []byte, end int) int {
	depth := 0
	for i := 0; i < end; i++ {
		switch b[i] {
		case '"':
			next, _ := ScanString(b, i)
			if next < 0 {
				return depth
			}
			i = next - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	return depth
}

// Skip returns the end of the value that starts at b[i], which may be preceded by space. It does
// not look at what follows the value.
func Skip(b []byte, i int) (end int, err error) {
	if end = ScanValue(b, Space(b, i), 0); end < 0 {
		return 0, ErrorAt(b, ^end)
	}
	return end, nil
}

// Valid reports whether b is one JSON value, with nothing but space around it.
func Valid(b []byte) bool {
	end := ScanValue(b, Space(b, 0), 0)
	return end >= 0 && Space(b, end) == len(b)
}

// Lookup returns the raw value at the path of member names below doc, which must be an object, or
// any value for the empty path. Of members with the same name the last one counts, as in
// encoding/json. It is not ok if the path leads nowhere or if an object on the way is malformed.
func Lookup(doc []byte, path ...string) (raw []byte, ok bool) {
	start := Space(doc, 0)
	if len(path) == 0 {
		end := ScanValue(doc, start, 0)
		if end < 0 || Space(doc, end) != len(doc) {
			return nil, false
		}
		return doc[start:end], true
	}
	raw = doc[start:]
	for _, name := range path {
		var found []byte
		it := Members(raw)
		for it.Next() {
			if it.KeyIs(name) {
				found = it.Value()
			}
		}
		if found == nil || it.Err() != nil {
			return nil, false
		}
		raw = found
	}
	return raw, true
}
