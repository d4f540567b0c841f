package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Path selects fields in field changes, by the paths that [Rules] are written in.
type Path struct{ segments []segment }

// PathError reports a path that means nothing. [Compile] and [ParsePath] return it.
type PathError struct {
	What   string // What the path was for, such as "ignored path".
	Path   string
	Reason string // What is wrong with it, and where.
}

func (e *PathError) Error() string { return fmt.Sprintf("diff: %s %q: %s", e.What, e.Path, e.Reason) }

// ParsePath parses a path as in [Rules]. The error says what is wrong and where.
func ParsePath(path string) (Path, error) {
	segments, err := parsePath(path)
	if err != nil {
		return Path{}, &PathError{"path", path, err.Error()}
	}
	return Path{segments}, nil
}

// Touches reports whether any of the changes is one of a field that p selects, of what is below it, or of what holds it.
func (p Path) Touches(changes []FieldChange) bool {
	return slices.ContainsFunc(changes, func(c FieldChange) bool {
		tokens := strings.Split(c.Path, "/")[1:]
		return touches(p.segments, tokens, holdsFields(c.Old) || holdsFields(c.New))
	})
}

// Field returns the path, as in [Rules], of the field that changed. Elements of arrays have no segment in it, so it is the
// same for all of them; it is empty for the whole body and for elements of a body that is an array itself.
func (c FieldChange) Field() string {
	if c.Path == "" {
		return ""
	}
	var segments []segment
	for _, token := range strings.Split(c.Path, "/")[1:] {
		if !isIndex(token) {
			segments = append(segments, segment{name: pointerEscapes.Replace(token)})
		}
	}
	return formatPath(segments)
}

// touches reports whether a pointer leads to a place that the pattern matches, to one below it or, if what changed there
// holds fields, to one above it. Elements of arrays have no segment in patterns.
func touches(pattern []segment, tokens []string, holds bool) bool {
	if len(pattern) == 0 {
		return true
	}
	if len(tokens) == 0 {
		return holds
	}
	s, name := pattern[0], pointerEscapes.Replace(tokens[0])
	if s.deep && (touches(pattern[1:], tokens, holds) || len(tokens) > 1 && touches(pattern, tokens[1:], holds)) {
		return true
	}
	if !s.deep && (s.wild || s.name == name) && touches(pattern[1:], tokens[1:], holds) {
		return true
	}
	return isIndex(name) && touches(pattern, tokens[1:], holds)
}

// holdsFields reports whether a value has parts.
func holdsFields(value []byte) bool {
	return len(value) > 0 && (value[0] == '{' || value[0] == '[')
}

// pointerEscapes decodes a token of an RFC 6901 pointer.
var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

func isIndex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// segment is one step of a path: a member name, any member (wild), or any number of levels (wild and deep).
type segment struct {
	name       string
	wild, deep bool
}

// parsePath returns the segments of path, with repeated ** merged and a final ** followed by *.
func parsePath(path string) ([]segment, error) {
	if !utf8.ValidString(path) {
		return nil, errors.New("it is not UTF-8")
	}
	var segments []segment
	var name strings.Builder
	start := 0 // Where the current segment starts.
	add := func(end int) error {
		s := segment{name: name.String()}
		name.Reset()
		switch text := path[start:end]; {
		case text == "":
			return fmt.Errorf("empty segment at offset %d", start)
		case text == "*":
			s = segment{wild: true}
		case text == "**":
			s = segment{wild: true, deep: true}
			if len(segments) > 0 && segments[len(segments)-1].deep {
				return nil
			}
		case strings.HasPrefix(text, "*") || strings.Contains(strings.NewReplacer(`\\`, "", `\*`, "").Replace(text), "*"):
			return fmt.Errorf(`segment %q at offset %d: a star stands alone, or is written \*`, text, start)
		}
		segments = append(segments, s)
		return nil
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; c {
		case '\\':
			i++
			if i == len(path) || !strings.ContainsRune(`.*\`, rune(path[i])) {
				return nil, fmt.Errorf(`backslash at offset %d: only \., \* and \\ mean something`, i-1)
			}
			name.WriteByte(path[i])
		case '.':
			if err := add(i); err != nil {
				return nil, err
			}
			start = i + 1
		default:
			name.WriteByte(c)
		}
	}
	if err := add(len(path)); err != nil {
		return nil, err
	}
	if segments[len(segments)-1].deep {
		segments = append(segments, segment{wild: true})
	}
	return segments, nil
}

// coversAll reports whether the path matches every member of the body itself.
func coversAll(segments []segment) bool {
	return len(segments) == 1 || len(segments) == 2 && segments[0].deep && segments[1].wild
}

// formatPath writes segments in the one way that has the same meaning.
func formatPath(segments []segment) string {
	escape := strings.NewReplacer(`\`, `\\`, `.`, `\.`, `*`, `\*`)
	texts := make([]string, len(segments))
	for i, s := range segments {
		switch {
		case s.deep:
			texts[i] = "**"
		case s.wild:
			texts[i] = "*"
		default:
			texts[i] = escape.Replace(s.name)
		}
	}
	return strings.Join(texts, ".")
}
