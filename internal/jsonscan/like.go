package jsonscan

import (
	"bytes"
	"slices"
)

// Two versions of a body are mostly equal, byte for byte. What was scanned in the first one need not
// be scanned again in the second one: where the same bytes stand, followed by a comma or the
// closing bracket, they are the same value, and comparing bytes costs less than scanning them.
//
// The guess decides about time only. Where it fails the text is scanned, so the result is the same
// whatever was expected.

// NextLike is Next for one of two texts that are alike, and splits an array into its Parts. What
// is, byte for byte, the value of like, or one of its Parts in about their order, is not scanned
// again. If like is nil, nothing is expected.
func (it *Iter) NextLike(like *Iter) bool {
	i, ok := it.toValue()
	if !ok {
		return false
	}
	if like == nil {
		like = &Iter{}
	}
	it.parts = it.parts[:0]
	end := again(it.b, i, like.value, it.open+2)
	switch {
	case end > 0:
		it.parts = append(it.parts, like.parts...)
	case i < len(it.b) && it.b[i] == '[':
		it.parts, end = appendParts(it.parts, it.b, i, 1, like.parts)
	default:
		end = ScanValue(it.b, i, 1)
	}
	return it.take(i, end)
}

// Parts returns the raw elements of the value that [Iter.NextLike] came to, if it is an array. They
// are valid until its next call.
func (it *Iter) Parts() [][]byte { return it.parts }

// Split returns the raw elements of the array that arr is. Those of likely, which were scanned
// before, may be there again, in about their order; nil expects none. The error is a [*SyntaxError],
// also for text that is no array.
func Split(arr []byte, likely [][]byte) ([][]byte, error) {
	i := Space(arr, 0)
	if i == len(arr) || arr[i] != '[' {
		return nil, ErrorAt(arr, i)
	}
	parts, end := appendParts(nil, arr, i, 0, likely)
	if end >= 0 {
		if end = Space(arr, end); end == len(arr) {
			return parts, nil
		}
		end = ^end
	}
	return nil, ErrorAt(arr, ^end)
}

// appendParts appends the elements of the array that starts at b[i], inside of so many others, and
// returns the end of the array, or ^offset. It goes through likely in step with the array.
func appendParts(parts [][]byte, b []byte, i, outside int, likely [][]byte) ([][]byte, int) {
	// How many of likely may be missing here in a row. More would make the search quadratic where
	// nothing is alike.
	const ahead = 3
	if i = Space(b, i+1); i < len(b) && b[i] == ']' {
		return parts, i + 1
	}
	parts = slices.Grow(parts, max(4, len(likely)+1))
	for {
		end := -1
		for n, part := range likely[:min(ahead, len(likely))] {
			if end = again(b, i, part, ']'); end > 0 {
				likely = likely[n+1:]
				break
			}
		}
		if end < 0 {
			end = ScanValue(b, i, outside+1)
		}
		if end < 0 {
			return parts, end
		}
		parts = append(parts, b[i:end])
		switch i = Space(b, end); {
		case i < len(b) && b[i] == ',':
			i = Space(b, i+1)
		case i < len(b) && b[i] == ']':
			return parts, i + 1
		default:
			return parts, ^i
		}
	}
}

// again returns the end of value if it stands at b[i], in front of a comma or the closing bracket,
// or -1. Without one of these behind it the bytes may be the start of another value: 1 of 12.
func again(b []byte, i int, value []byte, closing byte) int {
	end := i + len(value)
	if len(value) > 0 && end < len(b) && (b[end] == ',' || b[end] == closing) && bytes.HasPrefix(b[i:], value) {
		return end
	}
	return -1
}
