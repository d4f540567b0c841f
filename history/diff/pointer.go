package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Pointers (RFC 6901) are what changes name their places by, one token for each level, with "/" in a
// name as ~1 and "~" as ~0. Paths are the other notation, which people write in Rules; see path.go.

// appendToken appends a decoded member name to a pointer.
func appendToken(pointer, name []byte) []byte {
	pointer = append(pointer, '/')
	for _, c := range name {
		switch c {
		case '~':
			pointer = append(pointer, "~0"...)
		case '/':
			pointer = append(pointer, "~1"...)
		default:
			pointer = append(pointer, c)
		}
	}
	return pointer
}

// splitPointer returns the decoded tokens of a pointer, none for the whole body. It is strict,
// because a pointer comes from stored changes and a wrong one must not lead somewhere else.
func splitPointer(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("pointer %q does not start with a slash", pointer)
	}
	if !utf8.ValidString(pointer) {
		return nil, fmt.Errorf("pointer %q is not UTF-8", pointer)
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, token := range tokens {
		// RFC 6901 has two escapes only. The Replacer below would leave any other ~ as it is.
		for rest := token; ; {
			_, after, found := strings.Cut(rest, "~")
			if !found {
				break
			}
			if after == "" || after[0] != '0' && after[0] != '1' {
				return nil, fmt.Errorf("pointer %q has a ~ that is neither ~0 nor ~1", pointer)
			}
			rest = after
		}
		if strings.IndexByte(token, '~') >= 0 {
			tokens[i] = pointerEscapes.Replace(token)
		}
	}
	return tokens, nil
}
