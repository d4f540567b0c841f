package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// appendToken appends a decoded member name to an RFC 6901 pointer.
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

// splitPointer returns the decoded tokens of an RFC 6901 pointer.
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
		tokens[i] = pointerEscapes.Replace(token)
	}
	return tokens, nil
}
